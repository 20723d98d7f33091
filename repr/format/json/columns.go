package json

import (
	"bytes"
	"fmt"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
)

// Columns decodes a message that is an object to columns, matched by name to its members, as jsonb_to_record does: a member
// that is not there is NULL, one that no column names is passed over, a string is read as the type of its column, and the
// last of several members of one name counts.
type Columns struct {
	cols  repr.RowDesc
	index map[string]int
	rest  *rest // nil: what no column has is passed over

	forgive  bool // a member that is not of the type of its column is NULL
	forgiven *repr.Error

	parts  []jsonb.Part
	values [][]byte // by column: the member as it was written
	norm   []byte
}

// NewColumns makes a decoder to columns.
func NewColumns(cols repr.RowDesc) *Columns {
	c := &Columns{cols: cols, index: map[string]int{}, values: make([][]byte, len(cols))}
	for i := range cols {
		c.index[cols[i].Name] = i
	}
	return c
}

// Columns are what a message becomes.
func (c *Columns) Columns() repr.RowDesc { return c.cols }

// Append takes the members of the message that are columns, and packs them.
func (c *Columns) Append(dst, message []byte) ([]byte, error) {
	parts, isObject, err := jsonb.Split(c.parts[:0], message)
	c.parts = parts
	if err != nil {
		return dst, Error(err)
	}
	if !isObject {
		return dst, repr.NewError(repr.CodeInvalidText, "the message is no JSON object")
	}
	clear(c.values)
	if c.rest != nil {
		c.rest.begin()
	}
	next := 0
	for i := range parts {
		at, ok := c.columnOf(parts[i].Key, next)
		if ok {
			c.values[at] = parts[i].Value
			next = at + 1
		} else if c.rest != nil {
			c.rest.take(&parts[i])
		}
	}
	out := dst
	for i := range c.cols {
		var failed *repr.Error
		if out, failed = c.append(out, &c.cols[i], c.values[i]); failed == nil {
			continue
		}
		failed = inField(c.cols[i].Name, failed)
		if !c.forgive || c.cols[i].NotNull {
			c.forgiven = nil
			return dst, failed
		}
		out = repr.Append(out, repr.Null)
		if c.forgiven == nil {
			c.forgiven = failed
		}
	}
	if c.rest != nil {
		if err := c.checkRest(); err != nil {
			c.forgiven = nil
			return dst, err
		}
	}
	return out, nil
}

// Forgive says whether a member that is not of the type of its column is NULL.
func (c *Columns) Forgive(yes bool) { c.forgive = yes }

// Forgiven is what was wrong with the first member that became NULL for that.
func (c *Columns) Forgiven() *repr.Error {
	e := c.forgiven
	c.forgiven = nil
	return e
}

// inField says of which member an error is.
func inField(name string, failed *repr.Error) *repr.Error {
	e := *failed
	e.Message = fmt.Sprintf("field %q: %s", name, failed.Message)
	return &e
}

// columnOf finds the column of a key; next is a guess, as members come in one order mostly.
func (c *Columns) columnOf(raw []byte, next int) (int, bool) {
	key, plain := jsonb.PlainString(raw)
	if !plain {
		norm, err := jsonb.Normalize(c.norm[:0], raw)
		if err != nil {
			return 0, false // no column has a name that is no text
		}
		c.norm = norm
		key = jsonb.Unquote(norm)
	}
	if next < len(c.cols) && string(key) == c.cols[next].Name {
		return next, true
	}
	at, ok := c.index[string(key)]
	return at, ok
}

// append packs the value of one column.
func (c *Columns) append(dst []byte, col *repr.Column, raw []byte) ([]byte, *repr.Error) {
	if raw == nil || raw[0] == 'n' {
		if col.NotNull {
			return dst, repr.NewError(repr.CodeNotNullViolation, "null value in a column that is not null")
		}
		return repr.Append(dst, repr.Null), nil
	}
	if text, ok := jsonb.PlainString(raw); ok && col.Type.Kind == repr.KindText {
		if bytes.IndexByte(text, 0) < 0 {
			return repr.AppendText(dst, text), nil
		}
	}
	if isInteger(col.Type.Kind) {
		if n, ok := wholeNumber(raw); ok && pgfmt.FitsInt(col.Type.Kind, n) {
			return repr.Append(dst, repr.IntOf(col.Type.Kind, n)), nil
		}
	}
	norm, err := jsonb.Normalize(c.norm[:0], raw)
	if err != nil {
		return dst, Error(err)
	}
	c.norm = norm
	d, failed := FromNormal(col.Type, norm)
	if failed != nil {
		return dst, failed
	}
	return repr.Append(dst, d), nil
}

func isInteger(k repr.Kind) bool {
	return k == repr.KindInt2 || k == repr.KindInt4 || k == repr.KindInt8
}

// maxDigits is how many digits a number has at most that fits into 64 bits for sure.
const maxDigits = 18

// wholeNumber reads a short number without point and exponent.
func wholeNumber(raw []byte) (int64, bool) {
	digits, negative := raw, raw[0] == '-'
	if negative {
		digits = raw[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// FromNormal is a JSON value in normal form as a value of a type. What it gives may alias the JSON.
func FromNormal(t repr.Type, norm []byte) (repr.Datum, *repr.Error) {
	kind := jsonb.TypeOf(norm)
	switch {
	case kind == jsonb.Null:
		return repr.Null, nil
	case t.Kind == repr.KindJSONB:
		return repr.JSONB(norm), nil
	case t.Kind == repr.KindArray:
		return arrayFrom(t, kind, norm)
	case kind == jsonb.String:
		return pgfmt.ParseText(t, string(jsonb.Unquote(norm)), nil)
	default:
		return pgfmt.ParseText(t, string(norm), nil)
	}
}

func arrayFrom(t repr.Type, kind jsonb.Kind, norm []byte) (repr.Datum, *repr.Error) {
	if kind != jsonb.Array {
		return repr.Null, repr.NewError(repr.CodeInvalidText, "expected JSON array")
	}
	var elems []repr.Datum
	for e := range jsonb.Elems(norm) {
		if jsonb.TypeOf(e) == jsonb.Array && t.Elem != repr.KindJSONB {
			return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "an array of more than one dimension is not supported")
		}
		d, err := FromNormal(repr.TypeOf(t.Elem), e)
		if err != nil {
			return repr.Null, err
		}
		elems = append(elems, d)
	}
	return repr.Array(elems), nil
}
