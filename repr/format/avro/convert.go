package avro

import (
	"fmt"
	"math"

	"millrace/repr"
	"millrace/repr/format/logical"
)

// A convert makes a value of another kind, when a writer's type is not the column's but a value of it may fit.
type convert func(d repr.Datum) (repr.Datum, *repr.Error)

// conversion is how values of one kind fit a column of another; nil when they do not.
func conversion(from, to repr.Kind) convert {
	switch {
	case isInt(from) && isInt(to):
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return narrow(d.Int(), to) }
	case isInt(from) && to == repr.KindNumeric:
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return repr.Numeric(d.Int(), 0), nil }
	case isInt(from) && to == repr.KindFloat8:
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return repr.Float8(float64(d.Int())), nil }
	case from == repr.KindFloat4 && to == repr.KindFloat8:
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return repr.Float8(d.Float()), nil }
	case from == repr.KindNumeric && isInt(to):
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return wholeNumber(d, to) }
	case isText(from) && isText(to),
		from == repr.KindTimestamp && to == repr.KindTimestampTZ:
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return d.As(to), nil }
	case isText(from) && to == repr.KindBytea:
		return func(d repr.Datum) (repr.Datum, *repr.Error) { return repr.Bytea(d.Bytes()), nil }
	case from == repr.KindDate && to == repr.KindTimestamp:
		return dateToTimestamp
	}
	return nil
}

func isInt(k repr.Kind) bool {
	return k == repr.KindInt2 || k == repr.KindInt4 || k == repr.KindInt8
}

func isText(k repr.Kind) bool { return k == repr.KindText || k == repr.KindVarchar }

func narrow(v int64, to repr.Kind) (repr.Datum, *repr.Error) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	switch to {
	case repr.KindInt2:
		lo, hi = math.MinInt16, math.MaxInt16
	case repr.KindInt4:
		lo, hi = math.MinInt32, math.MaxInt32
	default: // every long fits the others
	}
	if v < lo || v > hi {
		return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, fmt.Sprintf("value %d is out of range for type %s", v, to))
	}
	return repr.IntOf(to, v), nil
}

func wholeNumber(d repr.Datum, to repr.Kind) (repr.Datum, *repr.Error) {
	coef, scale, ok := d.Canonical().NumericSmall()
	if !ok || scale != 0 {
		return repr.Null, repr.NewError(repr.CodeNumericOutOfRange,
			fmt.Sprintf("value %s does not fit type %s", repr.AppendNumericText(nil, d), to))
	}
	return narrow(coef, to)
}

func dateToTimestamp(d repr.Datum) (repr.Datum, *repr.Error) {
	switch d.Int() {
	case repr.PosInfinity32:
		return repr.Timestamp(repr.PosInfinity64), nil
	case repr.NegInfinity32:
		return repr.Timestamp(repr.NegInfinity64), nil
	}
	if d.Int() >= logical.MaxStamp/repr.MicrosPerDay {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "date out of range for timestamp")
	}
	return repr.Timestamp(d.Int() * repr.MicrosPerDay), nil
}
