package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPool: a slice comes back to who asks for about as much, and no other; few are kept, the largest.
func TestPool(t *testing.T) {
	t.Parallel()
	var s pool[byte]
	a, b := s.get(1000), s.get(9000)
	if cap(a) < 1000 || cap(b) < 9000 || len(a)+len(b) > 0 {
		t.Fatalf("room for %d and %d, want 1000 and 9000", cap(a), cap(b))
	}
	s.put(b)
	s.put(a[:500])
	if got := s.get(900); cap(got) != cap(a) || len(got) != 0 {
		t.Errorf("room for %d, of which %d are taken, want that of the first, %d", cap(got), len(got), cap(a))
	}
	if got := s.get(10); cap(got) > 100 {
		t.Errorf("room for %d for 10, while one for %d is free", cap(got), cap(b))
	}
	if got := s.get(8000); cap(got) != cap(b) {
		t.Errorf("room for %d, want that of the second, %d", cap(got), cap(b))
	}
	for n := range 2 * poolSlices {
		s.put(make([]byte, 0, 1000+n))
	}
	if len(s.free) != poolSlices || cap(s.free[0]) < 1000+poolSlices {
		t.Errorf("%d are kept, the least of %d, want %d", len(s.free), cap(s.free[0]), poolSlices)
	}
}

// TestFetchedMemory: what was fetched is kept while much comes, and goes when little does.
func TestFetchedMemory(t *testing.T) {
	t.Parallel()
	var p pools
	p.PutRecords(p.GetRecords(5000))
	snappy := []byte{0x80, 0x80, 0x40, 0} // a megabyte
	p.PutDecompressBytes(p.GetDecompressBytes(snappy, kgo.CodecSnappy))
	for range 3 * quietPolls {
		p.polled(fewRecords)
	}
	if got := p.GetDecompressBytes(snappy, kgo.CodecSnappy); cap(got) < 1<<20 || len(p.bytes.free) != 0 || len(p.records.free) != 1 {
		t.Errorf("room for %d, and %d and %d left, want what was put back", cap(got), len(p.bytes.free), len(p.records.free))
	}
	for range quietPolls {
		p.polled(1)
	}
	if len(p.records.free) != 0 {
		t.Error("the records of a fetch are kept while little comes")
	}
}
