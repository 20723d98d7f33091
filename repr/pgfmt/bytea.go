package pgfmt

import (
	"encoding/hex"

	"millrace/repr"
)

func appendBytea(dst, b []byte, escape bool) []byte {
	if escape {
		return AppendEscape(dst, b)
	}
	return hex.AppendEncode(append(dst, '\\', 'x'), b)
}

// AppendEscape appends bytes in the escape format: octal for what does not print, and the backslash doubled.
func AppendEscape(dst, b []byte) []byte {
	for _, c := range b {
		switch {
		case c == '\\':
			dst = append(dst, '\\', '\\')
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func parseBytea(s string) (repr.Datum, *repr.Error) {
	if len(s) >= 2 && s[0] == '\\' && s[1] == 'x' {
		b, err := DecodeHex(s[2:])
		return repr.Bytea(b), err
	}
	b, err := DecodeEscape(s)
	return repr.Bytea(b), err
}

// DecodeHex reads pairs of hexadecimal digits; white space may stand between pairs.
func DecodeHex(s string) ([]byte, *repr.Error) {
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if isSpace(s[i]) {
			i++
			continue
		}
		hi, ok := HexDigit(s[i])
		if !ok {
			return nil, badHexDigit(s[i:])
		}
		i++
		if i == len(s) {
			return nil, repr.NewError(repr.CodeInvalidParameter, "invalid hexadecimal data: odd number of digits")
		}
		lo, ok := HexDigit(s[i])
		if !ok {
			return nil, badHexDigit(s[i:])
		}
		i++
		out = append(out, hi<<4|lo)
	}
	return out, nil
}

func badHexDigit(s string) *repr.Error {
	for _, r := range s {
		return repr.NewError(repr.CodeInvalidParameter, `invalid hexadecimal digit: "`+string(r)+`"`)
	}
	return nil
}

// HexDigit is the value of a hexadecimal digit.
func HexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	default:
		return 0, false
	}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// DecodeEscape reads the escape format.
func DecodeEscape(s string) ([]byte, *repr.Error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			out = append(out, s[i])
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i++
		case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '3' && isOctal(s[i+2]) && isOctal(s[i+3]):
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
		default:
			return nil, repr.NewError(repr.CodeInvalidText, "invalid input syntax for type bytea")
		}
	}
	return out, nil
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }
