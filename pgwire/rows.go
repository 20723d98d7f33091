package pgwire

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/repr"
	"millrace/repr/pgfmt"
)

// rowWriter prints packed rows as DataRow messages.
type rowWriter struct {
	c      *conn
	types  []repr.Type
	binary []bool
	opts   *pgfmt.Options
}

func (c *conn) rowWriter(cols repr.RowDesc, formats []int16) *rowWriter {
	w := &rowWriter{c: c, types: cols.Types(), binary: make([]bool, len(cols)), opts: c.session.TextOptions()}
	for i := range cols {
		w.binary[i] = formatOf(formats, i) == pgproto3.BinaryFormat
	}
	return w
}

// formatOf is the format code of a column: none is text, one is for all.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return pgproto3.TextFormat
	case len(formats) == 1:
		return formats[0]
	default:
		return formats[i]
	}
}

// describeRows sends the RowDescription.
func (c *conn) describeRows(cols repr.RowDesc, formats []int16) {
	m := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(cols))}
	for i, col := range cols {
		m.Fields[i] = pgproto3.FieldDescription{Name: []byte(col.Name), DataTypeOID: col.Type.OID(), DataTypeSize: col.Type.Len(),
			TypeModifier: col.Type.Typmod(), Format: formatOf(formats, i)}
	}
	c.send(m)
}

// dataRow appends one row as a DataRow message.
func (w *rowWriter) dataRow(row []byte) {
	out := append(w.c.out, 'D', 0, 0, 0, 0)
	start := len(out) - 4
	out = binary.BigEndian.AppendUint16(out, uint16(len(w.types)))
	for i := range w.types {
		var d repr.Datum
		d, row = repr.Decode(row)
		if d.IsNull() {
			out = append(out, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(out)
		out = append(out, 0, 0, 0, 0)
		if w.binary[i] {
			out = pgfmt.AppendBinary(out, w.types[i], d)
		} else {
			out = pgfmt.AppendText(out, w.types[i], d, w.opts)
		}
		binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
	}
	binary.BigEndian.PutUint32(out[start:], uint32(len(out)-start))
	w.c.out = out
	if len(out) >= flushBytes {
		w.c.flush()
	}
}

// pump sends rows up to a limit (0: none) and says how many, and whether there may be more. Before it waits for live
// rows it sends what there is; with a limit it then returns, once it has sent something.
func (w *rowWriter) pump(ctx context.Context, rows coord.Rows, limit int64) (n int64, more bool, err *repr.Error) {
	return pump(ctx, w.c, rows, limit, w.dataRow)
}

func pump(ctx context.Context, c *conn, rows coord.Rows, limit int64, emit func(row []byte)) (n int64, more bool, err *repr.Error) {
	live, isLive := rows.(coord.Live)
	for limit == 0 || n < limit {
		if c.broken {
			return n, false, repr.NewError(repr.CodeConnectionFailure, "the client is gone")
		}
		var row []byte
		var ok bool
		if isLive {
			row, ok, err = live.Poll()
		} else {
			row, ok, err = rows.Next(ctx)
		}
		if err != nil || !ok {
			return n, false, err
		}
		if row != nil {
			emit(row)
			n++
			if n&0x3ff == 0 && ctx.Err() != nil {
				return n, false, contextError(ctx)
			}
			continue
		}
		if limit > 0 && n > 0 {
			return n, true, nil
		}
		c.flush()
		if err := live.Wait(ctx); err != nil {
			return n, false, err
		}
	}
	return n, true, nil
}

func contextError(ctx context.Context) *repr.Error {
	if e, ok := context.Cause(ctx).(*repr.Error); ok {
		return e
	}
	return repr.NewError(repr.CodeQueryCanceled, "canceling statement due to user request")
}

// rowsTag adds the number of rows to a command tag.
func rowsTag(tag string, n int64) string {
	switch tag {
	case "SELECT", "FETCH", "COPY":
		return tag + " " + strconv.FormatInt(n, 10)
	case "SUBSCRIBE", "TAIL":
		return "SELECT " + strconv.FormatInt(n, 10)
	default:
		return strings.TrimSpace(tag)
	}
}
