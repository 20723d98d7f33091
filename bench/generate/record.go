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

// text writes a string behind its length of two bytes; every string made here is far shorter than that allows.
func (r *recorder) text(s string) {
	binary.LittleEndian.PutUint16(r.num[:2], uint16(len(s)))
	_, _ = r.out.Write(r.num[:2])
	_, _ = r.out.WriteString(s)
}

func (r *recorder) flush(name string) error {
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("write %s events: %w", name, err)
	}
	return nil
}

// chance is splitmix64.
type chance struct{ state uint64 }

func (c *chance) next() uint64 {
	c.state += 0x9E3779B97F4A7C15
	z := c.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below draws from [0, n).
func (c *chance) below(n int64) int64 { return int64(c.next() % uint64(n)) }

// oneIn is true once in n draws.
func (c *chance) oneIn(n int64) bool { return c.below(n) == 0 }

// pick draws one of a list.
func (c *chance) pick(list []string) string { return list[c.below(int64(len(list)))] }

// letters draws n small letters, eight from each number, lowest byte first.
func (c *chance) letters(n int) string {
	text := make([]byte, 0, n)
	for len(text) < n {
		bits := c.next()
		for range min(8, n-len(text)) {
			text = append(text, 'a'+byte(bits)%26)
			bits >>= 8
		}
	}
	return string(text)
}

func positive(name string, values ...int64) error {
	for _, v := range values {
		if v <= 0 {
			return fmt.Errorf("generate %s: sizes must be above zero, got %v", name, values)
		}
	}
	return nil
}
