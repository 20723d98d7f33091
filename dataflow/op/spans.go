package op

import (
	"math"

	"millrace/internal/check"
)

// spans keep a run of bytes and two flags for each of many numbers, in one array.
type spans struct {
	data []byte
	at   []span
	dead int // bytes that belong to no number any more
}

// span is where the bytes of a number lie, its flags above its size.
type span struct{ start, size uint32 }

const (
	spanStale = 1 << 31
	spanOdd   = 1 << 30
	spanFlags = spanStale | spanOdd
)

// reach makes room for a number.
func (s *spans) reach(i int) {
	for len(s.at) <= i {
		s.at = append(s.at, span{})
	}
}

func (s *spans) get(i int) []byte {
	p := s.at[i]
	n := p.size &^ spanFlags
	return s.data[p.start : p.start+n : p.start+n]
}

func (s *spans) has(i int, flag uint32) bool { return s.at[i].size&flag != 0 }
func (s *spans) raise(i int, flag uint32)    { s.at[i].size |= flag }
func (s *spans) lower(i int, flags uint32)   { s.at[i].size &^= flags }

// put makes a copy of b the bytes of a number; its flags stay.
func (s *spans) put(i int, b []byte) {
	p := &s.at[i]
	n := p.size &^ spanFlags
	if int(n) == len(b) {
		copy(s.data[p.start:], b)
		return
	}
	s.dead += int(n)
	if s.dead > 1<<20 && 2*s.dead > len(s.data) {
		p.size &= spanFlags
		s.compact()
	}
	if len(b) >= spanOdd || len(s.data)+len(b) > math.MaxUint32 {
		check.Never("spans of %d bytes and one of %d", len(s.data), len(b))
	}
	p.start, p.size = uint32(len(s.data)), uint32(len(b))|p.size&spanFlags
	s.data = append(s.data, b...)
}

// drop forgets a number.
func (s *spans) drop(i int) {
	if i < len(s.at) {
		s.dead += int(s.at[i].size &^ spanFlags)
		s.at[i] = span{}
	}
}

// compact rewrites the array without what is dead.
func (s *spans) compact() {
	data := make([]byte, 0, len(s.data)-s.dead)
	for i := range s.at {
		b := s.get(i)
		s.at[i].start = uint32(len(data))
		data = append(data, b...)
	}
	s.data, s.dead = data, 0
}

func (s *spans) bytes() int64 { return int64(cap(s.data) + 8*cap(s.at)) }
