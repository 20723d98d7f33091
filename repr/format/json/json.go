package json

import (
	"errors"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
)

// Decoder decodes a message to one column, data jsonb.
type Decoder struct{ norm []byte }

// Columns are what a message becomes.
func (*Decoder) Columns() repr.RowDesc {
	return repr.RowDesc{{Name: "data", Type: repr.TypeOf(repr.KindJSONB), NotNull: true}}
}

// Append brings the message into normal form and packs it.
func (d *Decoder) Append(dst, message []byte) ([]byte, error) {
	norm, err := jsonb.Normalize(d.norm[:0], message)
	if err != nil {
		return dst, Error(err)
	}
	d.norm = norm
	return repr.Append(dst, repr.JSONB(norm)), nil
}

// Error is an error of package jsonb as a user sees it.
func Error(err error) *repr.Error {
	var e *jsonb.Error
	if errors.As(err, &e) {
		return &repr.Error{Code: e.Code, Message: e.Message, Detail: e.Detail}
	}
	return repr.NewError(repr.CodeInvalidText, err.Error())
}

// Encoder writes rows as objects.
type Encoder struct {
	types []repr.Type
	heads [][]byte // what stands before each value: a brace or comma, the name, a colon
}

// NewEncoder makes an encoder for rows of a shape.
func NewEncoder(cols repr.RowDesc) *Encoder {
	e := &Encoder{types: cols.Types()}
	for i := range cols {
		head := []byte{','}
		if i == 0 {
			head[0] = '{'
		}
		e.heads = append(e.heads, append(jsonb.AppendString(head, cols[i].Name), ':'))
	}
	return e
}

// Append appends the object for a packed row.
func (e *Encoder) Append(dst, row []byte) ([]byte, error) {
	if len(e.types) == 0 {
		return append(dst, "{}"...), nil
	}
	for i, t := range e.types {
		var d repr.Datum
		d, row = repr.Decode(row)
		dst = AppendValue(append(dst, e.heads[i]...), t, d)
	}
	return append(dst, '}'), nil
}

// AppendValue appends one value.
func AppendValue(dst []byte, t repr.Type, d repr.Datum) []byte {
	switch d.Kind() {
	case repr.KindNull:
		return append(dst, "null"...)
	case repr.KindBool:
		if d.Bool() {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case repr.KindInt2, repr.KindInt4, repr.KindInt8, repr.KindOID:
		return pgfmt.AppendText(dst, t, d, nil)
	case repr.KindFloat4, repr.KindFloat8, repr.KindNumeric:
		return appendNumber(dst, t, d)
	case repr.KindJSON, repr.KindJSONB:
		return append(dst, d.Bytes()...)
	case repr.KindText, repr.KindVarchar, repr.KindBpchar, repr.KindName, repr.KindChar:
		return jsonb.AppendString(dst, d.Str())
	case repr.KindTimestamp, repr.KindTimestampTZ:
		return appendTimestamp(dst, t, d)
	case repr.KindArray:
		return appendList(dst, repr.TypeOf(t.Elem), d)
	case repr.KindRecord:
		return appendList(dst, repr.Type{}, d)
	default:
		return jsonb.AppendString(dst, string(pgfmt.AppendText(nil, t, d, nil)))
	}
}

// appendNumber puts NaN and the infinities in quotes.
func appendNumber(dst []byte, t repr.Type, d repr.Datum) []byte {
	from := len(dst)
	dst = pgfmt.AppendText(dst, t, d, nil)
	text := dst[from:]
	if c := text[len(text)-1]; c >= '0' && c <= '9' {
		return dst
	}
	return jsonb.AppendString(dst[:from], string(text))
}

// appendTimestamp writes ISO 8601: a T between date and time, the zone with minutes.
func appendTimestamp(dst []byte, t repr.Type, d repr.Datum) []byte {
	text := pgfmt.AppendText(nil, t, d, nil)
	for i, c := range text {
		if c == ' ' {
			text[i] = 'T'
			break
		}
	}
	infinite := d.Int() == repr.PosInfinity64 || d.Int() == repr.NegInfinity64
	if d.Kind() == repr.KindTimestampTZ && !infinite {
		text = withZoneMinutes(text)
	}
	return jsonb.AppendString(dst, string(text))
}

// withZoneMinutes turns +00 into +00:00, before BC as well.
func withZoneMinutes(text []byte) []byte {
	for i := len(text) - 1; i > 10; i-- {
		if text[i] != '+' && text[i] != '-' {
			continue
		}
		if i+3 == len(text) || text[i+3] == ' ' {
			tail := append([]byte(":00"), text[i+3:]...)
			return append(text[:i+3:i+3], tail...)
		}
		return text
	}
	return text
}

// appendList writes the elements of an array, or of a record whose elements bear their own kinds.
func appendList(dst []byte, elem repr.Type, d repr.Datum) []byte {
	dst = append(dst, '[')
	for i, e := range d.Elems(nil) {
		if i > 0 {
			dst = append(dst, ',')
		}
		t := elem
		if t.Kind == repr.KindNull {
			t = repr.TypeOf(e.Kind())
		}
		dst = AppendValue(dst, t, e)
	}
	return append(dst, ']')
}
