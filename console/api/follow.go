package api

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"millrace/coord"
	"millrace/repr"
	jsonfmt "millrace/repr/format/json"
	"millrace/repr/jsonb"
)

// mostChanges is how many changes an event has. What a time brings beyond that comes in further events, of which the last has the id.
const mostChanges = 1000

// writer writes what a stream brings in one of its forms.
type writer struct {
	key    string // equal keys write the same
	times  func(dst []byte, t tick) []byte
	notice func(dst []byte, n *notice) []byte // nil: changes are all that is written
	buffer int                                // how many rows are gathered before they are written
}

// tick are rows of one time.
type tick struct {
	event string
	time  repr.Time
	rows  [][]byte
	more  bool // of the same time more will come
}

// notice is an event that is no change: how far the stream has come, or that it ends with an error.
type notice struct {
	Event string `json:"event"`
	ID    string `json:"id,omitempty"`
	Error *Error `json:"error,omitempty"`
}

// sink takes what is to be sent. A sink that is broken says so.
type sink interface {
	write(b []byte) bool // it may keep b for as long as the next call
	flush() bool
}

// lines writes each change as a line of JSON, with the columns that SUBSCRIBE gives.
func lines(cols repr.RowDesc) *writer {
	enc := jsonfmt.NewEncoder(cols)
	return &writer{key: "lines", buffer: 1, times: func(dst []byte, t tick) []byte {
		for _, row := range t.rows {
			dst = append(appendObject(dst, enc, row), '\n')
		}
		return dst
	}}
}

// appendObject appends a row as an object on one line. What is not in a string may be parted by new lines in columns of type json.
func appendObject(dst []byte, enc *jsonfmt.Encoder, row []byte) []byte {
	from := len(dst)
	dst, err := enc.Append(dst, row)
	if err != nil {
		return append(dst[:from], "null"...)
	}
	for i := from; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return dst
}

// events writes each time as server-sent events.
func events(cols repr.RowDesc) *writer {
	m := newMessages(cols)
	frame := func(dst []byte, event, id string, body func(dst []byte) []byte) []byte {
		dst = append(append(append(dst, "event: "...), event...), '\n')
		if id != "" {
			dst = append(append(append(dst, "id: "...), id...), '\n')
		}
		return append(body(append(dst, "data: "...)), "\n\n"...)
	}
	return m.writer("events", frame)
}

// objects writes each time as messages of a WebSocket, which new lines part.
func objects(cols repr.RowDesc) *writer {
	return newMessages(cols).writer("objects", func(dst []byte, _, _ string, body func(dst []byte) []byte) []byte { return append(body(dst), '\n') })
}

func appendJSON(dst []byte, body any) []byte {
	b, err := json.Marshal(body)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// messages writes each time as objects: {"event":"change","id":"…","time":…,"last":true,"changes":[{"diff":1,"row":{…}}]}.
type messages struct {
	mark string // diff, or state
	kind repr.Type
	row  *jsonfmt.Encoder
}

func newMessages(cols repr.RowDesc) *messages {
	m := &messages{mark: "diff", kind: cols[1].Type, row: jsonfmt.NewEncoder(cols[2:])}
	if cols[1].Name == "mz_state" {
		m.mark = "state"
	}
	return m
}

// framing puts a message into what it is sent in.
type framing func(dst []byte, event, id string, body func(dst []byte) []byte) []byte

func (m *messages) writer(key string, frame framing) *writer {
	return &writer{
		key: key, buffer: mostChanges,
		times: func(dst []byte, t tick) []byte { return m.each(dst, t, frame) },
		notice: func(dst []byte, n *notice) []byte {
			return frame(dst, n.Event, n.ID, func(dst []byte) []byte { return appendJSON(dst, n) })
		},
	}
}

// each writes a time in as many messages as it takes. Only the last has an id: who has seen that has all.
func (m *messages) each(dst []byte, t tick, frame framing) []byte {
	for rest := t.rows; ; {
		n := min(len(rest), mostChanges)
		part := rest[:n]
		rest = rest[n:]
		id := ""
		if len(rest) == 0 && !t.more {
			id = strconv.FormatInt(int64(t.time), 10)
		}
		dst = frame(dst, t.event, id, func(dst []byte) []byte { return m.message(dst, t, id, part) })
		if len(rest) == 0 {
			return dst
		}
	}
}

func (m *messages) message(dst []byte, t tick, id string, rows [][]byte) []byte {
	dst = append(append(append(dst, `{"event":"`...), t.event...), `",`...)
	if id != "" {
		dst = append(append(append(dst, `"id":"`...), id...), `",`...)
	}
	dst = strconv.AppendInt(append(dst, `"time":`...), int64(t.time), 10)
	dst = strconv.AppendBool(append(dst, `,"last":`...), id != "")
	dst = append(dst, `,"changes":[`...)
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = m.change(dst, repr.Skip(row))
	}
	return append(dst, "]}"...)
}

func (m *messages) change(dst, row []byte) []byte {
	mark, rest := repr.Decode(row)
	dst = append(jsonb.AppendString(append(dst, '{'), m.mark), ':')
	dst = jsonfmt.AppendValue(dst, m.kind, mark)
	return append(appendObject(append(dst, `,"row":`...), m.row, rest), '}')
}

// follow writes a stream until it ends or the client goes.
func (s *Server) follow(ctx context.Context, o *opened, w *writer, to sink) {
	f := &following{s: s, o: o, w: w, to: to, event: changeEvent, encoding: &coord.Encoding{Key: "api " + w.key}}
	f.encoding.Tick = func(dst []byte, t repr.Time, rows [][]byte) []byte {
		return w.times(dst, tick{event: changeEvent, time: t, rows: rows})
	}
	if o.snapshot {
		f.event, f.at = snapshotEvent, o.rows.At()
	}
	err := f.run(ctx)
	if err != nil && w.notice != nil && to.write(w.notice(nil, &notice{Event: "error", Error: errorOf(err)})) {
		to.flush()
	}
}

// Events that have rows. One that begins anew comes as snapshot: what the client held before is to be forgotten.
const (
	snapshotEvent = "snapshot"
	changeEvent   = "change"
)

// following is a stream on its way to a client.
type following struct {
	s        *Server
	o        *opened
	w        *writer
	to       sink
	encoding *coord.Encoding
	event    string    // of the rows that are gathered
	at       repr.Time // their time
	rows     [][]byte
	silent   bool      // nothing was sent for long
	told     repr.Time // the newest time that was told without rows
	buf      []byte
}

var errGone = repr.NewError(repr.CodeConnectionFailure, "the client is gone")

func (f *following) run(ctx context.Context) *repr.Error {
	for {
		if chunk, n := f.o.rows.PollEncoded(f.encoding); n > 0 {
			if err := f.end(); err != nil {
				return err
			}
			if !f.to.write(chunk) {
				return errGone
			}
			continue
		}
		row, more, err := f.o.rows.Poll()
		switch {
		case err != nil || !more:
			if e := f.end(); e != nil {
				return e
			}
			f.to.flush()
			return err
		case row != nil:
			err = f.gather(row)
		default:
			err = f.idle(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// gather takes a row that comes by itself: of a content, or of what was left out.
func (f *following) gather(row []byte) *repr.Error {
	d, _ := repr.Decode(row)
	n, _, _ := d.NumericSmall()
	if at := repr.Time(n); at != f.at {
		if err := f.end(); err != nil {
			return err
		}
		f.at = at
	}
	f.rows = append(f.rows, slices.Clone(row))
	if len(f.rows) <= f.w.buffer {
		return nil
	}
	part := f.rows[:f.w.buffer]
	f.rows = f.rows[f.w.buffer:] // a row at least is held back: it may be the last, which completes the time
	return f.send(part, true)
}

// end completes the time whose rows were gathered. A content that is empty is told as well.
func (f *following) end() *repr.Error {
	if len(f.rows) == 0 && f.event != snapshotEvent {
		return nil
	}
	part := f.rows
	f.rows = nil
	err := f.send(part, false)
	f.event = changeEvent
	return err
}

func (f *following) send(rows [][]byte, more bool) *repr.Error {
	f.buf = f.w.times(f.buf[:0], tick{event: f.event, time: f.at, rows: rows, more: more})
	if !f.to.write(f.buf) {
		return errGone
	}
	return nil
}

// idle sends what there is and waits for more. After a while it tells how far the stream is, so that a client that comes back much
// later is behind nothing that is forgotten.
func (f *following) idle(ctx context.Context) *repr.Error {
	if err := f.end(); err != nil {
		return err
	}
	if !f.to.flush() {
		return errGone
	}
	if f.silent {
		f.silent = false
		if err := f.tell(f.o.rows.Upper() - 1); err != nil {
			return err
		}
	}
	wait, cancel := context.WithTimeout(ctx, f.s.opts.Heartbeat)
	defer cancel()
	err := f.o.rows.Wait(wait)
	if err == nil || ctx.Err() != nil {
		return err
	}
	f.silent = true // when there is nothing then either
	return nil
}

// tell tells that all up to a time was sent.
func (f *following) tell(t repr.Time) *repr.Error {
	if f.w.notice == nil || t <= f.told {
		return nil
	}
	f.told = t
	f.buf = f.w.notice(f.buf[:0], &notice{Event: "progress", ID: strconv.FormatInt(int64(t), 10)})
	if !f.to.write(f.buf) || !f.to.flush() {
		return errGone
	}
	return nil
}
