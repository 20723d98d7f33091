package csv

import (
	"bytes"
	"fmt"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/pgfmt"
)

const quote = '"'

// Options say how messages look.
type Options struct {
	Delimiter byte // a comma when 0
	Header    bool // a message that says the names of the columns is no row
}

// Decoder decodes a message to the columns of a source. One goroutine at a time may use it.
type Decoder struct {
	cols repr.RowDesc
	opts Options

	buf    []byte
	fields []field

	forgive  bool // a field that is not of the type of its column is NULL
	forgiven *repr.Error
}

// field is a piece of buf.
type field struct {
	from, to int
	quoted   bool
}

// NewDecoder makes a decoder to columns.
func NewDecoder(cols repr.RowDesc, opts Options) *Decoder {
	if opts.Delimiter == 0 {
		opts.Delimiter = ','
	}
	return &Decoder{cols: cols, opts: opts}
}

// Columns are what a message becomes.
func (d *Decoder) Columns() repr.RowDesc { return d.cols }

// Append reads the fields of a message and packs them; the error for a header is format.ErrNoRow.
func (d *Decoder) Append(dst, message []byte) ([]byte, error) {
	if err := d.split(message); err != nil {
		return dst, err
	}
	if d.opts.Header && d.isHeader() {
		return dst, format.ErrNoRow
	}
	if len(d.fields) != len(d.cols) {
		return dst, repr.NewError("22P04", fmt.Sprintf("the message has %d fields, not %d", len(d.fields), len(d.cols)))
	}
	if err := pgfmt.CheckText(d.buf); err != nil {
		return dst, err
	}
	out := dst
	for i := range d.fields {
		var err *repr.Error
		if out, err = d.append(out, i); err == nil {
			continue
		}
		e := *err
		e.Message = fmt.Sprintf("column %q: %s", d.cols[i].Name, err.Message)
		if !d.forgive || d.cols[i].NotNull {
			d.forgiven = nil
			return dst, &e
		}
		out = repr.Append(out, repr.Null)
		if d.forgiven == nil {
			d.forgiven = &e
		}
	}
	return out, nil
}

// Forgive says whether a field that is not of the type of its column is NULL.
func (d *Decoder) Forgive(yes bool) { d.forgive = yes }

// Forgiven is what was wrong with the first field that became NULL for that.
func (d *Decoder) Forgiven() *repr.Error {
	e := d.forgiven
	d.forgiven = nil
	return e
}

func (d *Decoder) text(f field) []byte { return d.buf[f.from:f.to] }

func (d *Decoder) append(dst []byte, i int) ([]byte, *repr.Error) {
	f, col := d.fields[i], &d.cols[i]
	text := d.text(f)
	if len(text) == 0 && !f.quoted {
		if col.NotNull {
			return dst, repr.NewError(repr.CodeNotNullViolation, "null value in a column that is not null")
		}
		return repr.Append(dst, repr.Null), nil
	}
	if col.Type.Kind == repr.KindText {
		return repr.AppendText(dst, text), nil
	}
	v, err := pgfmt.ParseText(col.Type, string(text), nil)
	if err != nil {
		return dst, err
	}
	return repr.Append(dst, v), nil
}

func (d *Decoder) isHeader() bool {
	if len(d.fields) != len(d.cols) {
		return false
	}
	for i, f := range d.fields {
		if string(d.text(f)) != d.cols[i].Name {
			return false
		}
	}
	return true
}

// Names are the fields of a message, for names of columns.
func Names(message []byte, opts Options) ([]string, error) {
	d := NewDecoder(nil, opts)
	if err := d.split(message); err != nil {
		return nil, err
	}
	if err := pgfmt.CheckText(d.buf); err != nil {
		return nil, err
	}
	names := make([]string, len(d.fields))
	for i, f := range d.fields {
		names[i] = string(d.text(f))
	}
	return names, nil
}

// split takes a message apart.
func (d *Decoder) split(message []byte) error {
	message = bytes.TrimSuffix(bytes.TrimSuffix(message, []byte("\n")), []byte("\r"))
	d.buf, d.fields = d.buf[:0], d.fields[:0]
	for {
		f := field{from: len(d.buf)}
		n, err := d.field(message, &f)
		if err != nil {
			return err
		}
		f.to = len(d.buf)
		d.fields = append(d.fields, f)
		if n == len(message) {
			return nil
		}
		message = message[n+1:]
	}
}

// field reads one field, which a delimiter or the end of the message ends, and gives its length.
func (d *Decoder) field(b []byte, f *field) (int, error) {
	inside := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == quote && inside && i+1 < len(b) && b[i+1] == quote:
			d.buf = append(d.buf, quote)
			i++
		case c == quote:
			inside, f.quoted = !inside, true
		case inside:
			d.buf = append(d.buf, c)
		case c == d.opts.Delimiter:
			return i, nil
		case c == '\n' || c == '\r':
			return 0, repr.NewError("22P04", "the message has more than one line")
		default:
			d.buf = append(d.buf, c)
		}
	}
	if inside {
		return 0, repr.NewError("22P04", "unterminated CSV quoted field")
	}
	return len(b), nil
}
