package parse

// reserved are the words that can't be a column, table or function name without quotes: PostgreSQL's
// fully reserved key words.
var reserved = wordSet(`all analyse analyze and any array as asc asymmetric both case cast check collate
	column constraint create current_catalog current_date current_role current_time current_timestamp
	current_user default deferrable desc distinct do else end except false fetch for foreign from grant
	group having in initially intersect into lateral leading limit localtime localtimestamp not null
	offset on only or order placing primary references returning select session_user some symmetric
	table then to trailing true union unique user using variadic when where window with`)

// reservedBinary are the words that PostgreSQL allows as function and type names but not as columns.
var reservedBinary = wordSet(`authorization binary collation concurrently cross current_schema freeze
	full ilike inner is isnull join left like natural notnull outer overlaps right similar tablesample
	verbose`)

// rawWords are the words that go into the skeleton as they are, wherever they stand, with no operand
// ended by them.
var rawWords = wordSet(`select from where group having order limit offset union intersect except distinct
	on using join inner cross natural full left right outer lateral and or not in like ilike similar to
	case when then else asc desc window with array for symmetric asymmetric only all table`)

// keywordFuncs are the functions that are called by a keyword alone; the value says whether a precision
// may follow.
var keywordFuncs = map[string]bool{
	"current_date": false, "current_time": true, "current_timestamp": true, "localtime": true,
	"localtimestamp": true, "current_user": false, "session_user": false, "user": false,
	"current_role": false, "current_catalog": false, "current_schema": false,
}

// typeStarters are the words that may begin a type of several words, or with parentheses, before a
// literal: timestamp with time zone '…', numeric(3, 1) '…'.
var typeStarters = wordSet(`double character national nchar char time timestamp timestamptz timetz bit
	varchar varbit bpchar numeric decimal dec float`)

// operandStarters are reserved words with which an operand can begin.
var operandStarters = wordSet(`case array not null true false cast exists row current_catalog current_date
	current_role current_time current_timestamp current_user default localtime localtimestamp
	session_user user any some all select`)

// wordSet makes a set of the words in a text.
func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	start := -1
	for i := 0; i <= len(text); i++ {
		if i < len(text) && !isSpace(text[i]) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			set[text[start:i]] = true
			start = -1
		}
	}
	return set
}

// isColumnName says whether the token can name a column or table.
func isColumnName(t token) bool {
	return t.kind == tokQuoted || (t.kind == tokWord && !reserved[t.text] && !reservedBinary[t.text])
}

// startsQuery says whether a token opens a query expression.
func startsQuery(t token) bool {
	return t.isWord("select") || t.isWord("with") || t.isWord("values") || t.isWord("table")
}
