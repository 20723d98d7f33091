package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"millrace/internal/disk"
)

// A run is a file with the folded updates of one collection, in the order of the bytes of the rows, each row once.
//
//	header  magic "MRRN", format u32, collection u64, CRC-32C of these
//	block   length of what is stored u32, CRC-32C of it; and that: rows as in a record, plain or compressed
//	footer  length 0, count of blocks u32, count of rows u64, CRC-32C of these
const (
	runMagic  = 0x4e52524d
	runHeader = 20
	runFooter = 20
	blockSize = 64 << 10 // of rows, before compression
)

// run is what the manifest says of a run file.
type run struct {
	Collection uint64 `json:"collection"`
	File       string `json:"file"`
	Rows       int64  `json:"rows"`
	Bytes      int64  `json:"bytes"`
	// Size is that of its rows when they are not compressed; 0 where an older release wrote the run.
	Size int64 `json:"size,omitempty"`
	// Live is the size of its rows, those of retractions subtracted: over all runs of a collection about the size of what is there.
	Live int64 `json:"live,omitempty"`
}

// runWriter writes a run. Rows come in order.
type runWriter struct {
	f        disk.File
	name     string
	compress bool
	halt     func(rows int) error // why it is to be broken off
	at       int64
	out      []byte // whole blocks, and one that is begun
	begun    int    // where the rows of that stand in it; 0: none is
	plain    []byte // room for rows that are compressed
	blocks   uint32
	rows     int64
	size     int64
	live     int64
}

func newRunWriter(fs disk.FS, name string, collection uint64, room []byte) (*runWriter, error) {
	f, err := fs.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	w := &runWriter{f: f, name: name, out: room[:0], halt: func(int) error { return nil }}
	h := binary.LittleEndian.AppendUint32(nil, runMagic)
	h = binary.LittleEndian.AppendUint32(h, Format)
	h = binary.LittleEndian.AppendUint64(h, collection)
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	w.out = append(w.out, h...)
	return w, nil
}

// So much is gathered before it goes to the file, and read of it at once.
const (
	writeBehind = 1 << 20
	readAhead   = 512 << 10
)

// row takes a row.
func (w *runWriter) row(row []byte, diff int64, span []byte) error {
	w.open()
	if span != nil {
		w.out = append(w.out, span...)
	} else {
		w.out = appendRow(w.out, row, diff)
	}
	w.rows++
	w.size += int64(len(row))
	w.live += liveBytes(row, diff)
	if w.pending() < blockSize {
		return nil
	}
	return w.endPending()
}

// block takes the rows of a block: as it is stored, if the one before it is not too short then, or else behind the pending rows.
func (w *runWriter) block(b *block) error {
	w.rows += int64(b.rows)
	w.size += int64(len(b.body))
	w.live += b.live
	if err := w.halt(b.rows); err != nil {
		return err
	}
	short := w.pending() > 0 && w.pending() < blockSize/4
	if !short {
		if err := w.endPending(); err != nil {
			return err
		}
	}
	if short || b.stored == nil || w.compress && b.stored[0] == storedPlain {
		w.open()
		w.out = append(w.out, b.body...)
		return w.endPending()
	}
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(len(b.stored)))
	w.out = binary.LittleEndian.AppendUint32(w.out, b.sum)
	w.out = append(w.out, b.stored...)
	return w.wrote()
}

// blockHeader is what stands before what is stored of a block; one byte of that says how it is.
const blockHeader = 8

// open begins a block behind those that are whole, unless one is begun.
func (w *runWriter) open() {
	if w.begun == 0 {
		w.out = append(w.out, 0, 0, 0, 0, 0, 0, 0, 0, storedPlain)
		w.begun = len(w.out)
	}
}

// pending is how many bytes of rows the block has that is begun.
func (w *runWriter) pending() int {
	if w.begun == 0 {
		return 0
	}
	return len(w.out) - w.begun
}

// endPending ends the block that is begun.
func (w *runWriter) endPending() error {
	n := w.pending()
	if n == 0 {
		return nil
	}
	if err := w.halt(n / 64); err != nil {
		return err
	}
	at := w.begun - 1 - blockHeader
	if w.compress {
		w.plain = append(w.plain[:0], w.out[w.begun:]...)
		w.out = pack(w.out[:at+blockHeader], w.plain, true)
	}
	stored := w.out[at+blockHeader:]
	binary.LittleEndian.PutUint32(w.out[at:], uint32(len(stored)))
	binary.LittleEndian.PutUint32(w.out[at+4:], crc32.Checksum(stored, castagnoli))
	w.begun = 0
	return w.wrote()
}

// wrote counts a block.
func (w *runWriter) wrote() error {
	w.blocks++
	if len(w.out) < writeBehind {
		return nil
	}
	return w.flush()
}

// flush writes the whole blocks of the disk that there are; what is left waits for more.
func (w *runWriter) flush() error {
	n := len(w.out) / disk.Block * disk.Block
	if err := w.write(w.out[:n]); err != nil {
		return err
	}
	w.out = w.out[:copy(w.out, w.out[n:])]
	return nil
}

func (w *runWriter) write(b []byte) error {
	if _, err := w.f.WriteAt(b, w.at); err != nil {
		return fmt.Errorf("write %s: %w", w.name, err)
	}
	w.at += int64(len(b))
	return nil
}

// finish writes the footer and makes the file durable.
func (w *runWriter) finish() error {
	if err := w.endPending(); err != nil {
		return err
	}
	f := binary.LittleEndian.AppendUint32(nil, 0)
	f = binary.LittleEndian.AppendUint32(f, w.blocks)
	f = binary.LittleEndian.AppendUint64(f, uint64(w.rows))
	w.out = append(w.out, binary.LittleEndian.AppendUint32(f, crc32.Checksum(f, castagnoli))...)
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.write(w.out); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.name, err)
	}
	return nil
}

// runReader is the stream of a run.
type runReader struct {
	f          disk.File
	name       string
	collection uint64
	size       int64
	at         int64
	before     int64     // where the last block begins
	ahead      window    // what is read of the file
	stored     [2][]byte // room for blocks: the last one stays as it is while the next is read
	body       [2][]byte
	turn       int
	blocks     uint32
	rows       int64 // as the footer says; 0 before the end
	ended      bool
}

func openRun(fs disk.FS, name string, collection uint64) (*runReader, error) {
	f, err := fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, damage(name, 0, "the file is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("open a run: %w", err)
	}
	r := &runReader{f: f, name: name, collection: collection, at: runHeader}
	if err := r.check(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func (r *runReader) check() error {
	var err error
	if r.size, err = r.f.Size(); err != nil {
		return fmt.Errorf("read %s: %w", r.name, err)
	}
	if r.size < runHeader+runFooter {
		return damage(r.name, r.size, "the file is too short")
	}
	h, err := r.read(0, runHeader)
	if err != nil {
		return err
	}
	switch {
	case binary.LittleEndian.Uint32(h) != runMagic:
		return damage(r.name, 0, "this is no run of a journal")
	case crc32.Checksum(h[:runHeader-4], castagnoli) != binary.LittleEndian.Uint32(h[16:]):
		return damage(r.name, 0, "the header does not agree with its checksum")
	case binary.LittleEndian.Uint32(h[4:]) > Format:
		return &VersionError{File: r.name, Found: binary.LittleEndian.Uint32(h[4:]), Supported: Format}
	case binary.LittleEndian.Uint64(h[8:]) != r.collection:
		return damage(r.name, 8, "the header says collection %d", binary.LittleEndian.Uint64(h[8:]))
	}
	return nil
}

func (r *runReader) read(at int64, n int) ([]byte, error) {
	if at+int64(n) > r.size {
		return nil, damage(r.name, at, "the file ends early")
	}
	room := &r.stored[r.turn]
	if cap(*room) < n {
		*room = make([]byte, n)
	}
	b := (*room)[:n]
	if err := r.ahead.read(r.f, r.size, b, at); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.name, err)
	}
	return b, nil
}

// window is a part of a file that was read ahead, in whole blocks of the disk.
type window struct {
	b  []byte
	at int64
}

// read gives len(dst) bytes of a file of a size.
func (w *window) read(f disk.File, size int64, dst []byte, at int64) error {
	for len(dst) > 0 {
		if at < w.at || at >= w.at+int64(len(w.b)) {
			if err := w.fill(f, size, at); err != nil {
				return err
			}
		}
		n := copy(dst, w.b[at-w.at:])
		dst, at = dst[n:], at+int64(n)
	}
	return nil
}

func (w *window) fill(f disk.File, size, at int64) error {
	w.at = at / disk.Block * disk.Block
	n := int(min(readAhead, blocks(size-w.at)))
	if cap(w.b) < n {
		w.b = disk.Buffer(n)
	}
	n, err := f.ReadAt(w.b[:n], w.at)
	w.b = w.b[:n]
	if errors.Is(err, io.EOF) && w.at+int64(n) > at {
		err = nil
	}
	return err
}

func (r *runReader) next() (block, error) {
	if r.ended {
		return block{}, nil
	}
	r.turn ^= 1
	h, err := r.read(r.at, 8)
	if err != nil {
		return block{}, err
	}
	n, sum := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
	if n == 0 {
		r.ended = true
		return block{}, r.checkFooter()
	}
	stored, err := r.read(r.at+8, int(n))
	if err != nil {
		return block{}, err
	}
	if crc32.Checksum(stored, castagnoli) != sum {
		return block{}, damage(r.name, r.at, "a block does not agree with its checksum")
	}
	body, err := unpack(r.body[r.turn], stored)
	if err != nil {
		return block{}, damage(r.name, r.at, "a block does not unpack")
	}
	if stored[0] == storedCompressed {
		r.body[r.turn] = body
	}
	if len(body) == 0 {
		return block{}, damage(r.name, r.at, "a block is empty")
	}
	r.before = r.at
	r.at += 8 + int64(n)
	r.blocks++
	return block{body: body, stored: stored, sum: sum}, nil
}

func (r *runReader) weight() int64 { return r.size }

func (r *runReader) damaged() error { return damage(r.name, r.before, "a block does not parse") }

func (r *runReader) checkFooter() error {
	f, err := r.read(r.at, runFooter)
	if err != nil {
		return err
	}
	switch {
	case crc32.Checksum(f[:16], castagnoli) != binary.LittleEndian.Uint32(f[16:]), r.at+runFooter != r.size:
		return damage(r.name, r.at, "the footer does not agree with its checksum")
	case binary.LittleEndian.Uint32(f[4:]) != r.blocks:
		return damage(r.name, r.at, "the file has lost blocks")
	}
	r.rows = int64(binary.LittleEndian.Uint64(f[8:]))
	return nil
}

func (r *runReader) close() { _ = r.f.Close() } // it was only read
