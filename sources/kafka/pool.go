package kafka

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pools keep the memory of records that are done with for those that are fetched next: what the client decompresses batches into, and
// the records themselves. The client asks for both, and gives them back when all records of a batch are recycled, so reading on takes no
// new memory.
type pools struct {
	bytes   pool[byte]
	records pool[kgo.Record]
	quiet   int // polls in a row that brought few records
}

// After quietPolls polls in a row with fewer than fewRecords records each, the memory that is kept goes.
const (
	fewRecords = 1000
	quietPolls = 10
)

// mostUnpacked is the most room that is made on the word of a batch, before it is unpacked: its length is not checked by then.
const mostUnpacked = 4 << 20

// GetDecompressBytes gives the client room to decompress src into. When that is too small the client takes more by itself.
func (p *pools) GetDecompressBytes(src []byte, codec kgo.CompressionCodecType) []byte {
	need := 4 * len(src)
	if codec == kgo.CodecSnappy { // it begins with its length; where it is in frames, this reads some other number
		if n, w := binary.Uvarint(src); w > 0 {
			need = int(min(n, mostUnpacked))
		}
	}
	return p.bytes.get(min(need, mostUnpacked))
}

// PutDecompressBytes takes back what GetDecompressBytes gave, or what the client had by itself.
func (p *pools) PutDecompressBytes(b []byte) { p.bytes.put(b) }

// GetRecords gives the client room for n records.
func (p *pools) GetRecords(n int) []kgo.Record { return p.records.get(n) }

// PutRecords takes back what GetRecords gave.
func (p *pools) PutRecords(r []kgo.Record) { p.records.put(r) }

// polled is told how many records each poll brought, and lets go of all memory when that was little for a while.
func (p *pools) polled(records int) {
	if records >= fewRecords {
		p.quiet = 0
		return
	}
	if p.quiet++; p.quiet == quietPolls {
		p.bytes.clear()
		p.records.clear()
	}
}

// pool keeps slices to be used again. Unlike those of a sync.Pool they outlive a collection of garbage, and of several the one that fits
// best is given.
type pool[T any] struct {
	mu   sync.Mutex // guards free
	free [][]T      // the least capacity first
}

const (
	poolSlices = 32 // a pool keeps this many slices, the largest
	poolSpare  = 8  // a slice is given to who needs an eighth of it at least, so that large ones stay for large batches
)

// get gives an empty slice with room for n.
func (p *pool[T]) get(n int) []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.firstWithRoom(n); i < len(p.free) && cap(p.free[i]) <= poolSpare*n {
		b := p.free[i]
		p.free = slices.Delete(p.free, i, i+1)
		return b[:0]
	}
	return make([]T, 0, n+n/8) // batches differ a little: with some room to spare it serves the next one, too
}

// put takes a slice back.
func (p *pool[T]) put(b []T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = slices.Insert(p.free, p.firstWithRoom(cap(b)), b)
	if len(p.free) > poolSlices {
		p.free = slices.Delete(p.free, 0, 1)
	}
}

// firstWithRoom is the place of the first slice with room for n.
func (p *pool[T]) firstWithRoom(n int) int {
	i, _ := slices.BinarySearchFunc(p.free, n, func(b []T, n int) int { return cap(b) - n })
	return i
}

func (p *pool[T]) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = nil
}

// recycle gives the memory of what was polled back to its pools. Nothing of a record may be used from then on.
func recycle(fetches kgo.Fetches) {
	fetches.EachRecord(func(r *kgo.Record) { r.Recycle() })
}
