package op

import (
	"bytes"

	"millrace/arrangement"
	"millrace/repr"
)

// Redo is, in a loop, any operator whose output for a key depends on the rows of that key alone. It keeps what came
// and what it put out, by iteration. When a key is touched at an iteration, it computes the output for the rows up to
// that iteration anew and puts out the difference to what it had put out up to there; and it looks at the key again
// at every later iteration at which the key has rows or output, for there the difference may now be another.
type Redo struct {
	Keys int // leading columns of an input row that are the key
	// KeyOf appends the key of an output row; nil when it cannot be told from the row. Then each key is run by itself.
	KeyOf func(dst, row []byte) []byte
	// Run computes the output for a sealed batch, from nothing. With KeyOf, the rows of errs begin with the key.
	Run func(in arrangement.Batch, out *arrangement.Builder, errs *Errors)
	// Pack makes an error row.
	Pack func(dst []byte, e *repr.Error, row []byte) []byte
	// Always says that there is output for the key without columns also when there are no rows.
	Always bool

	in, out *Arranged // out: key, tag, row
	started bool
}

// The tags that tell rows from errors in the output that is kept.
const (
	tagRow = iota
	tagErr
)

// Init prepares the operator once its fields are set.
func (r *Redo) Init() { r.in, r.out = NewArranged(), NewArranged() }

// LoopStep is what a keyed operator is stepped with at an iteration.
type LoopStep struct {
	In        arrangement.Batch // sealed: what came
	Again     arrangement.Batch // sealed: the keys that are to be looked at again
	Iteration int
	Later     LoopOutput // is told where to look at a key again
}

// Step emits how the output of the touched keys changes.
func (r *Redo) Step(s LoopStep, out *arrangement.Builder, errs *Errors) {
	keys := r.touched(s)
	r.in.StepAt(s.In, s.Iteration)
	if keys.Len() == 0 {
		r.out.StepAt(arrangement.Batch{}, s.Iteration)
		return
	}
	next := arrangement.NewBuilder()
	r.compute(r.content(keys, s), next)
	r.subtract(keys, s, next)
	delta := next.Seal()
	r.out.StepAt(delta, s.Iteration)
	for i := range delta.Len() {
		row := delta.Row(i)
		row = row[repr.PrefixLen(row, r.Keys):]
		if row[0] == tagErr {
			errs.Rows.Add(row[1:], delta.Diff(i))
		} else {
			out.Add(row[1:], delta.Diff(i))
		}
	}
}

// touched are the keys to be computed, each once.
func (r *Redo) touched(s LoopStep) arrangement.Batch {
	b := arrangement.NewBuilder()
	for i := range s.In.Len() {
		row := s.In.Row(i)
		b.Add(row[:repr.PrefixLen(row, r.Keys)], 1)
	}
	for i := range s.Again.Len() {
		b.Add(s.Again.Row(i), 1)
	}
	if r.Always && !r.started {
		b.Add(nil, 1)
	}
	r.started = true
	return b.Seal()
}

// content are the rows of the keys up to the iteration.
func (r *Redo) content(keys arrangement.Batch, s LoopStep) arrangement.Batch {
	b := arrangement.NewBuilder()
	gather(r.in.Cur, keys, s, func(row []byte, n repr.Diff) { b.Add(row, n) })
	return b.Seal()
}

// subtract takes away what was put out for the keys up to the iteration.
func (r *Redo) subtract(keys arrangement.Batch, s LoopStep, next *arrangement.Builder) {
	gather(r.out.Cur, keys, s, func(row []byte, n repr.Diff) { next.Add(row, -n) })
}

// gather walks the rows of keys up to an iteration, and has a key looked at again at the next one at which it has rows.
func gather(snap *arrangement.Snapshot, keys arrangement.Batch, s LoopStep, f func(row []byte, n repr.Diff)) {
	cur := snap.Cursor()
	for i := range keys.Len() {
		key, next := keys.Row(i), 0
		for cur.SeekKey(key); cur.Valid(); cur.Next() {
			row, at := iterated(cur.Row())
			switch {
			case at <= s.Iteration:
				f(row, cur.Diff())
			case next == 0 || at < next:
				next = at
			}
		}
		if next > 0 {
			s.Later(next).Add(key, 1)
		}
	}
}

// compute runs the operator over rows and adds its output, behind key and tag.
func (r *Redo) compute(rows arrangement.Batch, next *arrangement.Builder) {
	if r.KeyOf != nil {
		r.run(rows, nil, next)
		return
	}
	group := arrangement.NewBuilder()
	for i := 0; i < rows.Len(); {
		first := rows.Row(i)
		key := first[:repr.PrefixLen(first, r.Keys)]
		group.Reset()
		for ; i < rows.Len() && bytes.HasPrefix(rows.Row(i), key); i++ {
			group.Add(rows.Row(i), rows.Diff(i))
		}
		r.run(group.Seal(), key, next)
	}
}

// run runs the operator over the rows of one key, or of all when KeyOf tells them apart.
func (r *Redo) run(rows arrangement.Batch, key []byte, next *arrangement.Builder) {
	made := arrangement.NewBuilder()
	r.Run(rows, made, &Errors{Rows: next, Pack: func(dst []byte, e *repr.Error, row []byte) []byte {
		of := key
		if r.KeyOf != nil {
			of = row[:repr.PrefixLen(row, r.Keys)]
		}
		return r.Pack(append(append(dst, of...), tagErr), e, row)
	}})
	for i, b := 0, made.View(); i < b.Len(); i++ {
		row := append(next.Open(), key...)
		if r.KeyOf != nil {
			row = r.KeyOf(row, b.Row(i))
		}
		next.Keep(append(append(row, tagRow), b.Row(i)...), b.Diff(i))
	}
}

// Bytes is the memory of the operator's state.
func (r *Redo) Bytes() int64 { return r.in.Bytes() + r.out.Bytes() }

// Rows is the size of the operator's state.
func (r *Redo) Rows() int64 { return r.in.Rows() + r.out.Rows() }
