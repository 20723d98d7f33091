package coord

import (
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
	pending []change
	i       int // in pending[0]
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

// Wait blocks until Poll may have more to give.
func (r *subscribeRows) Wait(ctx context.Context) *repr.Error { return r.s.sub.wait(ctx) }

// Poll gives the next row without waiting: nil and true when there is none yet, false at the end.
func (r *subscribeRows) Poll() (row []byte, more bool, err *repr.Error) {
	if r.o.upTo != 0 && r.o.upTo <= r.s.at {
		return nil, false, nil
	}
	if r.first {
		r.first = false
		if e := firstError(r.s.errs.Batch()); e != nil {
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
		changes, upper, err := r.s.sub.take()
		if err != nil && len(changes) == 0 {
			return nil, false, err
		}
		if len(changes) == 0 && upper <= r.upper {
			return nil, true, nil
		}
		r.pending, r.i, r.upper = changes, 0, upper
	}
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
		if len(r.pending) == 0 {
			return nil, nil
		}
		c := &r.pending[0]
		if r.o.upTo != 0 && c.time >= r.o.upTo {
			r.pending = nil
			return nil, nil
		}
		if e := firstError(c.delta.Err); e != nil {
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
