package op

import "millrace/internal/check"

// spans keep a run of bytes and two flags for each of many numbers.
type spans struct {
	data arena
	at   pages[span]
}

// span is where the bytes of a number lie, its flags above its size.
type span struct{ start, size uint32 }

const (
	spanStale = 1 << 31
	spanOdd   = 1 << 30
	spanFlags = spanStale | spanOdd
)

func newSpans() spans { return spans{at: pages[span]{width: 1}} }

// reach makes room for a number.
func (s *spans) reach(i int) { s.at.reach(i) }

func (s *spans) span(i int) *span { return &s.at.of(i)[0] }

func (s *spans) get(i int) []byte {
	p := s.span(i)
	return s.data.get(p.start, p.size&^spanFlags)
}

func (s *spans) has(i int, flag uint32) bool { return s.span(i).size&flag != 0 }
func (s *spans) raise(i int, flag uint32)    { s.span(i).size |= flag }
func (s *spans) lower(i int, flags uint32)   { s.span(i).size &^= flags }

// put makes a copy of b the bytes of a number; its flags stay. b must not be of the spans themselves.
func (s *spans) put(i int, b []byte) {
	p := s.span(i)
	n := p.size &^ spanFlags
	if int(n) == len(b) {
		copy(s.data.get(p.start, n), b)
		return
	}
	if len(b) >= spanOdd {
		check.Never("a span of %d bytes", len(b))
	}
	start := p.start
	p.start, p.size = s.data.add(b), uint32(len(b))|p.size&spanFlags
	s.dropped(start, n)
}

// drop forgets a number.
func (s *spans) drop(i int) {
	if i < s.at.n {
		p := s.span(i)
		was := *p
		*p = span{}
		s.dropped(was.start, was.size&^spanFlags)
	}
}

// dropped gives up a run of bytes, and moves a few others together when it is time for that.
func (s *spans) dropped(start, n uint32) {
	if !s.data.drop(start, n) {
		return
	}
	end := min(s.data.swept+sweepStep, s.at.n)
	for ; s.data.swept < end; s.data.swept++ {
		p := s.span(s.data.swept)
		p.start = s.data.moved(p.start, p.size&^spanFlags)
	}
	if end == s.at.n {
		s.data.end()
	}
}

func (s *spans) bytes() int64 { return s.data.size + s.at.bytes() }
