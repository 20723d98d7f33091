package kafka

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fetched has the memory that the client decompresses record batches into, and that of the records themselves: it is used again when
// all records of a batch are done with, so that reading on takes no new memory.
type fetched struct {
	bytes   shelf[byte]
	records shelf[kgo.Record]
	few     int // polls behind one another that brought few records
}

// What is kept for the next fetch goes when so many polls behind one another bring fewer records than fewRecords.
const (
	fewRecords = 1000
	fewPolls   = 10
)

// mostUnpacked is how large a batch of records is when it is unpacked for room to be made for it as it says itself.
const mostUnpacked = 4 << 20

// GetDecompressBytes is for the client, which takes a larger one of its own when this is too small.
func (f *fetched) GetDecompressBytes(src []byte, codec kgo.CompressionCodecType) []byte {
	need := 4 * len(src)
	if codec == kgo.CodecSnappy { // it begins with its length, unless it is in many frames: then this says anything
		if n, w := binary.Uvarint(src); w > 0 {
			need = int(min(n, mostUnpacked))
		}
	}
	return f.bytes.get(min(need, mostUnpacked))
}

// PutDecompressBytes is for the client.
func (f *fetched) PutDecompressBytes(b []byte) { f.bytes.put(b) }

// GetRecords is for the client.
func (f *fetched) GetRecords(n int) []kgo.Record { return f.records.get(n) }

// PutRecords is for the client.
func (f *fetched) PutRecords(r []kgo.Record) { f.records.put(r) }

// polled lets go of all when little has come for a while.
func (f *fetched) polled(records int) {
	if records >= fewRecords {
		f.few = 0
		return
	}
	if f.few++; f.few == fewPolls {
		f.bytes.clear()
		f.records.clear()
	}
}

// shelf has slices that are used again. Unlike those of a sync.Pool they are not gone with each collection of garbage, and the one that
// fits best is taken.
type shelf[T any] struct {
	mu   sync.Mutex
	free [][]T // by capacity
}

// A shelf keeps so many slices, and gives none that has more than so many times the room that is asked for.
const (
	shelfMost = 32
	shelfFits = 8
)

// get is an empty slice with room for n.
func (s *shelf[T]) get(n int) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.at(n); i < len(s.free) && cap(s.free[i]) <= shelfFits*n {
		b := s.free[i]
		s.free = slices.Delete(s.free, i, i+1)
		return b[:0]
	}
	return make([]T, 0, n+n/8) // the next one may be a little larger
}

// put takes a slice back.
func (s *shelf[T]) put(b []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = slices.Insert(s.free, s.at(cap(b)), b)
	if len(s.free) > shelfMost {
		s.free = slices.Delete(s.free, 0, 1)
	}
}

// at is the place of the first slice with room for n.
func (s *shelf[T]) at(n int) int {
	i, _ := slices.BinarySearchFunc(s.free, n, func(b []T, n int) int { return cap(b) - n })
	return i
}

func (s *shelf[T]) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
}

// recycle gives back what was polled. Nothing of a record may be kept behind it.
func recycle(fetches kgo.Fetches) {
	fetches.EachRecord(func(r *kgo.Record) { r.Recycle() })
}
