package envelope

import (
	"bytes"
	"context"
)

// Foreseeing is an envelope that is glad to know the keys of the messages that come next: where they lead to is read for all of them
// at once, so that the memory, which is far away, is waited for once and not for each.
type Foreseeing interface {
	Envelope
	// Foresee is told keys, at most MostForeseen of them. The messages need not come.
	Foresee(ctx context.Context, keys [][]byte)
}

// MostForeseen is how many keys are foreseen at once: what they lead to fits into the nearest cache.
const MostForeseen = 32

// foreseen are keys as they came and as they are packed, in the order of their messages. They lie in memory of their own: that of
// the messages may be used again.
type foreseen struct {
	raw    [MostForeseen][]byte
	packed [MostForeseen][]byte // nil of a key that is not known yet, or bad
	buf    []byte
	n      int
	next   int    // the first whose message has not come
	warm   uint64 // what was read ahead; nobody needs it
}

// fill takes other keys.
func (f *foreseen) fill(ctx context.Context, a *avroChanges, keys [][]byte) {
	f.buf, f.n, f.next = f.buf[:0], min(len(keys), MostForeseen), 0
	for i, key := range keys[:f.n] {
		f.raw[i], f.packed[i] = nil, nil
		if len(key) == 0 {
			continue
		}
		from := len(f.buf)
		f.buf = append(f.buf, key...)
		f.raw[i], from = f.buf[from:len(f.buf):len(f.buf)], len(f.buf)
		buf, err := a.appendKey(ctx, f.buf, key)
		if err != nil {
			continue // it is packed again when its message comes, which is then the time to say so
		}
		f.buf = buf // what was packed into the room before it stays as it is
		f.packed[i] = buf[from:len(buf):len(buf)]
	}
}

// take gives a key as it is packed, when it was foreseen.
func (f *foreseen) take(key []byte) ([]byte, bool) {
	for i := f.next; i < f.n; i++ {
		if f.raw[i] != nil && bytes.Equal(f.raw[i], key) {
			f.next = i + 1
			return f.packed[i], f.packed[i] != nil
		}
	}
	return nil, false
}

// Foresee is told the keys that come next.
func (d *Debezium) Foresee(ctx context.Context, keys [][]byte) {
	a, ok := d.changes.(*avroChanges)
	if !ok || len(a.keyCols) == 0 {
		return
	}
	a.ahead.fill(ctx, a, keys)
	d.live.warmUp(&a.ahead)
}

// warmUp reads where keys lead to: the slots of all, then the records of all, for reads that do not wait for one another take the
// time of a few.
func (t *entries) warmUp(f *foreseen) {
	var places [MostForeseen]slot
	for i, key := range f.packed[:f.n] {
		if key == nil {
			continue
		}
		hash := t.hash(key)
		g, at := t.slots.of(hash)
		for g.slots[at].chunk != 0 && g.slots[at].hash != hash {
			at = g.next(at)
		}
		places[i] = g.slots[at]
	}
	for _, s := range places[:f.n] {
		if s.chunk != 0 {
			f.warm += uint64(t.chunks[s.chunk-1].data[s.at])
		}
	}
}
