package ast

// TypeName is a type as it was written, spelling normalised: multi-word and keyword names arrive as
// the catalog's name (int → int4, double precision → float8, character varying → varchar, timestamp
// with time zone → timestamptz), STRING as text, other names as they are.
type TypeName struct {
	At
	Name Name     // pg_catalog. is kept when it was written
	Mods []string // typmods as typed: numeric(10,2) → "10", "2"
	// Fields is the restriction of an interval: "YEAR TO MONTH", "SECOND", …; "" otherwise.
	Fields string
	Dims   int  // 0, or the number of [] behind the name
	Setof  bool // SETOF t
}
