package parse

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// simpleEscapes are the one-letter escapes of E'…'.
var simpleEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// unescape resolves the escapes of E'…'. The second result is an error message, "" when all is well.
func unescape(s string) (string, string) {
	if !strings.ContainsAny(s, `\'`) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\'':
			b.WriteByte('\'')
			i += 2
		case s[i] != '\\' || i+1 >= len(s):
			b.WriteByte(s[i])
			i++
		default:
			n, message := unescapeOne(&b, s[i+1:])
			if message != "" {
				return "", message
			}
			i += 1 + n
		}
	}
	return b.String(), ""
}

// unescapeOne writes what the escape at s (behind its backslash) stands for and returns its length.
func unescapeOne(b *strings.Builder, s string) (int, string) {
	c := s[0]
	if r, ok := simpleEscapes[c]; ok {
		b.WriteByte(r)
		return 1, ""
	}
	switch {
	case c >= '0' && c <= '7':
		n := runLength(s, 3, func(c byte) bool { return c >= '0' && c <= '7' })
		v, _ := strconv.ParseUint(s[:n], 8, 16)
		b.WriteByte(byte(v))
		return n, ""
	case c == 'x' && len(s) > 1 && isHexDigit(s[1]):
		n := runLength(s[1:], 2, isHexDigit)
		v, _ := strconv.ParseUint(s[1:1+n], 16, 8)
		b.WriteByte(byte(v))
		return 1 + n, ""
	case c == 'u' || c == 'U':
		return unescapeCodePoint(b, s)
	}
	b.WriteByte(c)
	return 1, ""
}

func runLength(s string, limit int, ok func(byte) bool) int {
	n := 0
	for n < len(s) && n < limit && ok(s[n]) {
		n++
	}
	return n
}

// unescapeCodePoint reads uXXXX or UXXXXXXXX, a surrogate pair being one character.
func unescapeCodePoint(b *strings.Builder, s string) (int, string) {
	const message = "invalid Unicode escape"
	width := 4
	if s[0] == 'U' {
		width = 8
	}
	r, ok := hexRune(s[1:], width)
	if !ok {
		return 0, message
	}
	n := 1 + width
	if utf16.IsSurrogate(r) {
		if len(s) < n+2 || s[n] != '\\' || s[n+1] != 'u' {
			return 0, "invalid Unicode surrogate pair"
		}
		low, ok := hexRune(s[n+2:], 4)
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return 0, "invalid Unicode surrogate pair"
		}
		n += 6
	}
	if r == 0 || r > utf8.MaxRune {
		return 0, "invalid Unicode escape value"
	}
	b.WriteRune(r)
	return n, ""
}

func hexRune(s string, width int) (rune, bool) {
	if len(s) < width || runLength(s, width, isHexDigit) < width {
		return 0, false
	}
	v, err := strconv.ParseUint(s[:width], 16, 31)
	return rune(v), err == nil
}

// unescapeUnicode resolves the escapes of U&'…' and U&"…": \XXXX, \+XXXXXX and a doubled escape.
func unescapeUnicode(s string, escape byte) (string, string) {
	var b strings.Builder
	var high rune
	for i := 0; i < len(s); {
		if s[i] != escape {
			if high != 0 {
				return "", "invalid Unicode surrogate pair"
			}
			b.WriteByte(s[i])
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] == escape {
			b.WriteByte(escape)
			i += 2
			continue
		}
		skip, width := 1, 4
		if i+1 < len(s) && s[i+1] == '+' {
			skip, width = 2, 6
		}
		r, ok := hexRune(s[min(i+skip, len(s)):], width)
		if !ok || r == 0 || r > utf8.MaxRune {
			return "", "invalid Unicode escape"
		}
		i += skip + width
		switch {
		case high != 0:
			if r = utf16.DecodeRune(high, r); r == utf8.RuneError {
				return "", "invalid Unicode surrogate pair"
			}
			high = 0
		case utf16.IsSurrogate(r):
			high = r
			continue
		}
		b.WriteRune(r)
	}
	if high != 0 {
		return "", "invalid Unicode surrogate pair"
	}
	return b.String(), ""
}
