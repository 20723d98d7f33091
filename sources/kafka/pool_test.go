package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestShelf: a slice comes back to who asks for about as much, and no other; few are kept, the largest.
func TestShelf(t *testing.T) {
	t.Parallel()
	var s shelf[byte]
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
	for n := range 2 * shelfMost {
		s.put(make([]byte, 0, 1000+n))
	}
	if len(s.free) != shelfMost || cap(s.free[0]) < 1000+shelfMost {
		t.Errorf("%d are kept, the least of %d, want %d", len(s.free), cap(s.free[0]), shelfMost)
	}
}

// TestFetchedMemory: what was fetched is kept while much comes, and goes when little does.
func TestFetchedMemory(t *testing.T) {
	t.Parallel()
	var f fetched
	f.PutRecords(f.GetRecords(5000))
	snappy := []byte{0x80, 0x80, 0x40, 0} // a megabyte
	f.PutDecompressBytes(f.GetDecompressBytes(snappy, kgo.CodecSnappy))
	for range 3 * fewPolls {
		f.polled(fewRecords)
	}
	if got := f.GetDecompressBytes(snappy, kgo.CodecSnappy); cap(got) < 1<<20 || len(f.bytes.free) != 0 || len(f.records.free) != 1 {
		t.Errorf("room for %d, and %d and %d left, want what was put back", cap(got), len(f.bytes.free), len(f.records.free))
	}
	for range fewPolls {
		f.polled(1)
	}
	if len(f.records.free) != 0 {
		t.Error("the records of a fetch are kept while little comes")
	}
}
