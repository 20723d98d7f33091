package sqlgen

// A rule is a way to make an expression of a type. In its form {int} is an expression of that type, {T} one of the type
// chosen for the rule, {a:int} one that other holes called a repeat. A word of the table words stands for what it says.
type rule struct {
	gives Type // "" is T
	form  string
	// of are the types T may be; nil: the type that is wanted, or any.
	of []Type
	// fails says that there are values on which PostgreSQL gives an error.
	fails bool
}

// words are the holes that are no expressions.
var words = map[string][]string{
	"cmp":     {"=", "=", "<>", "<", "<=", ">", ">="},
	"eq":      {"=", "=", "=", "<>", "<"},
	"small":   {"0", "1", "2", "3"},
	"like":    {"'a%'", "'%b'", "'_'", "'%a%'", "''", "'x\\%%'"},
	"regex":   {"'^a'", "'b$'", "'[a-c]+'", "'.'", "'(a|b) ?(b)?'"},
	"not":     {"", "", "NOT "},
	"step":    {"interval '1 day'", "interval '1 month'", "interval '-02:30'", "interval '1 day 00:00:01'"},
	"field":   {"day", "month", "year", "dow", "doy", "quarter", "week", "isodow"},
	"clock":   {"hour", "minute", "second", "epoch", "day"},
	"unit":    {"'month'", "'year'", "'day'", "'week'", "'quarter'"},
	"key":     {"'a'", "'b'", "'c'"},
	"untyped": {"'0'", "'1'", "'2'"},
	"of":      {"ANY", "ANY", "ALL"},
}

// rules are what expressions are made of, besides columns, constants, aggregates and subqueries.
var rules = []rule{
	// Of every type.
	{form: "coalesce({T}, {T})"},
	{form: "coalesce({T}, {T}, {T})"},
	{form: "nullif({T}, {T})", of: shown},
	{form: "CASE WHEN {bool} THEN {T} ELSE {T} END"},
	{form: "CASE WHEN {bool} THEN {T} WHEN {bool} THEN {T} END"},
	{form: "CASE {show} WHEN NULL THEN {T} ELSE {T} END"},
	{form: "CASE {a:int} WHEN 1 THEN {T} WHEN 2 THEN {T} ELSE {T} END"},
	{form: "greatest({T}, {T})", of: ordered},
	{form: "least({T}, {T}, {T})", of: ordered},
	{form: "(ARRAY[{T}, {T}])[{int}]", of: shown},

	// Truth.
	{gives: Bool, form: "({bool} AND {bool})"}, {gives: Bool, form: "({bool} AND {bool})"},
	{gives: Bool, form: "({bool} OR {bool})"}, {gives: Bool, form: "({bool} OR {bool})"},
	{gives: Bool, form: "(NOT {bool})"},
	{gives: Bool, form: "({bool} IS {not}TRUE)"}, {gives: Bool, form: "({bool} IS UNKNOWN)"},
	{gives: Bool, form: "({T} IS {not}NULL)"},
	{gives: Bool, form: "({T} {cmp} {T})"}, {gives: Bool, form: "({T} {cmp} {T})"}, {gives: Bool, form: "({T} {cmp} {T})"},
	{gives: Bool, form: "({int} {cmp} {int})"}, {gives: Bool, form: "({int} {cmp} {bigint})"},
	{gives: Bool, form: "({numeric} {cmp} {int})"}, {gives: Bool, form: "({float8} {cmp} {int})"},
	{gives: Bool, form: "({numeric} {cmp} {float8})"}, {gives: Bool, form: "({date} {cmp} {timestamp})"},
	{gives: Bool, form: "({int} {cmp} {untyped})"}, {gives: Bool, form: "({text} {cmp} {untyped})"},
	{gives: Bool, form: "({date} >= '2024-01-02')"},
	{gives: Bool, form: "({T} IS {not}DISTINCT FROM {T})"},
	{gives: Bool, form: "({T} {not}BETWEEN {T} AND {T})", of: ordered},
	{gives: Bool, form: "({int} BETWEEN SYMMETRIC {int} AND {int})"},
	{gives: Bool, form: "({T} {not}IN ({T}, {T}))"}, {gives: Bool, form: "({int} {not}IN (0, 1, NULL))"},
	{gives: Bool, form: "(({int}, {text}) {eq} ({int}, {text}))"},
	{gives: Bool, form: "(({int}, {T}) IN (({int}, {T}), (1, {T})))", of: shown},
	{gives: Bool, form: "({text} {not}LIKE {like})"}, {gives: Bool, form: "({text} ILIKE {like})"},
	{gives: Bool, form: "({text} ~ {regex})"}, {gives: Bool, form: "starts_with({text}, {text})"},
	{gives: Bool, form: "({int} {eq} {of}({int[]}))"}, {gives: Bool, form: "({text} = {of}({text[]}))"},
	{gives: Bool, form: "({int[]} @> {int[]})"}, {gives: Bool, form: "({int[]} && {int[]})"},
	{gives: Bool, form: "({jsonb} @> {jsonb})"}, {gives: Bool, form: "({jsonb} ? {key})"},
	{gives: Bool, form: "(num_nulls({T}, {T}) > 0)"},
	{gives: Bool, form: "({T} = {of}(ARRAY[{T}, {T}]))", of: shown}, {gives: Bool, form: "(row({int}, {T}) IS {not}DISTINCT FROM row({int}, {T}))"},
	{gives: Bool, form: "(row({int}, {text}) < row({bigint}, {text}))"}, {gives: Bool, form: "(row({int}, {T}) IS {not}NULL)"},
	{gives: Bool, form: "({bool} = ({int} IS NULL))"}, {gives: Bool, form: "(({date}, {date}) OVERLAPS ({date}, {date}))"},

	// Whole numbers.
	{gives: Int, form: "({int} + {int})"}, {gives: Int, form: "({int} - {int})"}, {gives: Int, form: "({int} * {small})"},
	{gives: Int, form: "(- {int})"}, {gives: Int, form: "abs({int})"}, {gives: Int, form: "({int} % 3)"},
	{gives: Int, form: "({int} / 2)"}, {gives: Int, form: "({int} / nullif({int}, 0))"},
	{gives: Int, form: "({int} # {int})"}, {gives: Int, form: "({int} & 3)"}, {gives: Int, form: "({int} | 1)"},
	{gives: Int, form: "length({text})"}, {gives: Int, form: "strpos({text}, {text})"}, {gives: Int, form: "ascii({text})"},
	{gives: Int, form: "octet_length({text})"},
	{gives: Int, form: "extract({field} FROM {date})::int"}, {gives: Int, form: "({date} - {date})"},
	{gives: Int, form: "cardinality({int[]})"}, {gives: Int, form: "array_length({text[]}, 1)"},
	{gives: Int, form: "array_position({int[]}, {int})"}, {gives: Int, form: "({int[]})[{small}]"},
	{gives: Int, form: "jsonb_array_length(jsonb_build_array({show}) || {jsonb})"},
	{gives: Int, form: "{bool}::int"}, {gives: Int, form: "{numeric}::int"}, {gives: Int, form: "floor({float8})::int"},
	{gives: Int, form: "num_nonnulls({show}, {show})"},
	{gives: Int, form: "({int} / {int})", fails: true}, {gives: Int, form: "({int} % {int})", fails: true},
	{gives: Int, form: "({int} * {int} * 1000000)", fails: true}, {gives: Int, form: "{text}::int", fails: true},
	{gives: Bigint, form: "{int}::bigint"}, {gives: Bigint, form: "({bigint} + {int})"}, {gives: Bigint, form: "({bigint} - {bigint})"},
	{gives: Bigint, form: "({bigint} * {small})"}, {gives: Bigint, form: "abs({bigint})"},
	{gives: Bigint, form: "({bigint} % 4)"}, {gives: Bigint, form: "({bigint} << 2)"},
	{gives: Bigint, form: "({bigint} / {int})", fails: true},

	// Numbers with a fraction.
	{gives: Numeric, form: "({numeric} + {numeric})"}, {gives: Numeric, form: "({numeric} - {int})"},
	{gives: Numeric, form: "({numeric} * {small})"}, {gives: Numeric, form: "({numeric} * {numeric})"},
	{gives: Numeric, form: "({numeric} / 4)"}, {gives: Numeric, form: "({numeric} / nullif({numeric}, 0))"},
	{gives: Numeric, form: "round({numeric}, 1)"}, {gives: Numeric, form: "trunc({numeric})"}, {gives: Numeric, form: "ceil({numeric})"},
	{gives: Numeric, form: "{int}::numeric"}, {gives: Numeric, form: "{bigint}::numeric(12,3)"}, {gives: Numeric, form: "abs({numeric})"},
	{gives: Numeric, form: "mod({numeric}, 1.5)"}, {gives: Numeric, form: "extract({clock} FROM {timestamp})"},
	{gives: Numeric, form: "extract(epoch FROM {timestamp} - {timestamp})"},
	{gives: Numeric, form: "({numeric} / {numeric})", fails: true}, {gives: Numeric, form: "sqrt({numeric})", fails: true},
	{gives: Float, form: "({float8} + {float8})"}, {gives: Float, form: "({float8} - {int})"}, {gives: Float, form: "({float8} * 2)"},
	{gives: Float, form: "{int}::float8"}, {gives: Float, form: "floor({float8})"}, {gives: Float, form: "abs({float8})"},

	// Text.
	{gives: Text, form: "lower({text})"}, {gives: Text, form: "upper({text})"}, {gives: Text, form: "({text} || {text})"},
	{gives: Text, form: "({text} || {int})"}, {gives: Text, form: "substr({text}, {int}, {small})"}, {gives: Text, form: "left({text}, {int})"},
	{gives: Text, form: "right({text}, {small})"}, {gives: Text, form: "repeat({text}, {small})"}, {gives: Text, form: "replace({text}, 'a', {text})"},
	{gives: Text, form: "trim({text})"}, {gives: Text, form: "lpad({text}, 3, 'xy')"}, {gives: Text, form: "reverse({text})"},
	{gives: Text, form: "split_part({text}, 'a', 1)"}, {gives: Text, form: "concat({show}, {show})"},
	{gives: Text, form: "concat_ws('-', {show}, {show})"}, {gives: Text, form: "{shown:show}::text"},
	{gives: Text, form: "to_char({date}, 'YYYY-MM-DD')"}, {gives: Text, form: "to_char({timestamp}, 'Mon DD HH24:MI')"},
	{gives: Text, form: "to_char({int}, '999')"}, {gives: Text, form: "md5({text})"}, {gives: Text, form: "translate({text}, 'ab', 'x')"},
	{gives: Text, form: "format('%s/%s', {show}, {show})"}, {gives: Text, form: "quote_literal({text})"},
	{gives: Text, form: "({jsonb} ->> {key})"}, {gives: Text, form: "jsonb_typeof({jsonb})"}, {gives: Text, form: "({jsonb} #>> '{a,b}')"},
	{gives: Text, form: "array_to_string({text[]}, ',')"}, {gives: Text, form: "array_to_string({int[]}, ',', '-')"},
	{gives: Text, form: "({text[]})[{int}]"}, {gives: Text, form: "regexp_replace({text}, {regex}, '<\\&>')"},
	{gives: Text, form: "initcap({text})"}, {gives: Text, form: "overlay({text} placing 'z' from 2 for 1)"},
	{gives: Text, form: "substring({text} from {regex})"},

	// Time.
	{gives: Date, form: "({date} + {int} % 40)"}, {gives: Date, form: "({date} - 1)"}, {gives: Date, form: "{timestamp}::date"},
	{gives: Date, form: "date_trunc({unit}, {timestamp})::date"}, {gives: Date, form: "make_date(2024, 1, 1 + abs({int} % 28))"},
	{gives: Timestamp, form: "{date}::timestamp"}, {gives: Timestamp, form: "({timestamp} + {step})"}, {gives: Timestamp, form: "({date} + {step})"},
	{gives: Timestamp, form: "date_trunc({unit}, {timestamp})"}, {gives: Timestamp, form: "({date} + time '10:00')"},
	{gives: Timestamp, form: "date_bin('15 minutes', {timestamp}, '2024-01-01')"},
	{gives: Timestamp, form: "({timestamp} - ({timestamp} - {timestamp}))"},

	// JSON and arrays.
	{gives: Jsonb, form: "({jsonb} -> {key})"}, {gives: Jsonb, form: "({jsonb} -> {small})"}, {gives: Jsonb, form: "to_jsonb({show})"},
	{gives: Jsonb, form: "jsonb_build_object('k', {show}, 'l', {jsonb})"}, {gives: Jsonb, form: "jsonb_build_array({show}, {show})"},
	{gives: Jsonb, form: "jsonb_strip_nulls({jsonb})"}, {gives: Jsonb, form: "(jsonb_build_object('a', {show}) || jsonb_build_object({key}, {show}))"},
	{gives: Jsonb, form: "({jsonb} - {key})", fails: true},
	{gives: Ints, form: "ARRAY[{int}, {int}]"}, {gives: Ints, form: "({int[]} || {int})"}, {gives: Ints, form: "({int[]} || {int[]})"},
	{gives: Ints, form: "array_remove({int[]}, {int})"}, {gives: Ints, form: "({int[]})[1:2]"},
	{gives: Texts, form: "ARRAY[{text}, {text}]"}, {gives: Texts, form: "string_to_array({text}, 'a')"},
	{gives: Texts, form: "array_append({text[]}, {text})"}, {gives: Texts, form: "array_prepend({text}, {text[]})"},
	{gives: Ints, form: "array_cat({int[]}, {int[]})"}, {gives: Ints, form: "array_positions({int[]}, {int})"},
	{gives: Ints, form: "array_replace({int[]}, {int}, {int})"}, {gives: Ints, form: "({int[]})[{small}:{small}]"},
	{gives: Jsonb, form: "jsonb_set(jsonb_build_object('a', {show}), '{a,b}', {jsonb})"}, {gives: Jsonb, form: "to_jsonb({int[]})"},
	{gives: Jsonb, form: "(jsonb_build_object('a', jsonb_build_object('b', {show})) #> '{a,b}')"}, {gives: Jsonb, form: "to_jsonb(row({int}, {text}))"},
	{gives: Bool, form: "({jsonb} <@ {jsonb})"}, {gives: Bool, form: "({jsonb} ?| ARRAY['a', 'k'])"}, {gives: Bool, form: "({text[]} <@ {text[]})"},
	{gives: Bool, form: "({int[]} < {int[]})"}, {gives: Bool, form: "({jsonb} < {jsonb})"}, {gives: Texts, form: "regexp_match({text}, {regex})"},
}

// aggregates are the aggregate functions. Lists are in the order of what they list.
var aggregates = []rule{
	{gives: Bigint, form: "count(*)"}, {gives: Bigint, form: "count(*)"}, {gives: Bigint, form: "count({T})"},
	{gives: Bigint, form: "count(DISTINCT {T})"}, {gives: Bigint, form: "sum({int})"}, {gives: Bigint, form: "sum(DISTINCT {int})"},
	{gives: Bigint, form: "max({bigint})"},
	{gives: Int, form: "count({T})::int"}, {gives: Int, form: "sum({int})::int"}, {gives: Int, form: "bit_or({int})"},
	{gives: Int, form: "bit_and({int})"}, {gives: Int, form: "bit_xor({int})"},
	{gives: Numeric, form: "sum({bigint})"}, {gives: Numeric, form: "sum({numeric})"}, {gives: Numeric, form: "avg({int})"},
	{gives: Numeric, form: "avg({numeric})"}, {gives: Numeric, form: "avg(DISTINCT {bigint})"}, {gives: Numeric, form: "sum(DISTINCT {numeric})"},
	{gives: Numeric, form: "stddev({int})"}, {gives: Numeric, form: "var_pop({bigint})"}, {gives: Numeric, form: "variance({numeric})"},
	{gives: Float, form: "sum({float8})"}, {gives: Float, form: "avg({exact})"}, {gives: Float, form: "sum({exact})"},
	{gives: Bool, form: "bool_and({bool})"}, {gives: Bool, form: "bool_or({bool})"}, {gives: Bool, form: "every({bool})"},
	{gives: Bool, form: "(count(*) {cmp} {small})"}, {gives: Bool, form: "(count(DISTINCT {T}) > 1)"},
	{gives: Bool, form: "(max({T}) {cmp} min({T}))", of: ordered},
	{form: "min({T})", of: ordered}, {form: "max({T})", of: ordered}, {form: "min({T})", of: ordered}, {form: "max({T})", of: ordered},
	{form: "(array_agg({a:T} ORDER BY {a}))[1]", of: shown},
	{form: "(array_agg(DISTINCT {T}))[2]", of: shown},
	{form: "percentile_disc(0.5) WITHIN GROUP (ORDER BY {T})", of: shown},
	{form: "mode() WITHIN GROUP (ORDER BY {T})", of: shown},
	{gives: Float, form: "percentile_cont(0.5) WITHIN GROUP (ORDER BY {float8})"},
	{gives: Text, form: "string_agg({a:text}, ',' ORDER BY {a})"}, {gives: Text, form: "string_agg({a:text}, ';' ORDER BY {a} DESC NULLS LAST)"},
	{gives: Text, form: "string_agg(DISTINCT {text}, '')"},
	{gives: Text, form: "string_agg({a:text}, ',' ORDER BY {b:int}, {a})"},
	{gives: Ints, form: "array_agg({a:int} ORDER BY {a})"}, {gives: Ints, form: "array_agg(DISTINCT {int})"},
	{gives: Ints, form: "array_agg({a:int} ORDER BY {b:date} DESC, {a})"},
	{gives: Texts, form: "array_agg({a:text} ORDER BY {a} NULLS FIRST)"},
	{gives: Jsonb, form: "jsonb_agg({a:show} ORDER BY {a})"}, {gives: Jsonb, form: "jsonb_agg({a:jsonb} ORDER BY {a})"},
	{gives: Jsonb, form: "jsonb_object_agg(coalesce({text}, 'n'), true)"},
	{gives: Bigint, form: "rank(1) WITHIN GROUP (ORDER BY {int})"}, {gives: Bigint, form: "dense_rank(1) WITHIN GROUP (ORDER BY {int} DESC)"},
	{gives: Float, form: "percent_rank(1) WITHIN GROUP (ORDER BY {int})"}, {gives: Float, form: "cume_dist(1) WITHIN GROUP (ORDER BY {int})"},
	{gives: Jsonb, form: "jsonb_agg(jsonb_build_array({a:int}, {b:text}) ORDER BY {a}, {b})"},
	{gives: Ints, form: "array_agg({a:int} + 1 ORDER BY {b:text} NULLS FIRST, {a} DESC)"},
	{gives: Jsonb, form: "(to_jsonb(array_agg({a:int} ORDER BY {a})))"},
	{gives: Int, form: "(cardinality(array_agg({T})))", of: shown},
}

// windows are the window functions; {over} is a window in a total order, {peers} one in which rows may tie, {frame}
// one with a frame in which rows may tie, {near} one with a frame of the rows whose order is near.
var windows = []rule{
	{gives: Bigint, form: "row_number() OVER {over}"}, {gives: Bigint, form: "rank() OVER {peers}"},
	{gives: Bigint, form: "dense_rank() OVER {peers}"}, {gives: Float, form: "percent_rank() OVER {peers}"},
	{gives: Float, form: "cume_dist() OVER {peers}"}, {gives: Int, form: "ntile(3) OVER {over}"},
	{form: "lag({T}) OVER {over}"}, {form: "lead({T}, 2, {T}) OVER {over}"}, {form: "first_value({T}) OVER {over}"},
	{form: "last_value({T}) OVER {rows}"}, {form: "nth_value({T}, 2) OVER {rows}"},
	{gives: Bigint, form: "count(*) OVER {frame}"}, {gives: Bigint, form: "sum({int}) OVER {frame}"},
	{gives: Bigint, form: "sum({int}) OVER {rows}"}, {gives: Numeric, form: "sum({numeric}) OVER {frame}"},
	{gives: Numeric, form: "avg({int}) OVER {rows}"}, {form: "min({T}) OVER {frame}", of: ordered},
	{form: "max({T}) OVER {rows}", of: ordered}, {gives: Text, form: "string_agg({text}, ',') OVER {over}"},
	{gives: Bigint, form: "count(*) FILTER (WHERE {bool}) OVER {frame}"}, {gives: Bigint, form: "count(*) OVER {near}"},
	{gives: Bigint, form: "sum({int}) OVER {near}"}, {gives: Float, form: "avg({exact}) OVER {near}"},
	{form: "max({T}) OVER {near}", of: []Type{Int, Bigint, Text, Date}}, {form: "first_value({T}) OVER {rows}"},
	{form: "lag({T}, {int}) OVER {over}"}, {gives: Bool, form: "bool_and({bool}) OVER {near}"},
	{gives: Ints, form: "array_agg({int}) OVER {rows}"}, {gives: Float, form: "stddev({int}) OVER {rows}"},
}
