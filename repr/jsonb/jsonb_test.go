package jsonb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func sortLines(lines []string) {
	slices.SortStableFunc(lines, func(a, b string) int {
		return bytes.Compare(AppendSort(nil, []byte(a)), AppendSort(nil, []byte(b)))
	})
}

func norm(t testing.TB, s string) []byte {
	t.Helper()
	b, err := Normalize(nil, []byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return b
}

// randomJSON writes a document with white space, escapes, repeated keys and numbers of many spellings.
func randomJSON(r *rand.Rand, depth int) string {
	space := func() string { return []string{"", "", " ", "\n\t"}[r.IntN(4)] }
	kind := r.IntN(8)
	if depth == 0 {
		kind = r.IntN(6)
	}
	switch kind {
	case 0:
		return []string{"null", "true", "false"}[r.IntN(3)]
	case 1, 2:
		return []string{"0", "-0", "1", "1.0", "1.10", "10", "1e1", "1.5E+2", "-3.25", "2e-3", "12345678901234567890.5", "100", "-100.0"}[r.IntN(13)]
	case 3, 4, 5:
		return randomString(r)
	case 6:
		var items []string
		for range r.IntN(4) {
			items = append(items, space()+randomJSON(r, depth-1)+space())
		}
		return "[" + strings.Join(items, ",") + space() + "]"
	default:
		var items []string
		for range r.IntN(4) {
			items = append(items, space()+randomString(r)+space()+":"+space()+randomJSON(r, depth-1)+space())
		}
		return "{" + strings.Join(items, ",") + space() + "}"
	}
}

func randomString(r *rand.Rand) string {
	return []string{`""`, `"a"`, `"b"`, `"ab"`, `"\u0061"`, `"\"\\"`, `"\/"`, `"é"`, `"\u00e9"`, `"\ud83d\ude00"`, `"😀"`, `"x\ny"`, `"]},:"`, `"\\\""`}[r.IntN(14)]
}

// plain is the slow, obvious reading of a document.
func plain(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// comparePlain is PostgreSQL's order, written over trees.
func comparePlain(a, b any, top bool) int {
	rank := func(v any) int {
		switch v := v.(type) {
		case nil:
			return 1
		case string:
			return 2
		case json.Number:
			return 3
		case bool:
			return 4
		case []any:
			if top && len(v) == 0 {
				return 0
			}
			return 5
		default:
			return 6
		}
	}
	if rank(a) != rank(b) {
		return rank(a) - rank(b)
	}
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case json.Number:
		x, _ := new(big.Rat).SetString(string(a))
		y, _ := new(big.Rat).SetString(string(b.(json.Number)))
		return x.Cmp(y)
	case bool:
		return btoi(a) - btoi(b.(bool))
	case []any:
		return compareArrays(a, b.([]any))
	case map[string]any:
		return compareObjects(a, b.(map[string]any))
	}
	return 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareArrays(a, b []any) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	for i := range a {
		if c := comparePlain(a[i], b[i], false); c != 0 {
			return c
		}
	}
	return 0
}

func compareObjects(a, b map[string]any) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	ka, kb := sortedKeys(a), sortedKeys(b)
	for i := range ka {
		if c := strings.Compare(ka[i], kb[i]); c != 0 {
			return c
		}
		if c := comparePlain(a[ka[i]], b[kb[i]], false); c != 0 {
			return c
		}
	}
	return 0
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return keys
}

func sign(n int) int { return min(1, max(-1, n)) }

func TestAgainstTrees(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		s, u := randomJSON(r, 3), randomJSON(r, 3)
		a, b := norm(t, s), norm(t, u)
		if again := norm(t, string(a)); !bytes.Equal(a, again) {
			t.Fatalf("%s: normal form %s is not stable: %s", s, a, again)
		}
		ta, tb := plain(t, s), plain(t, u)
		if got := plain(t, string(a)); comparePlain(ta, got, true) != 0 {
			t.Fatalf("%s became %s", s, a)
		}
		want := sign(comparePlain(ta, tb, true))
		if got := bytes.Compare(AppendSort(nil, a), AppendSort(nil, b)); got != want {
			t.Fatalf("%s against %s: got %d, want %d", a, b, got, want)
		}
		if got := bytes.Equal(Canonical(a), Canonical(b)); got != (want == 0) {
			t.Fatalf("%s = %s: got %t", a, b, got)
		}
		checkAccess(t, a, ta)
	}
}

// checkAccess compares every look-up in the bytes with the tree.
func checkAccess(t *testing.T, b []byte, tree any) {
	t.Helper()
	switch v := tree.(type) {
	case string:
		if got := string(Unquote(b)); got != v {
			t.Fatalf("%s says %q, want %q", b, got, v)
		}
	case []any:
		if Len(b) != len(v) {
			t.Fatalf("%s has %d elements, want %d", b, Len(b), len(v))
		}
		for i, e := range v {
			got, ok := Index(b, i)
			back, _ := Index(b, i-len(v))
			if !ok || !bytes.Equal(got, back) {
				t.Fatalf("%s[%d]: got %s and %s", b, i, got, back)
			}
			checkAccess(t, got, e)
		}
	case map[string]any:
		if Len(b) != len(v) {
			t.Fatalf("%s has %d members, want %d", b, Len(b), len(v))
		}
		for k, e := range v {
			got, ok := Field(b, k)
			if !ok || !Exists(b, k) {
				t.Fatalf("%s has no %q", b, k)
			}
			checkAccess(t, got, e)
		}
		if !Contains(b, b) {
			t.Fatalf("%s does not contain itself", b)
		}
	}
}

func TestEdits(t *testing.T) {
	t.Parallel()
	set := func(b, path, v string, create bool) ([]byte, error) {
		return Set([]byte(b), strings.Split(path, ","), []byte(v), create)
	}
	for _, c := range []struct {
		name string
		do   func() ([]byte, error)
		want string
	}{
		{"set", func() ([]byte, error) { return set(`{"a": [1, 2]}`, "a,1", `"x"`, true) }, `{"a": [1, "x"]}`},
		{"set behind the end", func() ([]byte, error) { return set(`[1]`, "5", `2`, true) }, `[1, 2]`},
		{"set before the start", func() ([]byte, error) { return set(`[1]`, "-5", `2`, true) }, `[2, 1]`},
		{"set sorts", func() ([]byte, error) { return set(`{"bb": 1}`, "c", `2`, true) }, `{"c": 2, "bb": 1}`},
		{"set creates nothing", func() ([]byte, error) { return set(`{"a": 1}`, "b", `2`, false) }, `{"a": 1}`},
		{"insert", func() ([]byte, error) { return Insert([]byte(`[1, 2]`), []string{"0"}, []byte("0"), true) }, `[1, 0, 2]`},
		{"delete", func() ([]byte, error) { return DeleteKeys([]byte(`{"a": 1, "b": 2}`), []string{"a"}) }, `{"b": 2}`},
		{"delete strings", func() ([]byte, error) { return DeleteKeys([]byte(`["a", "b"]`), []string{"a"}) }, `["b"]`},
		{"delete index", func() ([]byte, error) { return DeleteIndex([]byte(`[1, 2, 3]`), -1) }, `[1, 2]`},
		{"delete path", func() ([]byte, error) { return DeletePath([]byte(`{"a": [1, {"b": 2}]}`), []string{"a", "1", "b"}) }, `{"a": [1, {}]}`},
		{"concat", func() ([]byte, error) { return Concat([]byte(`{"a": 1, "b": 2}`), []byte(`{"a": 3}`)), nil }, `{"a": 3, "b": 2}`},
		{"concat arrays", func() ([]byte, error) { return Concat([]byte(`1`), []byte(`[2]`)), nil }, `[1, 2]`},
		{"strip", func() ([]byte, error) { return StripNulls([]byte(`[null, {"a": null, "b": {"c": null}}]`)), nil }, `[null, {"b": {}}]`},
	} {
		got, err := c.do()
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// TestLimits: hostile documents end in an error, not in a stack or a heap without end.
func TestLimits(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 1<<20)
	if _, err := Normalize(nil, []byte(deep)); err == nil || err.(*Error).Code != codeTooComplex {
		t.Errorf("deep nesting: got %v", err)
	}
	wide := "[" + strings.Repeat("1e30000,", 100) + "1]"
	if _, err := Normalize(nil, []byte(wide)); err == nil || err.(*Error).Code != codeProgramLimit {
		t.Errorf("many exponents: got %v", err)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{`{"a": [1, "x", null]}`, `"\ud83d\ude00"`, `[1e5, -0.0]`, `{"a":{"a":1,"a":2}}`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := Normalize(nil, src)
		if (err == nil) && Valid(src) != nil {
			t.Fatalf("%q: jsonb but not json", src)
		}
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("%q became %q", src, b)
		}
		if again := norm(t, string(b)); !bytes.Equal(again, b) {
			t.Fatalf("%q: %q, then %q", src, b, again)
		}
		AppendSort(nil, Canonical(b))
	})
}

func BenchmarkNormalize(b *testing.B) {
	src := []byte(`{"user_id":1234,"url":"/products/56","channel":"social","received_at":1619461059}`)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = Normalize(dst[:0], src)
	}
	_ = fmt.Sprint(len(dst))
}

func BenchmarkField(b *testing.B) {
	doc := norm(b, `{"user_id":1234,"url":"/products/56","channel":"social","received_at":1619461059}`)
	b.ReportAllocs()
	for b.Loop() {
		Field(doc, "received_at")
	}
}
