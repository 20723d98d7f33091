package generate

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// recorder writes fields, little-endian and without padding. The first error of the writer below stays in the
// bufio.Writer and comes out at flush.
type recorder struct {
	out *bufio.Writer
	num [8]byte
}

func newRecorder(w io.Writer) *recorder { return &recorder{out: bufio.NewWriterSize(w, 1<<20)} }

func (r *recorder) kind(k byte) { _ = r.out.WriteByte(k) }

func (r *recorder) ints(values ...int64) {
	for _, v := range values {
		binary.LittleEndian.PutUint64(r.num[:], uint64(v))
		_, _ = r.out.Write(r.num[:])
	}
}

// texts writes strings, each behind its length of two bytes; every string made here is far shorter than that allows.
func (r *recorder) texts(values ...string) {
	for _, s := range values {
		binary.LittleEndian.PutUint16(r.num[:2], uint16(len(s)))
		_, _ = r.out.Write(r.num[:2])
		_, _ = r.out.WriteString(s)
	}
}

func (r *recorder) flush(name string) error {
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("write %s events: %w", name, err)
	}
	return nil
}

func positive(name string, values ...int64) error {
	for _, v := range values {
		if v <= 0 {
			return fmt.Errorf("generate %s: sizes must be above zero, got %v", name, values)
		}
	}
	return nil
}
