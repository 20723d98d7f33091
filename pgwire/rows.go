package pgwire

import (
	"context"
	"encoding/binary"
	"fmt"
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

// dataRow sends one row.
func (w *rowWriter) dataRow(row []byte) {
	w.c.out = w.appendRow(w.c.out, row)
	if len(w.c.out) >= flushBytes {
		w.c.flush()
	}
}

// appendRow appends one row as a DataRow message.
func (w *rowWriter) appendRow(out, row []byte) []byte {
	start := len(out) + 1
	out = append(out, 'D', 0, 0, 0, 0)
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
	return out
}

// encoding is how the rows look, for streams that many clients read; nil when they look like this to the client alone.
func (w *rowWriter) encoding() *coord.Encoding {
	for _, t := range w.types {
		if t.Kind.IsReg() || t.Elem.IsReg() { // what they are called depends on the session
			return nil
		}
	}
	o := w.opts
	return &coord.Encoding{
		Key: fmt.Sprint("pgwire ", w.binary, o.TimeZone, o.DateOrder, o.IntervalStyle, o.FloatDigits, o.ByteaEscape),
		Tick: func(dst []byte, _ repr.Time, rows [][]byte) []byte {
			for _, row := range rows {
				dst = w.appendRow(dst, row)
			}
			return dst
		},
	}
}

// pump sends rows up to a limit (0: none) and says how many, and whether there may be more. Before it waits for live
// rows it sends what there is; with a limit it then returns, once it has sent something.
func (w *rowWriter) pump(ctx context.Context, rows coord.Rows, limit int64) (n int64, more bool, err *repr.Error) {
	p := pumping{c: w.c, emit: w.dataRow}
	if shared, ok := rows.(coord.Encoded); ok && limit == 0 {
		p.shared, p.encoding = shared, w.encoding()
	}
	return p.run(ctx, rows, limit)
}

// pumping sends the rows of a result.
type pumping struct {
	c        *conn
	emit     func(row []byte)
	shared   coord.Encoded   // what can be had encoded; nil: nothing
	encoding *coord.Encoding // nil: nothing
}

// encoded sends a time of a stream at once, and says how many rows that were.
func (p *pumping) encoded() int64 {
	if p.encoding == nil {
		return 0
	}
	chunk, rows := p.shared.PollEncoded(p.encoding)
	if rows > 0 {
		p.c.out = append(p.c.out, chunk...)
		if len(p.c.out) >= flushBytes {
			p.c.flush()
		}
	}
	return int64(rows)
}

func (p *pumping) run(ctx context.Context, rows coord.Rows, limit int64) (n int64, more bool, err *repr.Error) {
	c := p.c
	live, isLive := rows.(coord.Live)
	for limit == 0 || n < limit {
		if c.broken {
			return n, false, repr.NewError(repr.CodeConnectionFailure, "the client is gone")
		}
		if sent := p.encoded(); sent > 0 {
			if n += sent; ctx.Err() != nil {
				return n, false, contextError(ctx)
			}
			continue
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
			p.emit(row)
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
