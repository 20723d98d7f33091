package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"millrace/internal/disk"
)

// A segment is a file of the log: a header, then records one behind the other, then zeros up to the space reserved, or a seal.
//
//	header  magic "MRLG", format u32, number of the first record u64, CRC-32C of these
//	record  magic "TICK", CRC-32C of the rest, number u64, time u64, length of what is stored u32; and that
//	seal    magic "ENDS", CRC-32C of the number, number of the record that follows u64
//
// Numbers are little-endian. Records are numbered from 1, without gaps, through all segments. A seal says that the next segment was
// durable, with its header, before any record came to it: where there is a seal and no next segment, that was lost. A segment
// without one may end there too, when a crash came before the seal, or format 1 wrote it.
const (
	segmentMagic  = 0x474c524d
	recordMagic   = 0x4b434954
	sealMagic     = 0x53444e45
	segmentHeader = 20
	recordHeader  = 28
	sealSize      = 16
)

// Format is the version of the files that this release writes; it reads this one and those before.
const Format = 2

// maxStored bounds the length of a record, so that a damaged length does not take all memory.
const maxStored = 1 << 31

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segmentPrefix is what the name of a segment begins with; the number of its first record follows.
const segmentPrefix = "log-"

func segmentName(first uint64) string { return fmt.Sprintf("%s%016x", segmentPrefix, first) }

// numbered is the number in the name of a file of a journal; ok is false when that is no such name.
func numbered(name, prefix string) (n uint64, ok bool) {
	hex, ok := strings.CutPrefix(name, prefix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	return n, err == nil
}

// segment is a file of the log and where its records lie.
type segment struct {
	name  string
	first uint64 // number of the first record
	next  uint64 // number of the record that comes after the last
	last  uint64 // time of the last record; 0 without one
	end   int64  // of the records
	open  bool   // it has ended, and its file is not closed yet

	sealed bool // there is a seal behind the records

	known bool     // it is known what it has
	has   []uint64 // collections that are changed by its records
}

// size is how much of the file counts.
func (s *segment) size() int64 {
	if s.sealed {
		return s.end + sealSize
	}
	return s.end
}

func appendSegmentHeader(dst []byte, first uint64) []byte { return appendHeaderOf(dst, Format, first) }

// appendHeaderOf is appendSegmentHeader of a release that wrote a format.
func appendHeaderOf(dst []byte, format uint32, first uint64) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, segmentMagic)
	dst = binary.LittleEndian.AppendUint32(dst, format)
	dst = binary.LittleEndian.AppendUint64(dst, first)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// appendSeal appends a seal before the record that follows.
func appendSeal(dst []byte, next uint64) []byte {
	number := binary.LittleEndian.AppendUint64(nil, next)
	dst = binary.LittleEndian.AppendUint32(dst, sealMagic)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(number, castagnoli))
	return append(dst, number...)
}

// sealAt says whether b begins with the seal before a record.
func sealAt(b []byte, next uint64) bool {
	return len(b) >= sealSize && bytes.Equal(b[:sealSize], appendSeal(nil, next))
}

// appendRecord appends a record with its header.
func appendRecord(dst []byte, number, time uint64, body []byte, compress bool) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, recordHeader)...)
	dst = pack(dst, body, compress)
	endRecord(dst[at:], number, time)
	return dst
}

// appendPlain is appendRecord of a body that is not compressed, and not made before.
func appendPlain(dst []byte, number uint64, r *Record) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, recordHeader)...)
	dst = appendBody(append(dst, storedPlain), r)
	endRecord(dst[at:], number, r.Time)
	return dst
}

// endRecord writes the header of a record, behind which the rest stands.
func endRecord(h []byte, number, time uint64) {
	binary.LittleEndian.PutUint32(h, recordMagic)
	binary.LittleEndian.PutUint64(h[8:], number)
	binary.LittleEndian.PutUint64(h[16:], time)
	binary.LittleEndian.PutUint32(h[24:], uint32(len(h)-recordHeader))
	binary.LittleEndian.PutUint32(h[4:], crc32.Checksum(h[8:], castagnoli))
}

// found is a record in the bytes of a segment.
type found struct {
	number, time uint64
	stored       []byte
	size         int64 // with the header
}

// recordAt reads the record at the start of b; ok is false when no whole, undamaged record is there.
func recordAt(b []byte) (f found, ok bool) {
	if len(b) < recordHeader || binary.LittleEndian.Uint32(b) != recordMagic {
		return f, false
	}
	n := uint64(binary.LittleEndian.Uint32(b[24:]))
	if n > maxStored || n > uint64(len(b)-recordHeader) {
		return f, false
	}
	all := b[:recordHeader+n]
	if crc32.Checksum(all[8:], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return f, false
	}
	return found{number: binary.LittleEndian.Uint64(b[8:]), time: binary.LittleEndian.Uint64(b[16:]),
		stored: all[recordHeader:], size: int64(len(all))}, true
}

// record is the record that was found. It aliases nothing that is used again.
func (f found) record() (*Record, error) {
	body, err := unpack(nil, f.stored)
	if err == nil {
		var r *Record
		if r, err = parseBody(f.time, body); err == nil {
			return r, nil
		}
	}
	return nil, f.bad(err)
}

func (f found) bad(err error) error { return fmt.Errorf("record %d: %w", f.number, err) }

// content reads a file whole, into room when that suffices.
func content(fs disk.FS, name string, room []byte) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	whole := blocks(size)
	if int64(cap(room)) < whole {
		room = disk.Buffer(int(whole))
	}
	n := 0
	if err == nil && size > 0 {
		if n, err = f.ReadAt(room[:whole], 0); errors.Is(err, io.EOF) && int64(n) >= size {
			err = nil
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return room[:size], nil
}

// createWith makes a file whose content is durable, though its name is so only when the folder is synced. When that fails it leaves no file,
// or one that counts for nothing and is swept at the next start.
func createWith(fs disk.FS, name string, b []byte) (disk.File, error) {
	f, err := fs.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close()
		_ = fs.Remove(name)
		return nil, err
	}
	return f, nil
}

// readSegment goes through the records of a segment, behind which the one that begins with the record follows stands; 0 says that
// it is the newest. In that a damaged tail is no error: torn says that there is one, behind s.end.
func readSegment(fs disk.FS, name string, first, follows uint64, see func(found) error) (s *segment, torn bool, err error) {
	b, err := content(fs, name, nil)
	if err != nil {
		return nil, false, err
	}
	return scanSegment(b, name, first, follows, see)
}

// scanSegment is readSegment of a segment that is in memory.
func scanSegment(b []byte, name string, first, follows uint64, see func(found) error) (s *segment, torn bool, err error) {
	s = &segment{name: name, first: first, next: first}
	if ok, err := checkSegmentHeader(s.name, b, first); !ok {
		if follows == 0 && err == nil {
			return s, true, nil // the crash came before the header was there
		}
		if err == nil {
			err = damage(s.name, 0, "the header is missing, and newer segments follow")
		}
		return nil, false, err
	}
	s.end = segmentHeader
	for int(s.end) < len(b) {
		f, ok := recordAt(b[s.end:])
		if !ok || f.number != s.next {
			break
		}
		if see != nil {
			if err := see(f); err != nil {
				return nil, false, err
			}
		}
		s.end += f.size
		s.next, s.last = f.number+1, f.time
	}
	torn, err = s.tail(b[s.end:], follows)
	return s, torn, err
}

// tail looks at what stands behind the records.
func (s *segment) tail(rest []byte, follows uint64) (torn bool, err error) {
	if s.next < follows {
		if sealAt(rest, s.next) { // it is whole, and the next one was there
			return false, damage(filepath.Join(filepath.Dir(s.name), segmentName(s.next)), 0, "the file is missing, and with it the records %d to %d", s.next, follows-1)
		}
		return false, damage(s.name, s.end, "record %d cannot be read, and newer segments follow", s.next)
	}
	if s.sealed = sealAt(rest, s.next); s.sealed || zeros(rest) {
		return false, nil
	}
	if at := laterRecord(rest, s.next); at >= 0 {
		return false, damage(s.name, s.end, "record %d cannot be read, but a later one at offset %d can", s.next, s.end+int64(at))
	}
	return s.next != follows, nil // else a crash came in the middle of the seal
}

// checkSegmentHeader says whether the header is whole. The error is nil when there is none but zeros or a part, and nothing behind it.
func checkSegmentHeader(name string, b []byte, first uint64) (bool, error) {
	if len(b) < segmentHeader || cutHeader(b, first) {
		return false, nil
	}
	sum := crc32.Checksum(b[:segmentHeader-4], castagnoli)
	switch {
	case binary.LittleEndian.Uint32(b) != segmentMagic:
		return false, damage(name, 0, "this is no segment of a journal")
	case binary.LittleEndian.Uint32(b[16:]) != sum:
		return false, damage(name, 0, "the header does not agree with its checksum")
	case binary.LittleEndian.Uint32(b[4:]) > Format:
		return false, &VersionError{File: name, Found: binary.LittleEndian.Uint32(b[4:]), Supported: Format}
	case binary.LittleEndian.Uint64(b[8:]) != first:
		return false, damage(name, 8, "the header says record %d", binary.LittleEndian.Uint64(b[8:]))
	}
	return true, nil
}

// cutHeader says whether b is a part of its header, of any format, and zeros: what a write leaves that failed, or that a crash cut short.
func cutHeader(b []byte, first uint64) bool {
	for format := uint32(1); format <= Format; format++ {
		header := appendHeaderOf(nil, format, first)
		n := 0
		for n < segmentHeader && b[n] == header[n] {
			n++
		}
		if n < segmentHeader && zeros(b[n:]) {
			return true
		}
	}
	return false
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// laterRecord finds a valid record numbered behind next; -1 when there is none.
func laterRecord(b []byte, next uint64) int {
	for i := 0; i+recordHeader <= len(b); i++ {
		if b[i] != recordMagic&0xff {
			continue
		}
		if f, ok := recordAt(b[i:]); ok && f.number > next {
			return i
		}
	}
	return -1
}
