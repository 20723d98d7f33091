package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/repr"
	"millrace/repr/pgfmt"
)

// copyOut sends the rows of a COPY … TO STDOUT and gives the command tag.
func (c *conn) copyOut(ctx context.Context, res *coord.Result) (string, *repr.Error) {
	defer res.Rows.Close()
	w := &copyWriter{c: c, f: res.CopyOut, types: res.Cols.Types(), opts: c.session.TextOptions()}
	formats := make([]uint16, len(res.Cols))
	overall := byte(0)
	if w.f.Format == "binary" {
		overall = 1
		for i := range formats {
			formats[i] = 1
		}
	}
	c.send(&pgproto3.CopyOutResponse{OverallFormat: overall, ColumnFormatCodes: formats})
	w.begin(res.Cols)
	n, _, err := (&pumping{c: c, emit: w.row}).run(ctx, res.Rows, 0)
	if err != nil {
		return "", err
	}
	if w.f.Format == "binary" {
		w.data([]byte{0xff, 0xff})
	}
	c.send(&pgproto3.CopyDone{})
	return rowsTag(res.Tag, n), nil
}

// copyWriter prints rows as CopyData in the text, CSV or binary format (documentation of COPY, "File Formats").
type copyWriter struct {
	c     *conn
	f     *coord.CopyFormat
	types []repr.Type
	opts  *pgfmt.Options
	line  []byte
	field []byte
}

func (w *copyWriter) data(b []byte) {
	out := append(w.c.out, 'd')
	out = binary.BigEndian.AppendUint32(out, uint32(len(b)+4))
	w.c.out = append(out, b...)
	if len(w.c.out) >= flushBytes {
		w.c.flush()
	}
}

func (w *copyWriter) begin(cols repr.RowDesc) {
	if w.f.Format == "binary" {
		w.data(append([]byte("PGCOPY\n\xff\r\n\x00"), 0, 0, 0, 0, 0, 0, 0, 0))
		return
	}
	if !w.f.Header {
		return
	}
	w.line = w.line[:0]
	for i, col := range cols {
		if i > 0 {
			w.line = append(w.line, w.f.Delimiter)
		}
		w.appendField([]byte(col.Name))
	}
	w.data(append(w.line, '\n'))
}

func (w *copyWriter) row(row []byte) {
	w.line = w.line[:0]
	if w.f.Format == "binary" {
		w.line = binary.BigEndian.AppendUint16(w.line, uint16(len(w.types)))
	}
	for i, t := range w.types {
		var d repr.Datum
		d, row = repr.Decode(row)
		switch {
		case w.f.Format == "binary":
			w.binaryField(t, d)
			continue
		case i > 0:
			w.line = append(w.line, w.f.Delimiter)
		}
		if d.IsNull() {
			w.line = append(w.line, w.f.Null...)
			continue
		}
		w.field = pgfmt.AppendText(w.field[:0], t, d, w.opts)
		w.appendField(w.field)
	}
	if w.f.Format != "binary" {
		w.line = append(w.line, '\n')
	}
	w.data(w.line)
}

func (w *copyWriter) binaryField(t repr.Type, d repr.Datum) {
	if d.IsNull() {
		w.line = append(w.line, 0xff, 0xff, 0xff, 0xff)
		return
	}
	at := len(w.line)
	w.line = append(w.line, 0, 0, 0, 0)
	w.line = pgfmt.AppendBinary(w.line, t, d)
	binary.BigEndian.PutUint32(w.line[at:], uint32(len(w.line)-at-4))
}

// appendField adds a value that is not NULL, escaped for the format.
func (w *copyWriter) appendField(v []byte) {
	if w.f.Format == "csv" {
		w.csvField(v)
		return
	}
	for _, b := range v {
		switch b {
		case '\\':
			w.line = append(w.line, '\\', '\\')
		case '\n':
			w.line = append(w.line, '\\', 'n')
		case '\r':
			w.line = append(w.line, '\\', 'r')
		case '\t':
			w.line = append(w.line, '\\', 't')
		case '\b':
			w.line = append(w.line, '\\', 'b')
		case '\f':
			w.line = append(w.line, '\\', 'f')
		case '\v':
			w.line = append(w.line, '\\', 'v')
		default:
			if b == w.f.Delimiter {
				w.line = append(w.line, '\\')
			}
			w.line = append(w.line, b)
		}
	}
}

func (w *copyWriter) csvField(v []byte) {
	quote := string(v) == w.f.Null || bytes.ContainsAny(v, "\n\r") || bytes.IndexByte(v, w.f.Quote) >= 0 ||
		bytes.IndexByte(v, w.f.Delimiter) >= 0 || string(v) == `\.`
	if !quote {
		w.line = append(w.line, v...)
		return
	}
	w.line = append(w.line, w.f.Quote)
	for _, b := range v {
		if b == w.f.Quote || b == w.f.Escape {
			w.line = append(w.line, w.f.Escape)
		}
		w.line = append(w.line, b)
	}
	w.line = append(w.line, w.f.Quote)
}
