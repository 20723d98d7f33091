package generator

import "millrace/repr"

// Table is one of the collections that a generator fills.
type Table struct {
	Name    string
	Columns repr.RowDesc
	Key     []int // the columns that no two rows of the table share; empty when there are none
}

// Change is what happens to one row of a table. Without an Old it is inserted, without a New it is deleted, and with
// both, whose keys are equal, it is updated. Rows are as the table's types want them: padded, rounded and cut.
type Change struct {
	Table    int // in the generator's list of tables
	Old, New []repr.Datum
}

// Int4, Int8, Text, Date and Timestamp are the plain types of a generator's columns.
var (
	Int4      = repr.TypeOf(repr.KindInt4)
	Int8      = repr.TypeOf(repr.KindInt8)
	Text      = repr.TypeOf(repr.KindText)
	Date      = repr.TypeOf(repr.KindDate)
	Timestamp = repr.TypeOf(repr.KindTimestamp)
)

// Char is char(n).
func Char(n int32) repr.Type { return repr.Type{Kind: repr.KindBpchar, Mod: n + 4} }

// Varchar is varchar(n).
func Varchar(n int32) repr.Type { return repr.Type{Kind: repr.KindVarchar, Mod: n + 4} }

// Decimal is numeric(precision, scale).
func Decimal(precision, scale int32) repr.Type {
	return repr.Type{Kind: repr.KindNumeric, Mod: (precision<<16 | scale) + 4}
}

// Column is a column that is never NULL.
func Column(name string, t repr.Type) repr.Column {
	return repr.Column{Name: name, Type: t, NotNull: true}
}
