package coord

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"millrace/repr"
)

// errorLog is what a source keeps of its bad records, <source>_errors, within bounds. Its rows begin with the time at which they
// were met, so the first of them are the oldest, and those go when there are too many. What is later told of rows that went
// is left out: the retraction of one that was made good, or another one as old. It belongs to the loop.
type errorLog struct {
	col     *collection
	rows    int64  // that are in the collection
	bytes   int64  // of them
	dropped int64  // rows that went because there was no room, or they were too old
	bar     []byte // the last of them; nil: none went
	changed bool   // it has to be noted again
}

// errorsNote is the key under which the counts of a source, and how far its bad records were let go, are kept.
func errorsNote(source uint64) string { return fmt.Sprintf("errors/%0*x", noteIDDigits, source) }

// newErrorLog counts what is there.
func newErrorLog(col *collection) *errorLog {
	l := &errorLog{col: col}
	if now, err := col.ok.At(col.ok.Upper() - 1); err == nil {
		for b := range now.Chunks(hydrateChunk) {
			for i := range b.Len() {
				l.count(b.Row(i), b.Diff(i))
			}
		}
	}
	return l
}

func (l *errorLog) count(row []byte, diff repr.Diff) {
	l.rows += diff
	l.bytes += diff * int64(len(row))
}

// gone says whether a row is as old as those that went.
func (l *errorLog) gone(row []byte) bool { return l.bar != nil && bytes.Compare(row, l.bar) <= 0 }

// take has the next tick change the collection.
func (l *errorLog) take(row []byte, diff repr.Diff) {
	if !l.gone(row) {
		l.col.queue(row, diff)
		return
	}
	if diff > 0 {
		l.dropped += diff
		l.changed = true
	}
}

// settle counts what a tick has changed, and says whether more is there than may be.
func (l *errorLog) settle(p errorPolicy) (excess bool) {
	if l == nil {
		return false
	}
	rows := l.col.delta.OK
	for i := range rows.Len() {
		l.count(rows.Row(i), rows.Diff(i))
	}
	return l.rows > p.mostRows || l.bytes > p.mostBytes
}

// trim has the next tick take the oldest rows out that are too many or too old. What is on its way already does not count.
func (l *errorLog) trim(p errorPolicy, now repr.Datum) {
	rows, size := l.rows-p.mostRows, l.bytes-p.mostBytes
	if rows <= 0 && size <= 0 && p.keepFor == 0 || l.rows == 0 {
		return
	}
	content, err := l.col.ok.At(l.col.ok.Upper() - 1)
	if err != nil {
		return
	}
	before := repr.AppendRow(nil, []repr.Datum{now})
	for b := range content.Chunks(hydrateChunk) {
		for i := range b.Len() {
			row, diff := b.Row(i), b.Diff(i)
			old := p.keepFor > 0 && bytes.Compare(row, before) < 0
			if rows <= 0 && size <= 0 && !old {
				return
			}
			rows -= diff
			size -= diff * int64(len(row))
			if l.gone(row) {
				continue // a tick that was refused waits with it
			}
			l.col.queue(row, -diff)
			l.dropped += diff
			l.bar, l.changed = bytes.Clone(row), true
		}
	}
}

// note is what is kept of the counts of a source.
func (r *sourceRun) note() []byte {
	var out []byte
	for _, n := range []int64{r.good, r.bad, r.bytes, r.lettered, r.errs.dropped} {
		out = binary.AppendVarint(out, n)
	}
	return append(out, r.errs.bar...)
}

// recall takes the counts from a note.
func (r *sourceRun) recall(note []byte) {
	for _, to := range []*int64{&r.good, &r.bad, &r.bytes, &r.lettered, &r.errs.dropped} {
		n, used := binary.Varint(note)
		if used <= 0 {
			return
		}
		*to, note = n, note[used:]
	}
	if len(note) > 0 {
		r.errs.bar = bytes.Clone(note)
	}
}

// trimErrors lets go what sources need not keep of their bad records. It runs in the loop, before a tick closes its inputs.
func (c *Coordinator) trimErrors() {
	now := c.opts.Clock.Now()
	for _, r := range c.sources {
		p := r.warden.now()
		r.errs.trim(p, repr.TimestampTZ(now.Add(-p.keepFor).UnixMicro()+unixEpochMicros))
	}
}

// settleErrors counts what the tick has changed of bad records, and asks for another where more is there than may be.
func (c *Coordinator) settleErrors() {
	for _, r := range c.sources {
		r.errs.changed = false
		if r.errs.settle(r.warden.now()) {
			c.queued = true
		}
	}
}
