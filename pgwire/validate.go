package pgwire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"millrace/repr"
)

// walker steps through a message body and notes when it runs out.
type walker struct {
	b   []byte
	bad bool
}

// text steps over a string ended by NUL.
func (w *walker) text() []byte {
	i := bytes.IndexByte(w.b, 0)
	if i < 0 {
		w.bad = true
		return nil
	}
	s := w.b[:i]
	w.b = w.b[i+1:]
	return s
}

// uint16 steps over a 16-bit number.
func (w *walker) uint16() int {
	if len(w.b) < 2 {
		w.bad = true
		return 0
	}
	n := binary.BigEndian.Uint16(w.b)
	w.b = w.b[2:]
	return int(n)
}

// int32 steps over a 32-bit number.
func (w *walker) int32() int {
	if len(w.b) < 4 {
		w.bad = true
		return 0
	}
	n := int32(binary.BigEndian.Uint32(w.b))
	w.b = w.b[4:]
	return int(n)
}

// skip steps over n bytes.
func (w *walker) skip(n int) {
	if n < 0 || n > len(w.b) {
		w.bad = true
		return
	}
	w.b = w.b[n:]
}

// done says whether the body was well formed and came to its end.
func (w *walker) done() bool { return !w.bad && len(w.b) == 0 }

// validate checks the form of a body, so that decoding it cannot fail in surprising ways: pgproto3 panics on some.
func validate(f frame) *repr.Error {
	w := walker{b: f.body}
	ok := true
	switch f.kind {
	case 'Q', 'f':
		text := w.text()
		ok = w.done() && utf8.Valid(text)
	case 'P':
		name, query := w.text(), w.text()
		n := w.uint16()
		w.skip(4 * n)
		ok = w.done() && utf8.Valid(name) && utf8.Valid(query)
	case 'B':
		ok = validBind(&w)
	case 'E':
		w.text()
		w.int32()
		ok = w.done()
	case 'D', 'C':
		w.skip(1)
		w.text()
		ok = w.done() && (f.body[0] == 'S' || f.body[0] == 'P')
	case 'F':
		return repr.NewError(repr.CodeFeatureNotSupported, "the function call sub-protocol is not supported").
			WithHint("call the function with SELECT")
	}
	if ok {
		return nil
	}
	if (f.kind == 'Q' || f.kind == 'P') && !utf8.Valid(f.body) {
		return repr.NewError(repr.CodeInvalidEncoding, "invalid byte sequence for encoding \"UTF8\"")
	}
	return repr.NewError(repr.CodeProtocolViolation, "invalid message format").
		WithDetail("message of type \"" + string(rune(f.kind)) + "\"")
}

func validBind(w *walker) bool {
	w.text()
	w.text()
	w.skip(2 * w.uint16())
	for range w.uint16() {
		n := w.int32()
		if w.bad || n < -1 {
			return false
		}
		w.skip(max(n, 0))
	}
	w.skip(2 * w.uint16())
	return w.done()
}
