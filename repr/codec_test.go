package repr_test

import (
	"bytes"
	"cmp"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"

	"millrace/repr"
)

// TestRoundTrip packs rows of every kind and takes them apart again: what comes out packs to the same bytes, Skip
// and PrefixLen agree with Decode, and the payload that prints is unchanged.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	kinds := storable()
	for range 3000 {
		var want []repr.Datum
		for range r.IntN(6) {
			want = append(want, draw(r, kinds[r.IntN(len(kinds))]))
		}
		row := repr.AppendRow(nil, want)
		if got := repr.DecodeRow(nil, row); len(got) != len(want) {
			t.Fatalf("%x: %d columns, want %d", row, len(got), len(want))
		}
		rest := row
		for i, w := range want {
			if n := repr.PrefixLen(row, i); n != len(row)-len(rest) {
				t.Fatalf("PrefixLen(%x, %d) = %d, want %d", row, i, n, len(row)-len(rest))
			}
			if repr.IsNull(rest) != w.IsNull() {
				t.Fatalf("IsNull of %x is %v", rest, repr.IsNull(rest))
			}
			skipped := repr.Skip(rest)
			var d repr.Datum
			d, rest = repr.Decode(rest)
			if !bytes.Equal(skipped, rest) {
				t.Fatalf("Skip and Decode of kind %v disagree: %x, %x", w.Kind(), skipped, rest)
			}
			checkSame(t, d, w)
		}
		if len(rest) > 0 {
			t.Fatalf("%x are left of %x", rest, row)
		}
	}
}

// checkSame compares values as they print, not as they count.
func checkSame(t *testing.T, got, want repr.Datum) {
	t.Helper()
	if got.Kind() != want.Kind() || got.Len() != want.Len() {
		t.Fatalf("got kind %v with %d elements, want %v with %d", got.Kind(), got.Len(), want.Kind(), want.Len())
	}
	if g, w := repr.Append(nil, got), repr.Append(nil, want); !bytes.Equal(g, w) {
		t.Fatalf("%v: packs again to %x, was %x", want.Kind(), g, w)
	}
	switch want.Kind() {
	case repr.KindNumeric:
		if g, w := repr.AppendNumericText(nil, got), repr.AppendNumericText(nil, want); !bytes.Equal(g, w) {
			t.Fatalf("numeric %s came back as %s", w, g)
		}
	case repr.KindFloat4, repr.KindFloat8:
		if got.Int() != want.Int() {
			t.Fatalf("float bits %x came back as %x", want.Int(), got.Int())
		}
	case repr.KindInterval:
		gm, gd, gn := got.IntervalParts()
		if m, d, n := want.IntervalParts(); gm != m || gd != d || gn != n {
			t.Fatalf("interval %d %d %d came back as %d %d %d", m, d, n, gm, gd, gn)
		}
	case repr.KindArray, repr.KindRecord:
		g, w := got.Elems(nil), want.Elems(nil)
		for i := range w {
			checkSame(t, g[i], w[i])
		}
	default:
		if got.Int() != want.Int() || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%v: %d %q came back as %d %q", want.Kind(), want.Int(), want.Bytes(), got.Int(), got.Bytes())
		}
	}
}

// TestOrder draws pairs of values and holds four things together: the plain comparison of this file, Compare, the
// bytes of AppendSort and AppendOrder, and the equality of AppendKey.
func TestOrder(t *testing.T) {
	t.Parallel()
	for _, k := range storable() {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2, uint64(k)))
			for range 4000 {
				checkPair(t, draw(r, k), draw(r, k))
			}
		})
	}
}

func checkPair(t *testing.T, a, b repr.Datum) {
	t.Helper()
	got := repr.Compare(a, b)
	if want, ok := plainCompare(a, b); ok && got != want {
		t.Fatalf("Compare(%s, %s) = %d, want %d", show(a), show(b), got, want)
	}
	if back := repr.Compare(b, a); back != -got {
		t.Fatalf("Compare(%s, %s) = %d, the other way round %d", show(a), show(b), got, back)
	}
	if a.Equal(b) != (got == 0) {
		t.Fatalf("Equal(%s, %s) is %v, Compare is %d", show(a), show(b), a.Equal(b), got)
	}
	if same := bytes.Equal(repr.AppendKey(nil, a), repr.AppendKey(nil, b)); same != (got == 0) {
		t.Fatalf("keys of %s and %s equal: %v; Compare is %d", show(a), show(b), same, got)
	}
	if s := bytes.Compare(repr.AppendSort(nil, a), repr.AppendSort(nil, b)); s != got {
		t.Fatalf("AppendSort orders %s and %s as %d, Compare as %d", show(a), show(b), s, got)
	}
	for i := range 4 {
		desc, nullsFirst := i&1 == 1, i&2 == 2
		want := got
		if desc {
			want = -want
		}
		if a.IsNull() != b.IsNull() {
			want = 1
			if a.IsNull() == nullsFirst {
				want = -1
			}
		}
		// Something follows each item, as in a key of several: no item may be a prefix of another.
		x := append(repr.AppendOrder(nil, a, desc, nullsFirst), 0x7f)
		y := append(repr.AppendOrder(nil, b, desc, nullsFirst), 0x7f)
		if c := bytes.Compare(x, y); c != want {
			t.Fatalf("AppendOrder(desc %v, nulls first %v) orders %s and %s as %d, want %d", desc, nullsFirst, show(a), show(b), c, want)
		}
	}
	checkCanonical(t, a)
}

// checkCanonical checks that the canonical value is equal to the value and stands for itself.
func checkCanonical(t *testing.T, d repr.Datum) {
	t.Helper()
	c := d.Canonical()
	if !c.Equal(d) || !bytes.Equal(repr.Append(nil, c), repr.Append(nil, c.Canonical())) {
		t.Fatalf("canonical value of %s is %s", show(d), show(c))
	}
	if d.Kind().KeyIsValue() && !bytes.Equal(repr.Append(nil, d), repr.AppendKey(nil, d)) {
		t.Fatalf("%s is said to be canonical, but its key differs", show(d))
	}
}

// plainCompare orders values the slow and obvious way; ok is false for kinds whose order is tested elsewhere.
func plainCompare(a, b repr.Datum) (order int, ok bool) {
	if a.IsNull() || b.IsNull() {
		return cmp.Compare(rank(a.IsNull()), rank(b.IsNull())), true
	}
	switch a.Kind() {
	case repr.KindJSONB:
		return 0, false
	case repr.KindFloat4, repr.KindFloat8:
		return plainFloat(a.Float(), b.Float()), true
	case repr.KindNumeric:
		return plainNumeric(a, b), true
	case repr.KindInterval:
		return span(a).Cmp(span(b)), true
	case repr.KindBpchar:
		return bytes.Compare(bytes.TrimRight(a.Bytes(), " "), bytes.TrimRight(b.Bytes(), " ")), true
	case repr.KindArray, repr.KindRecord:
		return plainElems(a.Elems(nil), b.Elems(nil)), true
	}
	if a.Bytes() != nil || b.Bytes() != nil {
		return bytes.Compare(a.Bytes(), b.Bytes()), true
	}
	return cmp.Compare(a.Int(), b.Int()), true
}

// plainFloat orders floats as SQL does: NaN is greatest, where Go has it least.
func plainFloat(a, b float64) int {
	if c := cmp.Compare(rank(a != a), rank(b != b)); c != 0 {
		return c
	}
	return cmp.Compare(a, b)
}

func rank(v bool) int {
	if v {
		return 1
	}
	return 0
}

func plainElems(a, b []repr.Datum) int {
	for i := range min(len(a), len(b)) {
		if c, _ := plainCompare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// numericClass orders what is no number around the numbers.
func numericClass(d repr.Datum) int {
	switch {
	case d.NumericIsNaN():
		return 3
	case !d.NumericFinite():
		return d.NumericSign() + 1
	default:
		return 1
	}
}

func plainNumeric(a, b repr.Datum) int {
	if c := cmp.Compare(numericClass(a), numericClass(b)); c != 0 || !a.NumericFinite() {
		return c
	}
	return rational(a).Cmp(rational(b))
}

func rational(d repr.Datum) *big.Rat {
	r, ok := new(big.Rat).SetString(string(repr.AppendNumericText(nil, d)))
	if !ok {
		panic("numeric prints " + string(repr.AppendNumericText(nil, d)))
	}
	return r
}

// span is the length of an interval in microseconds, a month being 30 days.
func span(d repr.Datum) *big.Int {
	months, days, micros := d.IntervalParts()
	n := big.NewInt(int64(months)*30 + int64(days))
	return n.Mul(n, big.NewInt(repr.MicrosPerDay)).Add(n, big.NewInt(micros))
}

func show(d repr.Datum) string {
	switch d.Kind() {
	case repr.KindNull:
		return "NULL"
	case repr.KindNumeric:
		return string(repr.AppendNumericText(nil, d))
	case repr.KindInterval:
		return span(d).String() + " µs"
	case repr.KindArray, repr.KindRecord:
		s := "("
		for _, e := range d.Elems(nil) {
			s += show(e) + " "
		}
		return s + ")"
	case repr.KindFloat4, repr.KindFloat8:
		return strconv.FormatFloat(d.Float(), 'g', -1, 64)
	}
	if d.Bytes() != nil {
		return string(d.Bytes())
	}
	return big.NewInt(d.Int()).String()
}
