package envelope

import "iter"

// Rows keeps a row for each key, packed as the entries of an envelope are: the bytes of a row are never written again, so whoever
// got one may keep it.
type Rows struct{ t *entries }

// NewRows is one without any.
func NewRows() *Rows { return &Rows{t: newEntries()} }

// Find gives the row of a key.
func (r *Rows) Find(key []byte) ([]byte, bool) {
	e, ok := r.t.find(key)
	return e.row, ok
}

// Put sets the row of a key, and gives it as it is kept.
func (r *Rows) Put(key, row []byte) []byte { return r.t.put(key, entry{row: row}) }

// Remove forgets a key.
func (r *Rows) Remove(key []byte) { r.t.remove(key) }

// All gives each key and its row, in no order; the one that is given may be removed.
func (r *Rows) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, row []byte) bool) {
		for key, e := range r.t.all() {
			if !yield(key, e.row) {
				return
			}
		}
	}
}

// Len is how many there are.
func (r *Rows) Len() int { return r.t.len() }

// Bytes is the memory of them all.
func (r *Rows) Bytes() int64 { return r.t.bytes() }
