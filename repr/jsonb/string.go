package jsonb

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. s must be UTF-8.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = appendControl(dst, s[i])
		from = i + 1
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendControl appends a byte that can't stand in a string as it is.
func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// Unquote is what a JSON string in normal form says. It aliases b when nothing in it is escaped.
func Unquote(b []byte) []byte {
	b = b[1 : len(b)-1]
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)), b[:i]...)
	for i < len(b) {
		if b[i] != '\\' {
			out = append(out, b[i])
			i++
			continue
		}
		r, n := unescape(b[i:])
		out = utf8.AppendRune(out, r)
		i += n
	}
	return out
}

// unescape reads a valid escape sequence (a pair of surrogates counts as one) and its length.
func unescape(b []byte) (rune, int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r := hex4(b[2:])
		if utf16.IsSurrogate(r) && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			return utf16.DecodeRune(r, hex4(b[8:])), 12
		}
		return r, 6
	default:
		return rune(b[1]), 2
	}
}

// hex4 reads four hexadecimal digits; -1 when they are not.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return r
}

// stringToken reads a string from its quote on.
func (p *parser) stringToken() *Error {
	start := p.i
	p.put(`"`)
	p.i++
	from := p.i
	for p.i < len(p.src) {
		c := p.src[p.i]
		switch {
		case c == '"':
			p.put(string(p.src[from:p.i]))
			p.put(`"`)
			p.i++
			return nil
		case c == '\\':
			p.put(string(p.src[from:p.i]))
			if err := p.escape(start); err != nil {
				return err
			}
			from = p.i
		case c < 0x20:
			return syntaxError(p.i, "Character with value 0x%02x must be escaped.", c)
		case c < utf8.RuneSelf:
			p.i++
		default:
			r, n := utf8.DecodeRune(p.src[p.i:])
			if r == utf8.RuneError && n <= 1 {
				return encodingError(p.src[p.i:], p.i)
			}
			p.i += n
		}
	}
	return syntaxError(start, "Token \"%s\" is invalid.", p.src[start:])
}

// escape reads one escape sequence of the string that begins at start.
func (p *parser) escape(start int) *Error {
	b := p.src[p.i:]
	if len(b) < 2 {
		return syntaxError(start, "Token \"%s\" is invalid.", p.src[start:])
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		r, n := unescape(b)
		p.i += n
		p.putRune(r)
		return nil
	case 'u':
		return p.unicodeEscape(b)
	default:
		_, n := utf8.DecodeRune(b[1:])
		return syntaxError(p.i, `Escape sequence "\%s" is invalid.`, b[1:1+n])
	}
}

func (p *parser) unicodeEscape(b []byte) *Error {
	r := hex4(b[2:])
	if r < 0 {
		return syntaxError(p.i, `"\u" must be followed by four hexadecimal digits.`)
	}
	if !p.emit {
		p.i += 6
		return nil
	}
	if r == 0 {
		return &Error{
			Code: codeInvalidEscape, Message: "unsupported Unicode escape sequence",
			Detail: `\u0000 cannot be converted to text.`, Offset: p.i,
		}
	}
	if utf16.IsSurrogate(r) {
		return p.surrogates(r, b)
	}
	p.i += 6
	p.putRune(r)
	return nil
}

func (p *parser) surrogates(high rune, b []byte) *Error {
	const lowFirst = "Unicode low surrogate must follow a high surrogate."
	if high >= 0xdc00 || len(b) < 8 || b[6] != '\\' || b[7] != 'u' {
		return syntaxError(p.i, lowFirst)
	}
	low := hex4(b[8:])
	switch {
	case low < 0:
		return syntaxError(p.i+6, `"\u" must be followed by four hexadecimal digits.`)
	case low >= 0xd800 && low < 0xdc00:
		return syntaxError(p.i+6, "Unicode high surrogate must not follow a high surrogate.")
	case low < 0xdc00 || low > 0xdfff:
		return syntaxError(p.i+6, lowFirst)
	}
	p.i += 12
	p.putRune(utf16.DecodeRune(high, low))
	return nil
}

// putRune appends one character of a string, escaped where it must be.
func (p *parser) putRune(r rune) {
	switch {
	case !p.emit:
	case r < 0x20 || r == '"' || r == '\\':
		p.dst = appendControl(p.dst, byte(r))
	default:
		p.dst = utf8.AppendRune(p.dst, r)
	}
}
