package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
}

// runWriter writes a run. Rows come in order.
type runWriter struct {
	f        disk.File
	name     string
	compress bool
	at       int64
	block    []byte
	out      []byte
	blocks   uint32
	rows     int64
}

func newRunWriter(fs disk.FS, name string, collection uint64, compress bool) (*runWriter, error) {
	f, err := fs.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	w := &runWriter{f: f, name: name, compress: compress}
	h := binary.LittleEndian.AppendUint32(nil, runMagic)
	h = binary.LittleEndian.AppendUint32(h, Format)
	h = binary.LittleEndian.AppendUint64(h, collection)
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	w.out = h
	return w, nil
}

// writeBehind is how much is gathered before it goes to the file.
const writeBehind = 1 << 20

func (w *runWriter) add(row []byte, diff int64) error {
	w.block = binary.AppendUvarint(w.block, uint64(len(row)))
	w.block = append(w.block, row...)
	w.block = binary.AppendVarint(w.block, diff)
	w.rows++
	if len(w.block) < blockSize {
		return nil
	}
	return w.endBlock()
}

func (w *runWriter) endBlock() error {
	if len(w.block) == 0 {
		return nil
	}
	at := len(w.out)
	w.out = append(w.out, 0, 0, 0, 0, 0, 0, 0, 0)
	w.out = pack(w.out, w.block, w.compress)
	stored := w.out[at+8:]
	binary.LittleEndian.PutUint32(w.out[at:], uint32(len(stored)))
	binary.LittleEndian.PutUint32(w.out[at+4:], crc32.Checksum(stored, castagnoli))
	w.block = w.block[:0]
	w.blocks++
	if len(w.out) < writeBehind {
		return nil
	}
	return w.flush()
}

func (w *runWriter) flush() error {
	if _, err := w.f.WriteAt(w.out, w.at); err != nil {
		return fmt.Errorf("write %s: %w", w.name, err)
	}
	w.at += int64(len(w.out))
	w.out = w.out[:0]
	return nil
}

// finish writes the footer and makes the file durable.
func (w *runWriter) finish() error {
	if err := w.endBlock(); err != nil {
		return err
	}
	f := binary.LittleEndian.AppendUint32(nil, 0)
	f = binary.LittleEndian.AppendUint32(f, w.blocks)
	f = binary.LittleEndian.AppendUint64(f, uint64(w.rows))
	w.out = append(w.out, binary.LittleEndian.AppendUint32(f, crc32.Checksum(f, castagnoli))...)
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.name, err)
	}
	return nil
}

// stream gives rows in order, block by block; nil is behind the last. A block is valid until the next call.
type stream interface {
	next() (*rows, error)
}

// runReader is the stream of a run.
type runReader struct {
	f      disk.File
	name   string
	size   int64
	at     int64
	stored []byte
	body   []byte
	block  rows
	blocks uint32
	rows   int64
	ended  bool
}

func openRun(fs disk.FS, name string, collection uint64) (*runReader, error) {
	f, err := fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, damage(name, 0, "the file is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("open a run: %w", err)
	}
	r := &runReader{f: f, name: name, at: runHeader}
	if err := r.check(collection); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func (r *runReader) check(collection uint64) error {
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
	case binary.LittleEndian.Uint64(h[8:]) != collection:
		return damage(r.name, 8, "the header says collection %d", binary.LittleEndian.Uint64(h[8:]))
	}
	return nil
}

func (r *runReader) read(at int64, n int) ([]byte, error) {
	if at+int64(n) > r.size {
		return nil, damage(r.name, at, "the file ends early")
	}
	if cap(r.stored) < n {
		r.stored = make([]byte, n)
	}
	b := r.stored[:n]
	if _, err := r.f.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.name, err)
	}
	return b, nil
}

func (r *runReader) next() (*rows, error) {
	if r.ended {
		return nil, nil
	}
	h, err := r.read(r.at, 8)
	if err != nil {
		return nil, err
	}
	n, sum := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
	if n == 0 {
		r.ended = true
		return nil, r.checkFooter()
	}
	stored, err := r.read(r.at+8, int(n))
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(stored, castagnoli) != sum {
		return nil, damage(r.name, r.at, "a block does not agree with its checksum")
	}
	body, err := unpack(r.body, stored)
	if err != nil {
		return nil, damage(r.name, r.at, "a block does not unpack")
	}
	if stored[0] == storedCompressed {
		r.body = body
	}
	if !r.parse(body) {
		return nil, damage(r.name, r.at, "a block does not parse")
	}
	r.at += 8 + int64(n)
	r.blocks++
	r.rows += int64(r.block.Len())
	return &r.block, nil
}

// parse reads the rows of a block, which alias it.
func (r *runReader) parse(body []byte) bool {
	r.block.list, r.block.diffs = r.block.list[:0], r.block.diffs[:0]
	rest := reader{b: body}
	for len(rest.b) > 0 {
		row := rest.bytes(rest.uvarint())
		r.block.add(row, rest.varint())
	}
	return !rest.bad
}

func (r *runReader) checkFooter() error {
	f, err := r.read(r.at, runFooter)
	if err != nil {
		return err
	}
	switch {
	case crc32.Checksum(f[:16], castagnoli) != binary.LittleEndian.Uint32(f[16:]), r.at+runFooter != r.size:
		return damage(r.name, r.at, "the footer does not agree with its checksum")
	case binary.LittleEndian.Uint32(f[4:]) != r.blocks || binary.LittleEndian.Uint64(f[8:]) != uint64(r.rows):
		return damage(r.name, r.at, "the file has lost blocks")
	}
	return nil
}

func (r *runReader) close() { _ = r.f.Close() } // it was only read
