package jsonb

import (
	"fmt"
	"unicode/utf8"
)

// Error is why a text is not JSON, in PostgreSQL's words.
type Error struct {
	Code    string // SQLSTATE
	Message string
	Detail  string
	Hint    string
	Offset  int // bytes into the text
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + " (" + e.Detail + ")"
}

const (
	codeInvalidText     = "22P02"
	codeInvalidEscape   = "22P05"
	codeInvalidEncoding = "22021"
	codeOutOfRange      = "22003"
	codeTooComplex      = "54001"
	codeProgramLimit    = "54000"
	codeInvalidParam    = "22023"
	codeArraySubscript  = "2202E"
)

func syntaxError(offset int, format string, args ...any) *Error {
	return &Error{
		Code: codeInvalidText, Message: "invalid input syntax for type json",
		Detail: fmt.Sprintf(format, args...), Offset: offset,
	}
}

// encodingError names the bytes at the head of b that are no UTF-8.
func encodingError(b []byte, offset int) *Error {
	msg := `invalid byte sequence for encoding "UTF8":`
	for _, c := range b[:min(len(b), sequenceLen(b[0]))] {
		msg += fmt.Sprintf(" 0x%02x", c)
	}
	return &Error{Code: codeInvalidEncoding, Message: msg, Offset: offset}
}

// sequenceLen is the length that the first byte of a UTF-8 sequence announces.
func sequenceLen(c byte) int {
	switch {
	case c&0xe0 == 0xc0:
		return 2
	case c&0xf0 == 0xe0:
		return 3
	case c&0xf8 == 0xf0:
		return utf8.UTFMax
	default:
		return 1
	}
}
