package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fetched has the memory that the client decompresses record batches into, and that of the records themselves: it is used again when
// all records of a batch are done with, so that reading on takes no new memory.
type fetched struct{ bytes, records sync.Pool }

// GetDecompressBytes is for the client, which takes a larger one of its own when this is too small.
func (f *fetched) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	if b, ok := f.bytes.Get().(*[]byte); ok {
		return *b
	}
	return nil
}

// PutDecompressBytes is for the client.
func (f *fetched) PutDecompressBytes(b []byte) { f.bytes.Put(&b) }

// GetRecords is for the client.
func (f *fetched) GetRecords(n int) []kgo.Record {
	if r, ok := f.records.Get().(*[]kgo.Record); ok && cap(*r) >= n {
		return *r
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords is for the client.
func (f *fetched) PutRecords(r []kgo.Record) { f.records.Put(&r) }

// recycle gives back what was polled. Nothing of a record may be kept behind it.
func recycle(fetches kgo.Fetches) {
	fetches.EachRecord(func(r *kgo.Record) { r.Recycle() })
}
