package connect

import (
	"fmt"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// A convert makes a value of a column's type of one that a schema describes.
type convert func(d repr.Datum) (repr.Datum, *repr.Error)

// conversion is how values of one type fit a column of another; ok is false when they do not.
func conversion(from, to repr.Type, m *Modes) (c convert, ok bool) {
	switch {
	case from.Kind == to.Kind && !to.HasMod():
		return nil, true
	case from.Kind == to.Kind, from.Kind == repr.KindTimestamp && to.Kind == repr.KindTimestampTZ, from.Kind == repr.KindJSONB && to.Kind == repr.KindJSON:
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return fit(to, d.As(to.Kind)) }, true
	case isText(from.Kind):
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return m.text(to, d.Bytes(), false) }, true
	case isText(to.Kind), isNumber(from.Kind) && isNumber(to.Kind), from.Kind == repr.KindInt4 && to.Kind == repr.KindBool,
		from.Kind == repr.KindBool && isNumber(to.Kind), from.Kind == repr.KindDate && to.Kind == repr.KindTimestamp,
		from.Kind == repr.KindTime && to.Kind == repr.KindInterval:
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return byText(from, to, d) }, true
	}
	return nil, false
}

func fit(t repr.Type, d repr.Datum) (repr.Datum, *repr.Error) {
	if !t.HasMod() {
		return d, nil
	}
	return pgfmt.Coerce(t, d, false)
}

// byText converts through the text of a value.
func byText(from, to repr.Type, d repr.Datum) (repr.Datum, *repr.Error) {
	if from.Kind == repr.KindBool && isNumber(to.Kind) {
		n := int64(0)
		if d.Bool() {
			n = 1
		}
		d, from = repr.Int8(n), repr.TypeOf(repr.KindInt8)
	}
	text := pgfmt.AppendText(nil, from, d, nil)
	return pgfmt.ParseText(to, string(text), nil)
}

func isNumber(k repr.Kind) bool {
	switch k {
	case repr.KindInt2, repr.KindInt4, repr.KindInt8, repr.KindFloat4, repr.KindFloat8, repr.KindNumeric:
		return true
	default:
		return false
	}
}

func mismatch(f *Schema, to repr.Type) *repr.Error {
	name := f.Type
	if f.Name != "" {
		name += " (" + f.Name + ")"
	}
	return repr.NewError(repr.CodeDatatypeMismatch, fmt.Sprintf("the message's schema has %s where the column is %s", name, to)).
		WithHint("Drop the source and create it again to read the column with its new type.")
}
