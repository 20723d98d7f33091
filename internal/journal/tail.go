package journal

import (
	"errors"
	"io"

	"millrace/internal/disk"
)

// blocks is n, or the next multiple of a block.
func blocks(n int64) int64 { return (n + disk.Block - 1) / disk.Block * disk.Block }

// tail is the end of the newest segment as it is written: whole blocks, of which the first begins with what is durable already,
// then the record that is on its way, then zeros. So all writes go past the pages of the system.
type tail struct {
	b    []byte // at a multiple of a block in memory
	kept int    // bytes of the first block that are in the file
	body []byte // room for what is compressed then
}

// load takes what a file has in the block in which it ends.
func (t *tail) load(f disk.File, end int64) error {
	t.kept = 0
	t.grow(disk.Block)
	t.kept = int(end % disk.Block)
	block := t.b[:t.kept]
	if _, err := f.ReadAt(block, end-int64(t.kept)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// grow makes room for n bytes behind what is kept.
func (t *tail) grow(n int) {
	if need := t.kept + n; need > cap(t.b) {
		b := disk.Buffer((need + need/4 + disk.Block) / disk.Block * disk.Block)
		copy(b, t.b[:t.kept])
		t.b = b
	}
}

// record puts a record behind what is kept, and gives its size.
func (t *tail) record(number uint64, r *Record, compress bool) int64 {
	if compress {
		t.body = appendBody(t.body[:0], r)
		t.grow(recordHeader + packRoom(len(t.body), compress) + disk.Block)
		t.b = appendRecord(t.b[:t.kept], number, r.Time, t.body, compress)
	} else {
		t.grow(recordHeader + 1 + bodyRoom(r) + disk.Block)
		t.b = appendPlain(t.b[:t.kept], number, r)
	}
	size := len(t.b) - t.kept
	for len(t.b)%disk.Block > 0 {
		n := len(t.b)
		t.b = t.b[:n+disk.Block-n%disk.Block]
		clear(t.b[n:])
	}
	return int64(size)
}

// write writes the blocks to a file that ends at end without the record.
func (t *tail) write(f disk.File, end int64) error {
	_, err := f.WriteAt(t.b, end-int64(t.kept))
	return err
}

// wrote keeps what the next record is written behind.
func (t *tail) wrote(size int64) {
	end := t.kept + int(size)
	kept := end % disk.Block
	copy(t.b, t.b[end-kept:end])
	t.kept = kept
}

// shrink lets go of the room for a large record.
func (t *tail) shrink() {
	kept := t.b[:t.kept]
	t.b = disk.Buffer(disk.Block)
	copy(t.b, kept)
	t.body = nil
}
