package coord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"millrace/repr"
	"millrace/sources"
)

// pushed is a source whose records a test pushes: bids with a key, a price and a word.
type pushed struct {
	grows bool
	in    chan *sources.Batch
	read  *int64 // records so far, over restarts
}

func (f *pushed) Describe(context.Context) (repr.RowDesc, [][]int, error) {
	big := repr.TypeOf(repr.KindInt8)
	return repr.RowDesc{{Name: "item", Type: big, NotNull: true}, {Name: "price", Type: big}, {Name: "word", Type: repr.TypeOf(repr.KindText)}}, nil, nil
}

func (f *pushed) Grows() bool                  { return f.grows }
func (f *pushed) Schemas() (value, key string) { return "", "" }

func (f *pushed) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	progress := func() []sources.Progress { return []sources.Progress{{Next: *f.read, High: *f.read}} }
	if err := out.Push(ctx, &sources.Batch{Progress: progress()}); err != nil {
		return err
	}
	for {
		select {
		case b := <-f.in:
			*f.read += b.Records
			b.Progress = progress()
			if err := out.Push(ctx, b); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bid is a record; a negative price is none.
func bid(item, price int64, word string) []byte {
	row := []repr.Datum{repr.Int8(item), repr.Null, repr.Text(word)}
	if price >= 0 {
		row[1] = repr.Int8(price)
	}
	return repr.AppendRow(nil, row)
}

// push hands rows over and waits until a source holds a number of them.
func (f *pushed) push(cl *client, source string, holds int64, rows []sources.Update) {
	cl.t.Helper()
	f.in <- &sources.Batch{Updates: rows, Records: int64(len(rows))}
	for end := time.Now().Add(time.Minute); cl.one("SELECT count(*) FROM "+source) != fmt.Sprint(holds); {
		if time.Now().After(end) {
			cl.t.Fatalf("%s does not hold %d rows", source, holds)
		}
	}
}

// growthQueries are views over a source; those of one place are over the one before.
var growthQueries = []string{
	"SELECT item, min(price) AS lo, max(price) AS hi, max(word) FILTER (WHERE price > 50) AS word, count(*) AS n FROM %s GROUP BY item",
	"SELECT DISTINCT ON (item) item, price, word FROM %s ORDER BY item, price DESC NULLS LAST, word",
	"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY item ORDER BY price, word) AS n FROM %s) x WHERE n <= 3",
	"SELECT * FROM %s ORDER BY price DESC NULLS LAST, word FETCH FIRST 4 ROWS WITH TIES",
	"SELECT a.item, max(100 / b.price) AS most FROM %[1]s a JOIN %[1]s b ON a.item = b.item AND a.word = 'w1' GROUP BY a.item",
	"SELECT max(price) FROM (SELECT item, price FROM %[1]s WHERE price < 90 UNION ALL SELECT DISTINCT price, item FROM %[1]s) u",
	"SELECT item, price FROM %s ORDER BY price, item OFFSET 2 LIMIT 30",
}

// feeds are the sources of a server by topic: one that says that it only grows and one that does not.
func feeds() map[string]*pushed {
	out := map[string]*pushed{}
	for _, name := range []string{"growing", "other"} {
		out[name] = &pushed{grows: name == "growing", in: make(chan *sources.Batch), read: new(int64)}
	}
	return out
}

// growthViews makes the sources, and all views over each and over a view that passes it on.
func growthViews(cl *client, names ...string) {
	for _, name := range names {
		cl.must("CREATE SOURCE " + name + " FROM KAFKA BROKER 'nowhere:9092' TOPIC '" + name + "' FORMAT BYTES")
		cl.must("CREATE MATERIALIZED VIEW " + name + "_kept AS SELECT item, price, word FROM " + name + " WHERE item < 100")
		cl.must("CREATE VIEW " + name + "_seen AS WITH x AS (SELECT * FROM " + name + "_kept) SELECT * FROM x")
	}
}

func growthView(name string, i int) string { return fmt.Sprintf("%s_%d", name, i) }

// TestGrowingSource keeps the same views over two sources with the same rows, one of which says that it only grows: they are
// the same at every time, over a restart too, and those over the growing one hold less.
func TestGrowingSource(t *testing.T) {
	t.Parallel()
	opts, all := quiet(), feeds()
	opts.Workers = 2
	opts.Source = func(topic string) sources.Described { return all[topic] }
	m := newMachine(t, opts)
	cl := connect(t, m.c)
	growthViews(cl, "growing", "other")
	rng, held := rand.New(rand.NewPCG(1, 1)), int64(0)
	more := func() {
		var rows []sources.Update
		for range 1 + rng.IntN(40) {
			rows = append(rows, sources.Update{Row: bid(rng.Int64N(5), rng.Int64N(100)-2, fmt.Sprint("w", rng.IntN(6))), Diff: 1})
		}
		if held < 100 {
			rows = append(rows, sources.Update{Row: bid(1, 0, "w1"), Diff: 1}) // a division by zero
		}
		held += int64(len(rows))
		for name, f := range all {
			f.push(cl, name, held, rows)
		}
	}
	more()
	for i, q := range growthQueries {
		for name := range all {
			cl.must("CREATE MATERIALIZED VIEW " + growthView(name, i) + " AS " + fmt.Sprintf(q, name+"_seen"))
		}
	}
	for round := range 12 {
		more()
		compareGrowth(cl, round)
		if round == 6 {
			m.crash()
			cl = connect(t, m.c)
		}
	}
	for i := range growthQueries {
		plan := func(name string) string {
			return strings.Join(cl.must("EXPLAIN PHYSICAL PLAN FOR MATERIALIZED VIEW "+growthView(name, i)), "\n")
		}
		if i != 3 && !strings.Contains(plan("growing"), " winners") {
			t.Errorf("view %d keeps all candidates:\n%s", i, plan("growing"))
		}
		if strings.Contains(plan("other"), " winners") {
			t.Errorf("view %d over a source that may take rows back keeps winners alone:\n%s", i, plan("other"))
		}
	}
}

// TestErrorsOfGrowingSource: the relation of its bad records is bounded, so it does not only grow, as the source may.
func TestErrorsOfGrowingSource(t *testing.T) {
	t.Parallel()
	opts, all := quiet(), feeds()
	opts.Source = func(topic string) sources.Described { return all[topic] }
	cl := connect(t, start(t, opts))
	growthViews(cl, "growing", "other")
	for _, name := range []string{"growing", "other"} {
		text := strings.Join(cl.must(`EXPLAIN SELECT error_code, max("offset") FROM `+name+"_errors GROUP BY error_code"), "\n")
		if strings.Contains(text, "keep winners") {
			t.Errorf("the bad records of %s:\n%s", name, text)
		}
	}
}

// compareGrowth holds the views over the sources to one another and to the query run once.
func compareGrowth(cl *client, round int) {
	cl.t.Helper()
	for i, q := range growthQueries {
		got, err := cl.run(context.Background(), "SELECT * FROM "+growthView("growing", i))
		for _, text := range []string{"SELECT * FROM " + growthView("other", i), fmt.Sprintf(q, "other")} {
			want, wantErr := cl.run(context.Background(), text)
			if (err == nil) != (wantErr == nil) || err != nil && err.Code != wantErr.Code {
				cl.t.Fatalf("round %d, view %d: %v, want %v", round, i, err, wantErr)
			}
			if err == nil {
				sameRows(cl.t, fmt.Sprintf("round %d, view %d", round, i), got, want)
			}
		}
	}
}

func sameRows(t testing.TB, what string, got, want []string) {
	t.Helper()
	count := map[string]int{}
	for _, r := range got {
		count[r]++
	}
	for _, r := range want {
		count[r]--
	}
	for r, n := range count {
		if n != 0 {
			t.Fatalf("%s: row %s is there %d times more than it should\n%s\nwant\n%s", what, r, n, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestSourceThatGrowsNotOnly has a source take a row back against its word: the views that count on it fail and say so, and
// the others go on.
func TestSourceThatGrowsNotOnly(t *testing.T) {
	t.Parallel()
	opts, all := quiet(), feeds()
	opts.Source = func(topic string) sources.Described { return all[topic] }
	cl := connect(t, start(t, opts))
	growthViews(cl, "growing")
	cl.must("CREATE MATERIALIZED VIEW top AS SELECT item, max(price) FROM growing GROUP BY item")
	cl.must("CREATE MATERIALIZED VIEW n AS SELECT count(*) FROM growing")
	for i := range int64(300) {
		all["growing"].push(cl, "growing", i+1, []sources.Update{{Row: bid(i%3, i, ""), Diff: 1}})
	}
	optimized := strings.Join(cl.must("EXPLAIN OPTIMIZED PLAN FOR MATERIALIZED VIEW top"), "\n")
	for _, want := range []string{"append-only", "keep winners"} {
		if !strings.Contains(optimized, want) {
			t.Errorf("%q is not in\n%s", want, optimized)
		}
	}
	if n := cl.one("SELECT operator_bytes FROM mz_internal.mz_object_memory WHERE name = 'top'"); len(n) > 5 {
		t.Errorf("three groups hold %s bytes", n)
	}
	all["growing"].push(cl, "growing", 299, []sources.Update{{Row: bid(2, 299, ""), Diff: -1}})
	if e := cl.fails(repr.CodeInternal, "SELECT * FROM top"); !strings.Contains(e.Error(), `"reduce max" keeps winners`) {
		t.Errorf("the view says %v", e)
	}
	same(t, "the count", cl.must("SELECT * FROM n"), "299")
}
