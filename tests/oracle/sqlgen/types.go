package sqlgen

import (
	"fmt"
	"math/rand/v2"
)

// Type is a type as SQL names it.
type Type string

// The types that columns and expressions have.
const (
	Int       Type = "int"
	Bigint    Type = "bigint"
	Numeric   Type = "numeric"
	Text      Type = "text"
	Bool      Type = "bool"
	Date      Type = "date"
	Timestamp Type = "timestamp"
	Float     Type = "float8"
	Jsonb     Type = "jsonb"
	Ints      Type = "int[]"
	Texts     Type = "text[]"
)

// weighted are the types, each as often as it is to come.
var weighted = []Type{
	Int, Int, Int, Int, Int, Text, Text, Text, Text, Bigint, Bigint, Numeric, Numeric, Bool, Bool, Date, Date,
	Timestamp, Float, Jsonb, Ints, Texts,
}

// shown are the types whose values have one text: numeric is not among them, since equal values may print differently.
var shown = []Type{Int, Int, Text, Text, Bigint, Bool, Date, Timestamp}

// ordered are the types that have min and max.
var ordered = []Type{Int, Int, Bigint, Numeric, Text, Date, Timestamp, Float, Ints}

// declared is how a column of a type is declared.
var declared = map[Type]string{Numeric: "numeric(8,2)"}

func declaration(t Type) string {
	if d := declared[t]; d != "" {
		return d
	}
	return string(t)
}

// plainest is the constant that an expression is replaced by when a fault is made smaller.
var plainest = map[Type]string{
	Int: "1", Bigint: "1::bigint", Numeric: "1.00", Text: "'a'", Bool: "true", Date: "DATE '2024-01-01'",
	Timestamp: "TIMESTAMP '2024-01-01 00:00:00'", Float: "1::float8", Jsonb: "'1'::jsonb", Ints: "'{1}'::int[]",
	Texts: "'{a}'::text[]",
}

var (
	someTexts = []string{"", "a", "b", "c", "ab", "A", "a b", "ba", "é", "7", "x%_", "b,a"}
	someJSON  = []string{
		`null`, `1`, `"a"`, `true`, `[]`, `{}`, `[1, 2, null]`, `["a", {"a": 1}]`, `{"a": 1}`, `{"a": "b", "b": [1]}`,
		`{"a": null, "b": {"c": false}}`, `{"b": 2, "a": [1, 2]}`,
	}
	someInts  = []string{"{}", "{1}", "{1,2}", "{2,1,2}", "{NULL}", "{0,NULL,3}"}
	someWords = []string{"{}", "{a}", "{a,b}", "{b,a,b}", "{NULL,a}", `{"a b",""}`}
	someDates = []string{"2023-12-31", "2024-01-01", "2024-01-02", "2024-02-29", "2024-03-31", "2025-01-01"}
	someTimes = []string{"00:00:00", "00:00:01", "12:30:00", "23:59:59.5"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// value is a random constant of a type, as it stands in VALUES of an INSERT; one in eight is NULL.
func value(r *rand.Rand, t Type) string {
	if r.IntN(8) == 0 {
		return "NULL"
	}
	return quoteUnlessNumber(t, plain(r, t))
}

// literal is a random constant of a type that says of which type it is.
func literal(r *rand.Rand, t Type) string {
	if r.IntN(12) == 0 {
		return "NULL::" + string(t)
	}
	s := plain(r, t)
	switch t {
	case Int, Numeric:
		return signed(s)
	case Bigint, Float:
		return signed(s) + "::" + string(t)
	case Bool:
		return s
	case Text:
		if r.IntN(4) == 0 {
			return "'" + s + "'" // of unknown type, as users write it
		}
		return "'" + s + "'::text"
	default:
		return "'" + s + "'::" + string(t)
	}
}

// signed puts a negative number into parentheses, so that it may stand behind an operator.
func signed(s string) string {
	if s[0] == '-' {
		return "(" + s + ")"
	}
	return s
}

func quoteUnlessNumber(t Type, s string) string {
	switch t {
	case Int, Bigint, Numeric, Float, Bool:
		return s
	default:
		return "'" + s + "'"
	}
}

// plain is a random constant without quotes. There are few of each type, so that joins meet and groups fill.
func plain(r *rand.Rand, t Type) string {
	switch t {
	case Int, Bigint:
		return fmt.Sprint(r.IntN(9) - 3)
	case Numeric:
		return fmt.Sprintf("%d.%s", r.IntN(7)-2, pick(r, []string{"00", "50", "25", "10"}))
	case Float:
		return fmt.Sprintf("%d.%s", r.IntN(7)-2, pick(r, []string{"0", "5", "25"}))
	case Bool:
		return pick(r, []string{"true", "false"})
	case Date:
		return pick(r, someDates)
	case Timestamp:
		return pick(r, someDates) + " " + pick(r, someTimes)
	case Jsonb:
		return pick(r, someJSON)
	case Ints:
		return pick(r, someInts)
	case Texts:
		return pick(r, someWords)
	default:
		return pick(r, someTexts)
	}
}
