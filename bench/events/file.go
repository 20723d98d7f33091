package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"millrace/arrangement"
	"millrace/repr"
)

const (
	// bufferBytes is what the buffer holds at first: little enough to stay near the processor.
	bufferBytes = 256 << 10
	// recordBytes is more than any record needs: texts of at most 64 KiB, at most six of them, and some numbers.
	recordBytes = 512 << 10
	// millis2000 is 2000-01-01 in milliseconds since 1970: where timestamps count from.
	millis2000 = 946_684_800_000
)

// errShort says that the file ends within a record.
var errShort = errors.New("the file ends early")

// errText says that a text cannot be one of ours.
var errText = errors.New("a text is not UTF-8 without NUL")

// Batch is a run of records: of each table its changes, in the order of the file.
type Batch struct {
	Tables []*arrangement.Builder
	n      int
}

// Len is the number of records, those of tables that are not wanted included.
func (b *Batch) Len() int { return b.n }

// Bytes is the size of all rows together.
func (b *Batch) Bytes() int {
	n := 0
	for _, t := range b.Tables {
		n += len(t.Open())
	}
	return n
}

// Reset empties the batch and keeps its buffers.
func (b *Batch) Reset() {
	b.n = 0
	for _, t := range b.Tables {
		t.Reset()
	}
}

// File is an open event file. It belongs to one goroutine.
type File struct {
	layout *layout
	path   string
	src    io.ReadCloser
	tables []Table
	unread []bool // of a table: its records are stepped over

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
	f.unread = make([]bool, len(f.tables))
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

// Grows says whether every record is an insertion, whatever file of the kind it is.
func (f *File) Grows() bool { return !f.layout.diff }

// Len is the number of records in the file.
func (f *File) Len() int64 { return f.records }

// LoadLen is how many records at the beginning fill the tables before the updates; 0 where the file makes no
// difference between the two.
func (f *File) LoadLen() int64 { return f.load }

// Want says which tables are read, by their place in Tables; the records of others are stepped over. At first it is all.
func (f *File) Want(tables func(i int) bool) {
	for i := range f.unread {
		f.unread[i] = !tables(i)
	}
}

// Close closes the file.
func (f *File) Close() error { return f.src.Close() }

// Read empties dst and puts the next records into it, at most n. It returns io.EOF when there are none left.
func (f *File) Read(dst *Batch, n int) error {
	for len(dst.Tables) < len(f.tables) {
		dst.Tables = append(dst.Tables, arrangement.NewBuilder())
	}
	dst.Reset()
	if f.done == f.records {
		return io.EOF
	}
	for range min(int64(n), f.records-f.done) {
		err := f.record(dst)
		if err != nil && !f.eof && errors.Is(err, errShort) { // the record may go on behind the buffer
			if err = f.fill(); err == nil {
				err = f.record(dst)
			}
		}
		if err != nil {
			return fmt.Errorf("read record %d of %s: %w", f.done, f.path, err)
		}
		f.done++
		dst.n++
	}
	return nil
}

// fill tops the buffer up, unless the file has ended. There is room for a whole record behind what is kept.
func (f *File) fill() error {
	if f.eof {
		return nil
	}
	mem := f.mem
	if kept := len(f.buf); kept > len(mem)/2 {
		mem = make([]byte, max(2*len(mem), kept+recordBytes))
	}
	kept := copy(mem, f.buf)
	f.mem = mem
	n, err := io.ReadFull(f.src, mem[kept:])
	f.buf = mem[:kept+n]
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

// record decodes one record; on an error nothing is taken.
func (f *File) record(dst *Batch) error {
	at, rest, err := f.table()
	if err != nil {
		return err
	}
	t := dst.Tables[at]
	fields := f.layout.tables[at].fields
	rows := t.Open()
	if f.unread[at] {
		rest, err = skipFields(rest, fields)
	} else {
		rows, rest, err = appendFields(rows, rest, fields)
	}
	if err != nil {
		return err
	}
	diff := repr.Diff(1)
	if f.layout.diff {
		if len(rest) < 8 {
			return errShort
		}
		diff = int64(binary.LittleEndian.Uint64(rest))
		rest = rest[8:]
	}
	f.buf = rest
	if !f.unread[at] {
		t.Keep(rows, diff)
	}
	return nil
}

// table is the table number of the next record, and what follows it.
func (f *File) table() (at uint64, rest []byte, err error) {
	if len(f.buf) < f.layout.tagged {
		return 0, nil, errShort
	}
	rest = f.buf[f.layout.tagged:]
	switch f.layout.tagged {
	case 1:
		at = uint64(f.buf[0])
	case 8:
		at = binary.LittleEndian.Uint64(f.buf)
	}
	if at >= uint64(len(f.tables)) {
		return 0, nil, fmt.Errorf("there is no table %d", at)
	}
	return at, rest, nil
}

// appendFields packs the fields of one record and returns what follows them in src.
func appendFields(dst, src []byte, fields []field) (row, rest []byte, err error) {
	for _, form := range fields {
		if form == fieldText {
			if len(src) < 2 {
				return dst, src, errShort
			}
			n := 2 + int(binary.LittleEndian.Uint16(src))
			if len(src) < n {
				return dst, src, errShort
			}
			if !plainText(src[2:n]) {
				return dst, src, errText
			}
			dst = repr.AppendText(dst, src[2:n])
			src = src[n:]
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

// skipFields steps over the fields of one record.
func skipFields(src []byte, fields []field) (rest []byte, err error) {
	for _, form := range fields {
		n := 8
		if form == fieldText {
			if len(src) < 2 {
				return src, errShort
			}
			n = 2 + int(binary.LittleEndian.Uint16(src))
		}
		if len(src) < n {
			return src, errShort
		}
		src = src[n:]
	}
	return src, nil
}

// plainText says whether a text is UTF-8 without NUL. Most are ASCII, of which eight bytes are looked at in one go.
func plainText(text []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	rest := text
	for len(rest) >= 8 {
		x := binary.LittleEndian.Uint64(rest)
		if (x|(x-ones))&highs != 0 { // a byte above 127, or a zero
			return utf8.Valid(text) && bytes.IndexByte(text, 0) < 0
		}
		rest = rest[8:]
	}
	for _, c := range rest {
		if c-1 >= utf8.RuneSelf-1 {
			return utf8.Valid(text) && bytes.IndexByte(text, 0) < 0
		}
	}
	return true
}
