package envelope

import (
	"context"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sources"
)

// restarted is an envelope that is made anew now and then, of what the one before it remembered.
type restarted struct {
	t     *testing.T
	r     *rand.Rand
	fresh func() *Debezium
	now   *Debezium
	kept  map[string]int64
	rows  map[string]int64 // what it gave
	bare  int              // notes without their rows
}

func newRestarted(t *testing.T, r *rand.Rand, fresh func() *Debezium) *restarted {
	e := &restarted{t: t, r: r, fresh: fresh, now: fresh(), kept: map[string]int64{}, rows: map[string]int64{}}
	e.now.Remember()
	return e
}

func (e *restarted) Apply(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error) {
	if e.r.IntN(4) == 0 {
		e.keep()
	}
	if e.r.IntN(12) == 0 {
		e.restart()
	}
	before := len(dst)
	dst, err := e.now.Apply(ctx, dst, m)
	for _, u := range dst[before:] {
		add(e.rows, u)
	}
	return dst, err
}

func add(to map[string]int64, u sources.Update) {
	if to[string(u.Row)] += u.Diff; to[string(u.Row)] == 0 {
		delete(to, string(u.Row))
	}
}

func each(of map[string]int64) iter.Seq2[[]byte, repr.Diff] {
	return func(yield func([]byte, repr.Diff) bool) {
		for row, n := range of {
			if !yield([]byte(row), n) {
				return
			}
		}
	}
}

// keep folds what the envelope remembers, and holds it to what it should be: rows that come are not there, those that go are.
func (e *restarted) keep() {
	for _, u := range e.now.State(nil) {
		add(e.kept, u)
		if u.Row[0] == noteKey {
			e.bare++
		}
		if n := e.kept[string(u.Row)]; n < 0 || n > 1 && u.Row[0] != stateBag {
			e.t.Fatalf("the memory holds %q %d times", u.Row, n)
		}
	}
}

func (e *restarted) restart() {
	e.t.Helper()
	e.keep()
	if e.r.IntN(3) == 0 {
		e.age()
	}
	e.now = e.fresh()
	if err := e.now.Restore(each(e.kept), each(e.rows)); err != nil {
		e.t.Fatal(err)
	}
	e.now.Remember()
	if again := e.now.State(nil); len(again) > 0 {
		e.t.Fatalf("what was just restored has changed: %v", again)
	}
}

// age has what is kept be as a former release noted it.
func (e *restarted) age() {
	for row := range maps.Clone(e.kept) {
		r := stateReader{b: []byte(row)}
		kind := r.byte()
		if kind != noteWhole && kind != noteKey {
			continue
		}
		key, x := r.whole()
		if kind == noteKey {
			x, _ = e.now.live.find(key)
		}
		delete(e.kept, row)
		e.kept[string(appendFormer(nil, key, &x))] = 1
	}
}

// TestRestarts holds an envelope that is made anew at random moments to one that is not, update for update, over the captured
// topics with repetitions: tables with keys and without.
func TestRestarts(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	bare := 0
	for _, name := range sampleTables {
		cols, key := schemas.avroColumns(t, name)
		jsonName := strings.Replace(strings.Replace(name, "pg.", "pg_json.", 1), "mysql.", "mysql_json.", 1)
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 9))
			messages := window(r, topics[name])
			fresh := func() *Debezium { return NewDebeziumAvro(schemas, cols, key) }
			often := newRestarted(t, r, fresh)
			compareHistories(t, name, history(t, often, messages), history(t, fresh(), messages))
			bare += often.bare
			messages = window(r, topics[jsonName])
			compareHistories(t, jsonName, history(t, newRestarted(t, r, NewDebeziumJSON), messages), history(t, NewDebeziumJSON(), messages))
		}
	}
	if bare == 0 {
		t.Error("nothing was noted without its row")
	}
}

// TestRestoreRefuses: a memory that the rows of the table do not go with is an error, not a table that differs.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	cols, key := schemas.avroColumns(t, "pg.public.users")
	e := newRestarted(t, rand.New(rand.NewPCG(1, 9)), func() *Debezium { return NewDebeziumAvro(schemas, cols, key) })
	history(t, e, topics["pg.public.users"])
	e.keep()
	some := slices.Sorted(maps.Keys(e.rows))[0]
	less, twice := maps.Clone(e.rows), maps.Clone(e.rows)
	delete(less, some)
	twice[some]++
	for name, rows := range map[string]map[string]int64{"a row that is gone": less, "a row that is there twice": twice, "nothing": {}} {
		if err := e.fresh().Restore(each(e.kept), each(rows)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := e.fresh().Restore(each(e.kept), nil); err == nil {
		t.Error("no content: no error")
	}
	if err := e.fresh().Restore(each(e.kept), each(e.rows)); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// TestRandomRestarts does the same over tables that change at random, whose keys change and whose log begins anew.
func TestRandomRestarts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		d := &database{r: rand.New(rand.NewPCG(seed, 8)), mysql: seed%2 == 0, rows: map[int]map[string]any{},
			parts: make([][]*Message, 1), pos: 4, millis: 1e12}
		for range 120 {
			d.step()
			if d.r.IntN(30) == 0 {
				d.reread()
			}
		}
		messages := window(d.r, d.parts[0])
		compareHistories(t, "random", history(t, newRestarted(t, d.r, NewDebeziumJSON), messages), history(t, NewDebeziumJSON(), messages))
	}
}

func compareHistories(t *testing.T, name string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s: update %d of %d, want %d, differs", name, i, len(got), len(want))
		}
	}
}
