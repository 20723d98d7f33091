package envelope

import (
	"context"
	"maps"
	"math/rand/v2"
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
}

func newRestarted(t *testing.T, r *rand.Rand, fresh func() *Debezium) *restarted {
	e := &restarted{t: t, r: r, fresh: fresh, now: fresh(), kept: map[string]int64{}}
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
	return e.now.Apply(ctx, dst, m)
}

// keep folds what the envelope remembers, and holds it to what it should be: rows that come are not there, those that go are.
func (e *restarted) keep() {
	for _, u := range e.now.State(nil) {
		if e.kept[string(u.Row)] += u.Diff; e.kept[string(u.Row)] == 0 {
			delete(e.kept, string(u.Row))
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
	err := e.now.Restore(func(yield func([]byte, repr.Diff) bool) {
		for row, n := range e.kept {
			if !yield([]byte(row), n) {
				return
			}
		}
	})
	if err != nil {
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
		if r.byte() == noteWhole {
			key, x := r.whole()
			delete(e.kept, row)
			e.kept[string(appendFormer(nil, key, &x))] = 1
		}
	}
}

// TestRestarts holds an envelope that is made anew at random moments to one that is not, update for update, over the captured
// topics with repetitions: tables with keys and without.
func TestRestarts(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	for _, name := range sampleTables {
		cols, key := schemas.avroColumns(t, name)
		jsonName := strings.Replace(strings.Replace(name, "pg.", "pg_json.", 1), "mysql.", "mysql_json.", 1)
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 9))
			messages := window(r, topics[name])
			fresh := func() *Debezium { return NewDebeziumAvro(schemas, cols, key) }
			compareHistories(t, name, history(t, newRestarted(t, r, fresh), messages), history(t, fresh(), messages))
			messages = window(r, topics[jsonName])
			compareHistories(t, jsonName, history(t, newRestarted(t, r, NewDebeziumJSON), messages), history(t, NewDebeziumJSON(), messages))
		}
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
