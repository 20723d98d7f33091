package postgres

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources"
)

// example is a table of id, n and a large text; by key, or with whole old rows.
func example(byKey bool) *table {
	u := &upstream{OID: 1, Schema: "public", Name: "t", identity: "f", Columns: []upstreamed{
		{Name: "id", Number: 1, Type: 23}, {Name: "n", Number: 2, Type: 20}, {Name: "large", Number: 3, Type: 25}}}
	if byKey {
		u.identity, u.Key = "d", []int16{1}
	}
	t := newTable(1, u, repr.RowDesc{{Name: "id", Type: repr.TypeOf(repr.KindInt4)}, {Name: "n", Type: repr.TypeOf(repr.KindInt8)},
		{Name: "large", Type: repr.TypeOf(repr.KindText)}})
	t.at = map[int]int{0: 0, 1: 1, 2: 2}
	return t
}

func values(t *testing.T, texts ...string) []value {
	t.Helper()
	m := &message{b: tupleBytes(texts...)}
	out := m.tuple(nil)
	if m.bad {
		t.Fatal("a tuple does not parse")
	}
	return out
}

// world is what the other side holds, and what the collection does.
type world struct {
	rng  *rand.Rand
	rows map[int][2]string
	here map[string]int64

	badly bool         // some values cannot be had
	bad   map[int]bool // whose rows cannot
	errs  map[string]int64
}

// tooMuch is a number that does not fit.
const tooMuch = "99999999999999999999"

// packed is a row of the world as it has to be here.
func (w *world) packed(id int) string {
	r := w.rows[id]
	n, _ := strconv.ParseInt(r[0], 10, 64)
	return string(repr.AppendRow(nil, []repr.Datum{repr.IntOf(repr.KindInt4, int64(id)), repr.IntOf(repr.KindInt8, n), repr.Text(r[1])}))
}

// change makes a change there, and gives it as the stream does.
func (w *world) change(t *testing.T, byKey bool) *change {
	id := w.rng.IntN(20)
	old, ok := w.rows[id]
	text := strconv.Itoa(id)
	fresh := [2]string{strconv.Itoa(w.rng.IntN(1000)), fmt.Sprintf("large %d", w.rng.IntN(1000))}
	if w.badly && w.rng.IntN(3) == 0 {
		fresh[0] = tooMuch
	}
	wasBad := w.bad[id]
	delete(w.bad, id)
	if !ok {
		w.rows[id] = fresh
		w.note(id, fresh[0] == tooMuch)
		return &change{op: 'I', new: values(t, text, fresh[0], fresh[1])}
	}
	before := values(t, text, old[0], old[1])
	key := values(t, text, `\N`, `\N`)
	if w.rng.IntN(3) == 0 {
		delete(w.rows, id)
		if byKey {
			return &change{op: 'D', old: key}
		}
		return &change{op: 'D', old: before}
	}
	sent := fresh[1]
	if w.rng.IntN(2) == 0 {
		fresh[1], sent = old[1], `\u`
	}
	c := &change{op: 'U', old: before}
	to := id
	if _, taken := w.rows[id+100]; w.rng.IntN(4) == 0 && !taken {
		to = id + 100
	}
	if byKey {
		if c.old = nil; to != id {
			c.old = key
		}
	}
	c.new = values(t, strconv.Itoa(to), fresh[0], sent)
	delete(w.rows, id)
	w.rows[to] = fresh
	w.note(to, fresh[0] == tooMuch || byKey && wasBad && sent == `\u`) // what was not sent was not known
	return c
}

func (w *world) note(id int, bad bool) {
	if bad {
		w.bad[id] = true
	}
}

// take applies a part to the collection.
func (w *world) take(p *part) {
	if p.Replace {
		clear(w.here)
	}
	for _, u := range p.Updates {
		if w.here[string(u.Row)] += int64(u.Diff); w.here[string(u.Row)] == 0 {
			delete(w.here, string(u.Row))
		}
	}
	for _, f := range p.refused {
		if w.errs[string(f.row)] += int64(f.diff); w.errs[string(f.row)] == 0 {
			delete(w.errs, string(f.row))
		}
	}
}

func (w *world) compare(t *testing.T, step int) {
	t.Helper()
	want := map[string]int64{}
	for id := range w.rows {
		if !w.bad[id] {
			want[w.packed(id)]++
		}
	}
	errs := int64(0)
	for _, n := range w.errs {
		if errs += n; n < 0 {
			t.Fatalf("step %d: an error is taken back that was not there", step)
		}
	}
	if errs != int64(len(w.bad)) {
		t.Fatalf("step %d: %d errors, and %d rows that cannot be had", step, errs, len(w.bad))
	}
	if !maps.Equal(want, w.here) {
		t.Fatalf("step %d: %d rows here, %d there, or others", step, len(w.here), len(want))
	}
}

// TestApply holds random histories, with truncations, values that cannot be had, and batches that are lost and come again, to what the
// other side holds.
func TestApply(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		byKey := seed%2 == 0
		w := &world{rng: rand.New(rand.NewPCG(seed, 1)), rows: map[int][2]string{}, here: map[string]int64{},
			badly: seed%4 > 1, bad: map[int]bool{}, errs: map[string]int64{}}
		tab := example(byKey)
		for step := range 60 {
			var history []*change // nil: TRUNCATE
			for range w.rng.IntN(12) {
				if w.rng.IntN(15) == 0 {
					clear(w.rows)
					clear(w.bad)
					history = append(history, nil)
					continue
				}
				history = append(history, w.change(t, byKey))
			}
			p := &part{Part: sources.Part{Table: 1}}
			for range w.rng.IntN(3) { // the connection is cut in the middle
				play(t, tab, p, history[:w.rng.IntN(len(history)+1)])
				tab.undo(p)
				p = &part{Part: sources.Part{Table: 1}}
			}
			play(t, tab, p, history)
			w.take(p)
			w.compare(t, step)
		}
	}
}

func play(t *testing.T, tab *table, p *part, history []*change) {
	t.Helper()
	for _, c := range history {
		if c == nil {
			tab.truncate(p)
			continue
		}
		bad, err := tab.apply(p, c)
		if err != nil {
			t.Fatal(err)
		}
		if bad != nil {
			r := &reader{Source: &Source{cfg: Config{Clock: clock.System{}}}, batch: &sources.Batch{}, parts: map[uint64]*part{tab.id: p}}
			r.refuse(tab, c.new, begin{commit: 1}, bad)
		}
	}
}

// TestBadRow holds that a row that cannot be had is left out until it can, and that its change takes nothing else away.
func TestBadRow(t *testing.T) {
	t.Parallel()
	for _, byKey := range []bool{true, false} {
		tab := example(byKey)
		p := &part{}
		good, worse := values(t, "1", "5", "x"), values(t, "1", "99999999999999999999", "x")
		steps := []struct {
			c    *change
			bad  bool
			rows int
		}{
			{&change{op: 'I', new: worse}, true, 0},
			{&change{op: 'U', old: worse, new: good}, false, 1},
			{&change{op: 'U', old: good, new: worse}, true, 0},
			{&change{op: 'D', old: worse}, false, 0},
		}
		w := &world{here: map[string]int64{}}
		for i, s := range steps {
			p.Updates = nil
			bad, err := tab.apply(p, s.c)
			if err != nil || (bad != nil) != s.bad {
				t.Fatalf("step %d: %v, %v", i, bad, err)
			}
			if w.take(p); len(w.here) != s.rows {
				t.Errorf("step %d, by key %v: %d rows, want %d", i, byKey, len(w.here), s.rows)
			}
		}
	}
}

// TestFollow holds that columns are found as the stream has them: those that keep their names, and the others between them.
func TestFollow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		was, is string // names; what was has the numbers 1, 2, …
		now     map[int16]string
		want    string // where each is; - is nowhere; an error otherwise
	}{
		{"a b c", "a b c", nil, "0 1 2"},
		{"a b c", "a b c d", nil, "0 1 2"},
		{"a b c", "a x c", map[int16]string{1: "a", 2: "x", 3: "c"}, "0 1 2"},
		{"a b c", "a x c", map[int16]string{1: "a", 2: "later", 3: "c"}, "0 1 2"},
		{"a b c", "a c", nil, "0 - 1"},
		{"a b c", "a", nil, "0 - -"},
		{"a b c", "a d", map[int16]string{1: "a", 4: "d"}, "0 - -"},
		{"a b c", "a x d", map[int16]string{1: "a", 2: "x", 4: "d"}, "0 1 -"},
		{"a b c", "a x d", map[int16]string{1: "a", 3: "x", 4: "d"}, "0 - 1"},
		{"a b c", "a x y d", map[int16]string{1: "a", 2: "p", 3: "q", 4: "d"}, "0 1 2"},
		{"a b c", "a y", map[int16]string{1: "a", 3: "later"}, "crosswise"},
		{"a b c", "a c b", nil, "crosswise"},
		{"a b c", "b c", map[int16]string{2: "b", 3: "c"}, "- 0 1"},
	} {
		rel := &relation{}
		for _, n := range strings.Fields(c.is) {
			rel.columns = append(rel.columns, relationColumn{name: n, typ: 25})
		}
		u := &upstream{Schema: "public", Name: "t"}
		var cols repr.RowDesc
		for i, n := range strings.Fields(c.was) {
			u.Columns = append(u.Columns, upstreamed{Name: n, Number: int16(i + 1), Type: 25})
			cols = append(cols, repr.Column{Name: n, Type: repr.TypeOf(repr.KindText)})
		}
		tab := newTable(1, u, cols)
		_, gone, err := tab.describe(rel, func([]*upstreamed) (map[int16]string, error) { return c.now, nil })
		var got []string
		for i := range cols {
			if at := tab.at[i]; at >= 0 {
				got = append(got, strconv.Itoa(at))
			} else {
				got = append(got, "-")
			}
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = "crosswise"
		} else if strings.Count(text, "-") != len(gone) {
			t.Errorf("%s to %s: %s, and gone are %v", c.was, c.is, text, gone)
		}
		if text != c.want {
			t.Errorf("%s to %s: %s (%v), want %s", c.was, c.is, text, err, c.want)
		}
	}
}

// TestColumns holds that columns are followed by name and number.
func TestColumns(t *testing.T) {
	t.Parallel()
	tab := example(true)
	p := &part{}
	if _, err := tab.apply(p, &change{op: 'I', new: values(t, "1", "5", "x")}); err != nil {
		t.Fatal(err)
	}
	rel := &relation{columns: []relationColumn{{"id", 23, -1}, {"text", 25, -1}, {"fresh", 25, -1}}}
	kept, gone, err := tab.describe(rel, func([]*upstreamed) (map[int16]string, error) {
		return map[int16]string{1: "id", 3: "text", 4: "fresh"}, nil
	})
	if err != nil || !kept || len(gone) != 1 || gone[0] != 1 {
		t.Fatalf("kept %v, gone %v, %v", kept, gone, err)
	}
	if more := tab.unread(); len(more) != 1 || more[0] != "fresh" {
		t.Errorf("new columns: %v", more)
	}
	if err := tab.blank(p, gone); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.apply(p, &change{op: 'U', new: values(t, "1", `\u`, "new")}); err != nil {
		t.Fatal(err)
	}
	w := &world{here: map[string]int64{}}
	w.take(p)
	want := string(repr.AppendRow(nil, []repr.Datum{repr.IntOf(repr.KindInt4, 1), repr.Null, repr.Text("x")}))
	if len(w.here) != 1 || w.here[want] != 1 {
		t.Errorf("the collection is %v, want %q", w.here, want)
	}
	tab.undo(p)
	if tab.rows.Len() != 0 || tab.up.Columns[1].Gone {
		t.Errorf("after a batch that was lost %d rows are remembered, and the column is gone: %v", tab.rows.Len(), tab.up.Columns[1].Gone)
	}
	rel.columns[0].typ = 20
	if _, _, err := tab.describe(rel, nil); err == nil {
		t.Error("a column of another type was taken")
	}
}
