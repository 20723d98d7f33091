package jsonb

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// Limits of a number: digits before and after the point.
const (
	maxWholeDigits = 131072
	maxScale       = 16383
)

// decimal is a number as text: its digits before and after the point, and an exponent.
type decimal struct {
	neg      bool
	whole    []byte
	fraction []byte
	exp      int
}

// number reads a number token and appends it without its exponent.
func (p *parser) number() *Error {
	start := p.i
	d, n, ok := scanNumber(p.src[p.i:])
	p.i += n
	if !ok || p.i < len(p.src) && isWord(p.src[p.i]) {
		for p.i < len(p.src) && isWord(p.src[p.i]) {
			p.i++
		}
		return syntaxError(start, "Token \"%s\" is invalid.", p.src[start:p.i])
	}
	if !p.emit {
		return nil
	}
	before := len(p.dst)
	if !p.appendDecimal(d) {
		return &Error{Code: codeOutOfRange, Message: "value overflows numeric format", Offset: start}
	}
	p.zeros += max(0, len(p.dst)-before-n)
	if p.zeros > maxZeros {
		return &Error{Code: codeProgramLimit, Message: "exponents of a jsonb value unfold to too many digits", Offset: start}
	}
	return nil
}

// scanNumber splits a number and gives its length; on failure the length is what was read until then.
func scanNumber(b []byte) (d decimal, n int, ok bool) {
	if b[0] == '-' {
		d.neg = true
		n = 1
	}
	digits := func() []byte {
		from := n
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		return b[from:n]
	}
	if n < len(b) && b[n] == '0' {
		d.whole = b[n : n+1]
		n++
	} else if d.whole = digits(); len(d.whole) == 0 {
		return d, n, false
	}
	if n < len(b) && b[n] == '.' {
		n++
		if d.fraction = digits(); len(d.fraction) == 0 {
			return d, n, false
		}
	}
	if n < len(b) && (b[n] == 'e' || b[n] == 'E') {
		n++
		from := n
		if n < len(b) && (b[n] == '+' || b[n] == '-') {
			n++
		}
		if len(digits()) == 0 {
			return d, n, false
		}
		exp, err := strconv.ParseInt(string(b[from:n]), 10, 32)
		if err != nil {
			exp = 1 << 30
			if b[from] == '-' {
				exp = -exp
			}
		}
		d.exp = int(exp)
	}
	return d, n, true
}

// appendDecimal appends the number with its point moved; false when it has too many digits.
func (p *parser) appendDecimal(d decimal) bool {
	whole, fraction := d.whole, d.fraction
	scale := max(0, len(fraction)-d.exp)
	if d.exp != 0 {
		zero := isZero(whole) && isZero(fraction)
		if scale > maxScale || !zero && len(whole)+d.exp > maxWholeDigits {
			return false
		}
		if zero {
			whole, fraction = []byte{'0'}, bytes.Repeat([]byte{'0'}, scale)
		} else {
			whole, fraction = shiftPoint(whole, fraction, d.exp)
		}
	}
	whole = bytes.TrimLeft(whole, "0")
	if len(whole) > maxWholeDigits || len(fraction) > maxScale {
		return false
	}
	if d.neg && (len(whole) > 0 || !isZero(fraction)) {
		p.dst = append(p.dst, '-')
	}
	if len(whole) == 0 {
		p.dst = append(p.dst, '0')
	}
	p.dst = append(p.dst, whole...)
	if len(fraction) > 0 {
		p.dst = append(p.dst, '.')
		p.dst = append(p.dst, fraction...)
	}
	return true
}

// shiftPoint moves the point by exp digits to the right, or to the left when exp is negative.
func shiftPoint(whole, fraction []byte, exp int) (w, f []byte) {
	all := append(append(make([]byte, 0, len(whole)+len(fraction)), whole...), fraction...)
	point := len(whole) + exp
	if point < 0 {
		all = append(bytes.Repeat([]byte{'0'}, -point), all...)
		point = 0
	}
	if point > len(all) {
		all = append(all, bytes.Repeat([]byte{'0'}, point-len(all))...)
	}
	return all[:point], all[point:]
}

func isZero(digits []byte) bool {
	for _, c := range digits {
		if c != '0' {
			return false
		}
	}
	return true
}

// trimNumber is a number in normal form without the zeros that change nothing.
func trimNumber(b []byte) []byte {
	if bytes.IndexByte(b, '.') < 0 {
		return b
	}
	b = bytes.TrimRight(b, "0")
	return bytes.TrimSuffix(b, []byte{'.'})
}

// Classes of a number in sort form, in order.
const (
	classNegative = 1
	classZero     = 2
	classPositive = 3
)

// appendSortNumber appends class, decimal exponent, and digits two to a byte ended by 0, all but the class
// inverted for a negative number.
func appendSortNumber(dst, b []byte) []byte {
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	}
	whole, fraction, _ := bytes.Cut(b, []byte{'.'})
	digits := append(append(make([]byte, 0, len(b)), whole...), fraction...)
	exp := len(whole)
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
		exp--
	}
	digits = bytes.TrimRight(digits, "0")
	if len(digits) == 0 {
		return append(dst, classZero)
	}
	class := byte(classPositive)
	if neg {
		class = classNegative
	}
	dst = append(dst, class)
	from := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(int32(exp))^0x80000000)
	for i := 0; i < len(digits); i += 2 {
		pair := 10 * (digits[i] - '0')
		if i+1 < len(digits) {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0)
	if neg {
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}
