package avro

import (
	"encoding/binary"
	"fmt"

	"millrace/repr"
)

// Limits on one record, beside its own length.
const (
	maxElements = 1 << 20 // elements of arrays and maps, and nested records, all together
)

// reader walks the bytes of one record. The first error sticks: after it every read gives zero, and decoders stop
// at the next field.
type reader struct {
	buf    []byte
	pos    int
	budget int
	err    *repr.Error
	path   string // of the field that is wrong, outermost first

	spans []span // scratch of rows whose fields come in another order
	tmp   []byte
	json  []byte
	norm  []byte
}

type span struct{ from, to int }

func newReader(buf []byte) *reader { return &reader{buf: buf, budget: maxElements} }

func (r *reader) reset(buf []byte) {
	r.buf, r.pos, r.budget, r.err, r.path = buf, 0, maxElements, nil, ""
}

// finish is the error of the record, which must have been used up.
func (r *reader) finish() error {
	if r.err == nil && r.pos != len(r.buf) {
		r.fail(repr.CodeInvalidBinary, "%d bytes are left after the record", len(r.buf)-r.pos)
	}
	if r.err == nil {
		return nil
	}
	e := *r.err
	e.Message = "invalid Avro record: " + e.Message
	if r.path != "" {
		e.Message = "invalid Avro record: field " + r.path + ": " + r.err.Message
	}
	return &e
}

func (r *reader) fail(code, format string, args ...any) {
	if r.err == nil {
		r.err = repr.NewError(code, fmt.Sprintf(format, args...))
	}
}

func (r *reader) failWith(err *repr.Error) {
	if r.err == nil {
		r.err = err
	}
}

// in says that the error happened inside a field.
func (r *reader) in(name string) {
	if r.path == "" {
		r.path = name
		return
	}
	r.path = name + "." + r.path
}

func (r *reader) short() { r.fail(repr.CodeInvalidBinary, "the record ends too early") }

// long reads a zig-zag number of at most ten bytes.
func (r *reader) long() int64 {
	if r.pos < len(r.buf) {
		if b := r.buf[r.pos]; b < 0x80 {
			r.pos++
			return int64(b>>1) ^ -int64(b&1)
		}
	}
	return r.longSlow()
}

func (r *reader) longSlow() int64 {
	var u uint64
	rest := r.buf[r.pos:]
	for i, b := range rest[:min(len(rest), 9)] { // nine bytes hold 63 bits
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.pos += i + 1
			return int64(u>>1) ^ -int64(u&1)
		}
	}
	return r.longest()
}

// skipLong steps over a number.
func (r *reader) skipLong() {
	rest := r.buf[r.pos:]
	for i, b := range rest[:min(len(rest), 9)] {
		if b < 0x80 {
			r.pos += i + 1
			return
		}
	}
	r.longest()
}

// longest reads a number of ten bytes, or one that is wrong.
func (r *reader) longest() int64 {
	v, n := binary.Varint(r.buf[r.pos:])
	if n <= 0 {
		if n < 0 {
			r.fail(repr.CodeInvalidBinary, "a number is longer than 64 bits")
		} else {
			r.short()
		}
		r.pos = len(r.buf)
		return 0
	}
	r.pos += n
	return v
}

func (r *reader) int32() int64 {
	v := r.long()
	if v != int64(int32(v)) {
		r.fail(repr.CodeNumericOutOfRange, "value %d is out of range for an Avro int", v)
		return 0
	}
	return v
}

// take reads n bytes, which alias the record.
func (r *reader) take(n int) []byte {
	if n > len(r.buf)-r.pos || n < 0 {
		r.short()
		r.pos = len(r.buf)
		return nil
	}
	b := r.buf[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

func (r *reader) bytes() []byte {
	n := r.long()
	if n < 0 || n > int64(len(r.buf)-r.pos) {
		if n < 0 {
			r.fail(repr.CodeInvalidBinary, "a length is negative")
		} else {
			r.short()
		}
		r.pos = len(r.buf)
		return nil
	}
	return r.take(int(n))
}

func (r *reader) boolean() bool {
	b := r.take(1)
	if b == nil {
		return false
	}
	if b[0] > 1 {
		r.fail(repr.CodeInvalidBinary, "a boolean is %#02x", b[0])
	}
	return b[0] == 1
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// branch reads the index of a union.
func (r *reader) branch(n int) int {
	i := r.long()
	if i < 0 || i >= int64(n) {
		r.fail(repr.CodeInvalidBinary, "union branch %d of %d", i, n)
		return 0
	}
	return int(i)
}

// block reads the head of a block of an array or map: how many elements come, 0 at the end.
func (r *reader) block() int {
	n := r.long()
	if n < 0 {
		r.long() // the size of the block in bytes, for those who skip it
		n = -n
	}
	if n < 0 || n > int64(r.budget) {
		r.fail(repr.CodeProgramLimit, "more than %d elements", maxElements)
	}
	if r.err != nil {
		return 0
	}
	r.budget -= int(n)
	return int(n)
}

// spend pays for a nested record, so that records without bytes cannot run forever.
func (r *reader) spend() bool {
	r.budget--
	if r.budget < 0 {
		r.fail(repr.CodeProgramLimit, "more than %d elements", maxElements)
	}
	return r.err == nil
}
