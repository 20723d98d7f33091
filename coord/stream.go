package coord

import (
	"bytes"
	"context"

	"millrace/arrangement"
	"millrace/internal/budget"
	"millrace/repr"
)

// subscribeRows is the stream of a subscription as rows.
type subscribeRows struct {
	s       *subscribed
	o       subscribeOptions
	shape   *shape
	memory  *budget.Budget      // of a content that is put into shape; nil for the plain shape
	cur     *arrangement.Cursor // the snapshot, while it lasts
	first   bool
	shaped  shapedRows
	pending []*change
	i       int         // in pending[0]
	over    *difference // of a leap
	late    *repr.Error // that take gave when nobody asked
	upper   repr.Time
	told    repr.Time // the newest progress message
	buf     []byte
	nulls   []byte
}

// shapedRows are rows of one time that were put into shape.
type shapedRows struct {
	time repr.Time
	rows [][]byte
}

func newSubscribeRows(s *subscribed, o subscribeOptions, sh *shape) *subscribeRows {
	r := &subscribeRows{s: s, o: o, shape: sh, first: true, upper: s.at}
	s.sub.relax(o.upTo != 0, o.progress || o.upTo != 0)
	for range sh.cols {
		r.nulls = repr.Append(r.nulls, repr.Null)
	}
	if o.snapshot {
		r.cur = s.snapshot.Cursor()
		r.cur.Seek(nil)
	}
	return r
}

// Next gives the next row of the stream, waiting for it.
func (r *subscribeRows) Next(ctx context.Context) ([]byte, bool, *repr.Error) {
	for {
		row, ok, err := r.Poll()
		if row != nil || err != nil || !ok {
			return row, ok, err
		}
		if err := r.Wait(ctx); err != nil {
			return nil, false, err
		}
	}
}

// At is the time that the stream begins at.
func (r *subscribeRows) At() repr.Time { return r.s.at }

// WithContent says whether the stream begins with what was there.
func (r *subscribeRows) WithContent() bool { return r.o.snapshot }

// Upper is the first time of which not all was given yet.
func (r *subscribeRows) Upper() repr.Time { return r.upper }

// Wait blocks until Poll may have more to give.
func (r *subscribeRows) Wait(ctx context.Context) *repr.Error { return r.s.sub.wait(ctx) }

// Poll gives the next row without waiting: nil and true when there is none yet, false at the end.
func (r *subscribeRows) Poll() (row []byte, more bool, err *repr.Error) {
	if r.o.upTo != 0 && r.o.upTo <= r.s.at {
		return nil, false, nil
	}
	if r.first {
		r.first = false
		if e := r.errorIn(r.s.errs.Batch()); e != nil {
			return nil, false, e
		}
		if r.o.progress {
			return r.progressRow(r.s.at), true, nil
		}
	}
	if row, err := r.nextOfSnapshot(); row != nil || err != nil {
		return row, err == nil, err
	}
	for {
		if row, err := r.nextPending(); row != nil || err != nil {
			return row, err == nil, err
		}
		if r.ended() {
			return nil, false, nil
		}
		if r.o.progress && r.upper > r.told && r.upper > r.s.at {
			return r.progressRow(r.upper), true, nil
		}
		if more, err := r.refill(); err != nil || !more {
			return nil, err == nil, err
		}
	}
}

// refill takes what was delivered, and says whether there is anything.
func (r *subscribeRows) refill() (bool, *repr.Error) {
	if err := r.late; err != nil {
		return false, err
	}
	changes, upper, err := r.s.sub.take()
	if len(changes) == 0 && err != nil {
		return false, err
	}
	if len(changes) == 0 {
		if over := r.s.sub.takeLeap(); over != nil {
			return true, r.leap(over)
		}
		if upper <= r.upper {
			return false, nil
		}
	}
	r.pending, r.i, r.upper = changes, 0, upper
	return true, nil
}

// errorIn is the error that ends the stream, if there is one.
func (r *subscribeRows) errorIn(b arrangement.Batch) *repr.Error {
	if r.o.lenient {
		return nil
	}
	return firstError(b)
}

// leap goes to a later content at once.
func (r *subscribeRows) leap(over *leap) *repr.Error {
	if e := r.errorIn(over.to.errs.Batch()); e != nil {
		return e
	}
	r.upper = over.to.time + 1
	r.over = newDifference(over)
	if r.shape.isPlain() {
		return nil
	}
	var changes []shapeChange
	defer r.memory.Close() // what is left is as much as of any tick
	for {
		row, diff := r.over.next()
		if row == nil {
			break
		}
		row = append([]byte(nil), row...)
		if err := takeRoom(r.memory, int64(3*len(row)+4*rowHeadBytes), "what the subscription has missed"); err != nil {
			return err
		}
		changes = append(changes, shapeChange{row: row, diff: diff})
	}
	r.over = nil
	r.shaped = shapedRows{time: over.to.time, rows: r.shape.rows(changes)}
	return nil
}

// PollEncoded gives the rows of a whole time encoded, when that is what comes next and none of them was given yet; otherwise Poll is
// to be asked.
func (r *subscribeRows) PollEncoded(e *Encoding) (chunk []byte, rows int) {
	if r.first || r.s.snapshot != nil && r.o.snapshot || r.over != nil || r.i > 0 || len(r.shaped.rows) > 0 || r.late != nil {
		return nil, 0
	}
	if len(r.pending) == 0 {
		if r.ended() || r.o.progress && r.upper > r.told && r.upper > r.s.at {
			return nil, 0
		}
		if _, r.late = r.refill(); r.late != nil || len(r.pending) == 0 {
			return nil, 0
		}
	}
	c := r.pending[0]
	if r.o.upTo != 0 && c.time >= r.o.upTo || c.delta.Err.Len() > 0 {
		return nil, 0
	}
	key := e.Key + "\x00" + r.shape.name
	if r.o.progress {
		key += "\x00progress"
	}
	done := c.in(key, e, func() [][]byte { return r.rowsOf(c) })
	r.pending = r.pending[1:]
	return done.bytes, done.rows
}

// rowsOf are all rows that a change looks like.
func (r *subscribeRows) rowsOf(c *change) [][]byte {
	b := c.delta.OK
	if r.shape.isPlain() {
		out := make([][]byte, b.Len())
		for i := range out {
			out[i] = appendPlain(r.timed(nil, c.time), b.Row(i), b.Diff(i))
		}
		return out
	}
	out := r.shape.rows(changesIn(b))
	for i := range out {
		out[i] = append(r.timed(nil, c.time), out[i]...)
	}
	return out
}

// nextOfSnapshot gives the next row of the content that the stream begins with; nil when it is over.
func (r *subscribeRows) nextOfSnapshot() ([]byte, *repr.Error) {
	if r.cur != nil && !r.shape.isPlain() {
		if err := r.shapeSnapshot(); err != nil {
			return nil, err
		}
	}
	if r.cur != nil && r.cur.Valid() {
		row := r.dataRow(r.s.at, r.cur.Row(), r.cur.Diff())
		r.cur.Next()
		return row, nil
	}
	if row := r.nextShaped(); row != nil {
		return row, nil
	}
	if r.s.snapshot != nil {
		r.cur, r.s.snapshot = nil, nil
		r.memory.Close()
		if r.o.snapshot {
			r.upper = r.s.at + 1
		}
	}
	return nil, nil
}

// shapeSnapshot puts the content into shape, which needs all of it.
func (r *subscribeRows) shapeSnapshot() *repr.Error {
	var changes []shapeChange
	for ; r.cur.Valid(); r.cur.Next() {
		row := append([]byte(nil), r.cur.Row()...)
		if err := takeRoom(r.memory, int64(3*len(row)+4*rowHeadBytes), "the content that the subscription begins with"); err != nil {
			return err
		}
		changes = append(changes, shapeChange{row: row, diff: r.cur.Diff()})
	}
	r.cur = nil
	r.shaped = shapedRows{time: r.s.at, rows: r.shape.rows(changes)}
	return nil
}

// nextShaped gives the next row of what was put into shape; nil when there is none.
func (r *subscribeRows) nextShaped() []byte {
	if len(r.shaped.rows) == 0 {
		return nil
	}
	row := r.shaped.rows[0]
	r.shaped.rows = r.shaped.rows[1:]
	r.buf = append(r.timed(r.buf[:0], r.shaped.time), row...)
	return r.buf
}

// nextPending gives the next row of what was delivered.
func (r *subscribeRows) nextPending() ([]byte, *repr.Error) {
	for {
		if row := r.nextShaped(); row != nil {
			return row, nil
		}
		if r.over != nil {
			if row, diff := r.over.next(); row != nil {
				return r.dataRow(r.over.time, row, diff), nil
			}
			r.over = nil
		}
		if len(r.pending) == 0 {
			return nil, nil
		}
		c := r.pending[0]
		if r.o.upTo != 0 && c.time >= r.o.upTo {
			r.pending = nil
			return nil, nil
		}
		if e := r.errorIn(c.delta.Err); e != nil {
			return nil, e
		}
		switch {
		case !r.shape.isPlain():
			r.shaped = shapedRows{time: c.time, rows: r.shape.rows(changesIn(c.delta.OK))}
		case r.i < c.delta.OK.Len():
			r.i++
			return r.dataRow(c.time, c.delta.OK.Row(r.i-1), c.delta.OK.Diff(r.i-1)), nil
		}
		r.pending, r.i = r.pending[1:], 0
	}
}

func (r *subscribeRows) ended() bool { return r.o.upTo != 0 && r.upper >= r.o.upTo }

// timed begins a row that is not a progress message.
func (r *subscribeRows) timed(dst []byte, t repr.Time) []byte {
	dst = repr.Append(dst, repr.Numeric(int64(t), 0))
	if r.o.progress {
		dst = repr.Append(dst, repr.Bool(false))
	}
	return dst
}

func (r *subscribeRows) dataRow(t repr.Time, row []byte, diff repr.Diff) []byte {
	r.buf = appendPlain(r.timed(r.buf[:0], t), row, diff)
	return r.buf
}

func (r *subscribeRows) progressRow(t repr.Time) []byte {
	r.told = t
	r.buf = repr.Append(r.buf[:0], repr.Numeric(int64(t), 0))
	r.buf = repr.Append(r.buf, repr.Bool(true))
	r.buf = append(r.buf, r.nulls...)
	return r.buf
}

// Close ends the subscription.
func (r *subscribeRows) Close() {
	r.memory.Close()
	if r.s.cancel != nil {
		r.s.cancel()
		r.s.cancel = nil
	}
}

// difference walks what is different in two contents.
type difference struct {
	time     repr.Time
	from, to *arrangement.Cursor
	advance  [2]bool // which of the cursors stands on the row that was given
}

func newDifference(l *leap) *difference { return differenceOf(l.to.time, l.from.ok, l.to.ok) }

func differenceOf(t repr.Time, from, to *arrangement.Snapshot) *difference {
	d := &difference{time: t, from: from.Cursor(), to: to.Cursor()}
	d.from.Seek(nil)
	d.to.Seek(nil)
	return d
}

// next gives the next row with how much more often it is there; nil when there is none. It is valid until the next call.
func (d *difference) next() ([]byte, repr.Diff) {
	for {
		if d.advance[0] {
			d.from.Next()
		}
		if d.advance[1] {
			d.to.Next()
		}
		row, diff := d.stand()
		if row == nil || diff != 0 {
			return row, diff
		}
	}
}

// stand is the smaller of the rows that the cursors stand on.
func (d *difference) stand() ([]byte, repr.Diff) {
	order := 0
	switch {
	case !d.from.Valid() && !d.to.Valid():
		d.advance = [2]bool{}
		return nil, 0
	case !d.from.Valid():
		order = 1
	case !d.to.Valid():
		order = -1
	default:
		order = bytes.Compare(d.from.Row(), d.to.Row())
	}
	d.advance = [2]bool{order <= 0, order >= 0}
	switch {
	case order < 0:
		return d.from.Row(), -d.from.Diff()
	case order > 0:
		return d.to.Row(), d.to.Diff()
	default:
		return d.to.Row(), d.to.Diff() - d.from.Diff()
	}
}
