package pgfmt

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"millrace/repr"
	"millrace/repr/jsonb"
)

// maxName is the longest name in bytes.
const maxName = 63

// TruncateName cuts a name to the length that the catalogs hold, at a character.
func TruncateName(s string) string {
	if len(s) <= maxName {
		return s
	}
	n := maxName
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// parseChar keeps the first byte; a backslash with three octal digits is a byte that is no character.
func parseChar(s string) repr.Datum {
	if len(s) == 4 && s[0] == '\\' && strings.Trim(s[1:], "01234567") == "" && s[1] <= '3' {
		return repr.Text(s).As(repr.KindChar)
	}
	if s == "" || s[0] == 0 {
		return repr.Text("").As(repr.KindChar)
	}
	if s[0] >= utf8.RuneSelf {
		return repr.Text(fmt.Sprintf(`\%03o`, s[0])).As(repr.KindChar)
	}
	return repr.Text(s[:1]).As(repr.KindChar)
}

// CheckText says why b can't be text: bytes that are no UTF-8, or a NUL.
func CheckText(b []byte) *repr.Error {
	for i := 0; i < len(b); {
		if b[i] == 0 {
			return invalidByteSequence(b[i : i+1])
		}
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return invalidByteSequence(b[i:min(len(b), i+sequenceLen(b[i]))])
		}
		i += n
	}
	return nil
}

// sequenceLen is the length that the first byte of a UTF-8 sequence announces.
func sequenceLen(c byte) int {
	switch {
	case c&0xe0 == 0xc0:
		return 2
	case c&0xf0 == 0xe0:
		return 3
	case c&0xf8 == 0xf0:
		return 4
	default:
		return 1
	}
}

func invalidByteSequence(b []byte) *repr.Error {
	var s strings.Builder
	s.WriteString(`invalid byte sequence for encoding "UTF8":`)
	for _, c := range b {
		fmt.Fprintf(&s, " 0x%02x", c)
	}
	return repr.NewError(repr.CodeInvalidEncoding, s.String())
}

// parseJSON reads a json or jsonb.
func parseJSON(k repr.Kind, b []byte) (repr.Datum, *repr.Error) {
	if k == repr.KindJSON {
		if err := jsonb.Valid(b); err != nil {
			return repr.Null, JSONError(err)
		}
		return repr.StringOf(k, b), nil
	}
	normal, err := jsonb.Normalize(nil, b)
	if err != nil {
		return repr.Null, JSONError(err)
	}
	return repr.JSONB(normal), nil
}

// JSONError is an error of package jsonb as a user sees it.
func JSONError(err error) *repr.Error {
	e, ok := err.(*jsonb.Error)
	if !ok {
		return repr.NewError(repr.CodeInternal, err.Error())
	}
	return &repr.Error{Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint}
}
