package pgfmt

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace/repr"
)

// Coerce fits a value to the modifier of its type: the length of a string, the precision of a number, a time or an
// interval. An explicit cast cuts strings; an assignment refuses what is too long.
func Coerce(t repr.Type, d repr.Datum, explicit bool) (repr.Datum, *repr.Error) {
	if d.IsNull() || !t.HasMod() {
		return d, nil
	}
	switch t.Kind {
	case repr.KindVarchar, repr.KindBpchar:
		return coerceLength(t, d, explicit)
	case repr.KindNumeric:
		return coerceNumeric(t, d)
	case repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ:
		return coercePrecision(t, d), nil
	case repr.KindInterval:
		return coerceInterval(t, d), nil
	case repr.KindArray:
		return coerceArray(t, d, explicit)
	default:
		return d, nil
	}
}

func coerceArray(t repr.Type, d repr.Datum, explicit bool) (repr.Datum, *repr.Error) {
	elems := d.Elems(nil)
	for i := range elems {
		e, err := Coerce(repr.Type{Kind: t.Elem, Mod: t.Mod}, elems[i], explicit)
		if err != nil {
			return repr.Null, err
		}
		elems[i] = e
	}
	return repr.Array(elems), nil
}

func coerceLength(t repr.Type, d repr.Datum, explicit bool) (repr.Datum, *repr.Error) {
	limit := int(t.Mod) - 4
	s := d.Str()
	n := utf8.RuneCountInString(s)
	if n > limit {
		end := 0
		for range limit {
			_, w := utf8.DecodeRuneInString(s[end:])
			end += w
		}
		if !explicit && strings.Trim(s[end:], " ") != "" {
			return repr.Null, repr.NewError("22001", "value too long for type "+t.String())
		}
		return repr.StringOf(t.Kind, d.Bytes()[:end:end]), nil
	}
	if t.Kind == repr.KindBpchar && n < limit {
		return repr.Text(s + strings.Repeat(" ", limit-n)).As(repr.KindBpchar), nil
	}
	return d, nil
}

// numericMod is the precision and scale of numeric(p,s); the scale may be negative.
func numericMod(mod int32) (precision, scale int) {
	mod -= 4
	return int(mod >> 16 & 0xffff), int(mod&0x7ff^1024) - 1024
}

func coerceNumeric(t repr.Type, d repr.Datum) (repr.Datum, *repr.Error) {
	precision, scale := numericMod(t.Mod)
	if !d.NumericFinite() {
		if d.NumericIsNaN() {
			return d, nil
		}
		return repr.Null, numericFieldOverflow(precision, scale, " cannot hold an infinite value.")
	}
	if coef, have, ok := d.NumericSmall(); ok && int(have) == scale && precision <= 18 {
		if limit := pow10(precision); coef < limit && coef > -limit {
			return d, nil
		}
	}
	r := RoundNumeric(d, scale)
	coef, _ := NumericBig(r)
	digits := len(new(big.Int).Abs(coef).Append(nil, 10))
	if coef.Sign() != 0 && digits-int(r.NumericScale()) > precision-scale {
		return repr.Null, numericFieldOverflow(precision, scale,
			" must round to an absolute value less than "+tenTo(precision-scale)+".")
	}
	return r, nil
}

func tenTo(n int) string {
	if n == 0 {
		return "1"
	}
	return "10^" + strconv.Itoa(n)
}

func numericFieldOverflow(precision, scale int, what string) *repr.Error {
	return repr.NewError(repr.CodeNumericOutOfRange, "numeric field overflow").WithDetail(
		"A field with precision " + strconv.Itoa(precision) + ", scale " + strconv.Itoa(scale) + what)
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// NumericBig is the coefficient and scale of a finite numeric.
func NumericBig(d repr.Datum) (coef *big.Int, scale int) {
	if n, s, ok := d.NumericSmall(); ok {
		return big.NewInt(n), int(s)
	}
	coef, _ = new(big.Int).SetString(d.Str(), 10)
	return coef, int(d.NumericScale())
}

// BigPow10 is 10 to the power of n. It is shared: nobody may change it.
func BigPow10(n int) *big.Int {
	if n >= 0 && n < len(bigPowers) {
		return bigPowers[n]
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// bigPowers are the first powers of 10.
var bigPowers = makeBigPowers()

func makeBigPowers() (list [48]*big.Int) {
	for n := range list {
		list[n] = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	}
	return list
}

// RoundNumeric rounds a finite numeric half away from zero to so many digits after the point, and pads it to them.
// A negative scale rounds before the point.
func RoundNumeric(d repr.Datum, scale int) repr.Datum {
	coef, have := NumericBig(d)
	if have > scale {
		coef = RoundQuo(coef, BigPow10(have-scale))
		have = scale
	}
	want := max(0, scale)
	if have < want {
		coef = new(big.Int).Mul(coef, BigPow10(want-have))
	}
	return repr.NumericFromBig(coef, int32(want))
}

// RoundQuo is a / b, b > 0, to the nearest, halves away from zero.
func RoundQuo(a, b *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	r.Abs(r).Lsh(r, 1)
	if r.Cmp(b) >= 0 {
		q.Add(q, big.NewInt(int64(a.Sign())))
	}
	return q
}

// coercePrecision rounds to the digits of a fraction of a second that the type keeps.
func coercePrecision(t repr.Type, d repr.Datum) repr.Datum {
	n := d.Int()
	if t.Kind != repr.KindTime && (n == repr.NegInfinity64 || n == repr.PosInfinity64) {
		return d
	}
	return repr.IntOf(t.Kind, roundMicros(n, int(t.Mod)-4))
}

func roundMicros(n int64, precision int) int64 {
	if precision >= 6 || precision < 0 {
		return n
	}
	unit := pow10(6 - precision)
	if n >= 0 {
		return (n + unit/2) / unit * unit
	}
	return -((-n + unit/2) / unit * unit)
}

func coerceInterval(t repr.Type, d repr.Datum) repr.Datum {
	months, days, micros := d.IntervalParts()
	switch intervalRange(t) {
	case FieldYear:
		months, days, micros = months/12*12, 0, 0
	case FieldMonth, FieldYear | FieldMonth:
		days, micros = 0, 0
	case FieldDay:
		micros = 0
	case FieldHour, FieldDay | FieldHour:
		micros -= micros % microsPerHour
	case FieldMinute, FieldHour | FieldMinute, FieldDay | FieldHour | FieldMinute:
		micros -= micros % microsPerMinute
	}
	if p := t.Mod & 0xffff; p != IntervalFullPrecision {
		micros = roundMicros(micros, int(p))
	}
	return repr.Interval(months, days, micros)
}
