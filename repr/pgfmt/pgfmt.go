package pgfmt

import (
	"strings"
	"time"

	"millrace/repr"
)

// IntervalStyle is the form in which intervals print.
type IntervalStyle uint8

// The interval styles.
const (
	IntervalPostgres IntervalStyle = iota
	IntervalISO8601
	IntervalSQLStandard
	IntervalVerbose
)

// DateOrder is how 1/2/3 is read as a date.
type DateOrder uint8

// The orders of day, month and year.
const (
	OrderMDY DateOrder = iota
	OrderDMY
	OrderYMD
)

// Options are the settings that text forms depend on. The zero value, or nil, is UTC, ISO, MDY, postgres.
type Options struct {
	TimeZone      *time.Location // nil: UTC
	DateOrder     DateOrder
	IntervalStyle IntervalStyle
	// FloatDigits is extra_float_digits minus 1, so that the zero value is PostgreSQL's default.
	FloatDigits int
	ByteaEscape bool // bytea_output = escape
	// Now is what 'now', 'today', 'tomorrow' and 'yesterday' mean; the zero time refuses them.
	Now time.Time
	// RegName and RegOID translate the reg* types; nil ones know the types alone.
	RegName func(k repr.Kind, oid uint32) (string, bool)
	RegOID  func(k repr.Kind, name string) (uint32, bool)
}

var defaults = &Options{}

func (o *Options) orDefault() *Options {
	if o == nil {
		return defaults
	}
	return o
}

func (o *Options) location() *time.Location {
	if o.TimeZone == nil {
		return time.UTC
	}
	return o.TimeZone
}

// AppendText appends the text form of a value. NULL appends nothing.
func AppendText(dst []byte, t repr.Type, d repr.Datum, opt *Options) []byte {
	opt = opt.orDefault()
	switch d.Kind() {
	case repr.KindNull, repr.KindVoid:
		return dst
	case repr.KindBool:
		return appendBool(dst, d.Bool())
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		return appendInt(dst, d.Int())
	case repr.KindOID:
		return appendInt(dst, d.Int())
	case repr.KindRegClass, repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace:
		return appendReg(dst, d, opt)
	case repr.KindFloat4:
		return appendFloat(dst, d.Float(), 32, opt.FloatDigits)
	case repr.KindFloat8:
		return appendFloat(dst, d.Float(), 64, opt.FloatDigits)
	case repr.KindNumeric:
		return repr.AppendNumericText(dst, d)
	case repr.KindText, repr.KindVarchar, repr.KindBpchar, repr.KindName, repr.KindChar, repr.KindJSON, repr.KindJSONB:
		return append(dst, d.Bytes()...)
	case repr.KindBytea:
		return appendBytea(dst, d.Bytes(), opt.ByteaEscape)
	case repr.KindUUID:
		return appendUUID(dst, d.Bytes())
	case repr.KindDate:
		return appendDate(dst, d.Int())
	case repr.KindTime:
		return appendTime(dst, d.Int())
	case repr.KindTimestamp:
		return appendTimestamp(dst, d.Int())
	case repr.KindTimestampTZ:
		return appendTimestampTZ(dst, d.Int(), opt.location())
	case repr.KindInterval:
		return appendInterval(dst, d, opt.IntervalStyle)
	case repr.KindArray:
		return appendArray(dst, t, d, opt)
	case repr.KindRecord:
		return appendRecord(dst, d, opt)
	}
	return dst
}

// ParseText reads the text form of a value of type t and fits it to the type's modifier.
func ParseText(t repr.Type, s string, opt *Options) (repr.Datum, *repr.Error) {
	opt = opt.orDefault()
	d, err := parseKind(t, s, opt)
	if err != nil || !t.HasMod() {
		return d, err
	}
	return Coerce(t, d, false)
}

func parseKind(t repr.Type, s string, opt *Options) (repr.Datum, *repr.Error) {
	switch t.Kind {
	case repr.KindNull, repr.KindText, repr.KindVarchar, repr.KindBpchar:
		return repr.Text(s).As(textKind(t.Kind)), nil
	case repr.KindBool:
		return parseBool(s)
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		return parseInt(t.Kind, s)
	case repr.KindOID:
		return parseOID(t.Kind, s)
	case repr.KindRegClass, repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace:
		return parseReg(t.Kind, s, opt)
	case repr.KindFloat4, repr.KindFloat8:
		return parseFloat(t.Kind, s)
	case repr.KindNumeric:
		return ParseNumeric(s)
	case repr.KindName:
		return repr.Text(TruncateName(s)).As(repr.KindName), nil
	case repr.KindChar:
		return parseChar(s), nil
	case repr.KindBytea:
		return parseBytea(s)
	case repr.KindJSON, repr.KindJSONB:
		return parseJSON(t.Kind, []byte(s))
	case repr.KindUUID:
		return parseUUID(s)
	case repr.KindDate:
		return parseDate(s, opt)
	case repr.KindTime:
		return parseTime(s, opt)
	case repr.KindTimestamp, repr.KindTimestampTZ:
		return parseTimestamp(t.Kind, s, opt)
	case repr.KindInterval:
		return parseInterval(s, t)
	case repr.KindArray:
		return parseArray(t, s, opt)
	case repr.KindRecord:
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "input of anonymous composite types is not implemented")
	case repr.KindVoid:
		return repr.IntOf(repr.KindVoid, 0), nil
	}
	return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "cannot read values of type "+t.String())
}

// textKind maps an untyped literal to text.
func textKind(k repr.Kind) repr.Kind {
	if k == repr.KindNull {
		return repr.KindText
	}
	return k
}

func invalidSyntax(k repr.Kind, s string) *repr.Error {
	return repr.NewError(repr.CodeInvalidText, "invalid input syntax for type "+k.String()+`: "`+s+`"`)
}

const spaces = " \t\n\v\f\r"

func trim(s string) string { return strings.Trim(s, spaces) }
