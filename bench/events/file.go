package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"millrace/repr"
)

const (
	bufferBytes = 4 << 20
	// recordBytes is more than any record needs: texts of at most 64 KiB, at most six of them, and some numbers.
	recordBytes = 512 << 10
	// millis2000 is 2000-01-01 in milliseconds since 1970: where timestamps count from.
	millis2000 = 946_684_800_000
)

// errShort says that the file ends within a record.
var errShort = errors.New("the file ends early")

// Batch is a run of records in the order of the file: of each its table, its diff and its packed row.
type Batch struct {
	Tables []uint8
	Diffs  []repr.Diff
	rows   []byte
	ends   []int
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.ends) }

// Row is the packed row of a record. It must not be changed, and holds until the next Read or Reset.
func (b *Batch) Row(i int) []byte {
	start := 0
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.rows[start:b.ends[i]:b.ends[i]]
}

// Bytes is the size of all rows together.
func (b *Batch) Bytes() int { return len(b.rows) }

// Reset empties the batch and keeps its buffers.
func (b *Batch) Reset() {
	b.Tables, b.Diffs, b.rows, b.ends = b.Tables[:0], b.Diffs[:0], b.rows[:0], b.ends[:0]
}

// File is an open event file. It belongs to one goroutine.
type File struct {
	layout *layout
	path   string
	src    io.ReadCloser
	tables []Table

	records, load, done int64

	buf []byte // read and not yet decoded; a window of mem
	mem []byte
	eof bool
}

// Open opens an event file. How its name begins (nexmark, kv, join2, q3) says what it holds.
func Open(path string) (*File, error) {
	l, err := layoutOf(path)
	if err != nil {
		return nil, err
	}
	src, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open event file: %w", err)
	}
	f, err := newFile(l, path, src)
	if err != nil {
		_ = src.Close() // nothing was written to it
		return nil, err
	}
	return f, nil
}

func newFile(l *layout, path string, src io.ReadCloser) (*File, error) {
	f := &File{layout: l, path: path, src: src, mem: make([]byte, bufferBytes)}
	for _, t := range l.tables {
		f.tables = append(f.tables, t.Table)
	}
	if err := f.fill(); err != nil {
		return nil, err
	}
	if len(f.buf) < 8*l.counts {
		return nil, fmt.Errorf("read header of %s: %w", path, errShort)
	}
	f.records = f.number()
	if l.counts == 2 {
		f.load = f.number()
	}
	if f.records < 0 || f.load < 0 || f.load > f.records {
		return nil, fmt.Errorf("read header of %s: %d records, %d of them loaded, cannot be", path, f.records, f.load)
	}
	return f, nil
}

// Tables are the tables of the file; a Batch calls each by its place here.
func (f *File) Tables() []Table { return f.tables }

// Len is the number of records in the file.
func (f *File) Len() int64 { return f.records }

// LoadLen is how many records at the beginning fill the tables before the updates; 0 where the file makes no
// difference between the two.
func (f *File) LoadLen() int64 { return f.load }

// Close closes the file.
func (f *File) Close() error { return f.src.Close() }

// Read empties dst and puts the next records into it, at most n. It returns io.EOF when there are none left.
func (f *File) Read(dst *Batch, n int) error {
	dst.Reset()
	if f.done == f.records {
		return io.EOF
	}
	for range min(int64(n), f.records-f.done) {
		if len(f.buf) < recordBytes {
			if err := f.fill(); err != nil {
				return err
			}
		}
		if err := f.record(dst); err != nil {
			return fmt.Errorf("read record %d of %s: %w", f.done, f.path, err)
		}
		f.done++
	}
	return nil
}

// fill tops the buffer up, unless the file has ended.
func (f *File) fill() error {
	if f.eof {
		return nil
	}
	kept := copy(f.mem, f.buf)
	n, err := io.ReadFull(f.src, f.mem[kept:])
	f.buf = f.mem[:kept+n]
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.eof = true
	case err != nil:
		return fmt.Errorf("read %s: %w", f.path, err)
	}
	return nil
}

// number takes a number whose bytes are known to be there.
func (f *File) number() int64 {
	n := int64(binary.LittleEndian.Uint64(f.buf))
	f.buf = f.buf[8:]
	return n
}

// record decodes one record; on an error dst is as it was.
func (f *File) record(dst *Batch) error {
	at, err := f.table()
	if err != nil {
		return err
	}
	start := len(dst.rows)
	rows, rest, err := appendFields(dst.rows, f.buf, f.layout.tables[at].fields)
	if err != nil {
		dst.rows = rows[:start]
		return err
	}
	diff := repr.Diff(1)
	if f.layout.diff {
		if len(rest) < 8 {
			dst.rows = rows[:start]
			return errShort
		}
		diff = int64(binary.LittleEndian.Uint64(rest))
		rest = rest[8:]
	}
	f.buf, dst.rows = rest, rows
	dst.Tables = append(dst.Tables, uint8(at))
	dst.Diffs = append(dst.Diffs, diff)
	dst.ends = append(dst.ends, len(rows))
	return nil
}

// table takes the table number of the next record.
func (f *File) table() (uint64, error) {
	if len(f.buf) < f.layout.tagged {
		return 0, errShort
	}
	at := uint64(0)
	switch f.layout.tagged {
	case 1:
		at, f.buf = uint64(f.buf[0]), f.buf[1:]
	case 8:
		at = uint64(f.number())
	}
	if at >= uint64(len(f.tables)) {
		return 0, fmt.Errorf("there is no table %d", at)
	}
	return at, nil
}

// appendFields packs the fields of one record and returns what follows them in src.
func appendFields(dst, src []byte, fields []field) (row, rest []byte, err error) {
	for _, form := range fields {
		if form == fieldText {
			if dst, src, err = appendText(dst, src); err != nil {
				return dst, src, err
			}
			continue
		}
		if len(src) < 8 {
			return dst, src, errShort
		}
		n := int64(binary.LittleEndian.Uint64(src))
		src = src[8:]
		switch form {
		case fieldInt:
			dst = repr.AppendFixed8(dst, repr.KindInt8, n)
		case fieldMillis:
			dst = repr.AppendFixed8(dst, repr.KindTimestamp, (n-millis2000)*1000)
		default: // is skipped
		}
	}
	return dst, src, nil
}

func appendText(dst, src []byte) (row, rest []byte, err error) {
	if len(src) < 2 {
		return dst, src, errShort
	}
	n := int(binary.LittleEndian.Uint16(src))
	if len(src) < 2+n {
		return dst, src, errShort
	}
	text := src[2 : 2+n]
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return dst, src, errors.New("a text is not UTF-8 without NUL")
	}
	return repr.Append(dst, repr.TextBytes(text)), src[2+n:], nil
}
