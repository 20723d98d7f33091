package nexmark

import (
	"embed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/sources/generator"
	"millrace/sources/generator/nexmark"
	"millrace/tests/twin"
)

var postgres = twin.Postgres{BasePort: 24720}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.Down(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

//go:embed queries
var files embed.FS

// asked are the queries that PostgreSQL cannot say, with windows as functions, and which of the others it is asked instead.
var asked = map[string]string{"q5_hop": "q5", "q7_tumble": "q7", "q8_tumble": "q8"}

// The history: six batches of events and what happens after each, in the same transaction or the next.
const (
	batches     = 6
	batchEvents = 700
	eventMicros = 7000
)

// meddling is what happens to the events after each batch. A stream of events knows no such thing; tables do.
var meddling = [batches][]string{
	{"UPDATE auction SET category = 10 WHERE id % 4 = 1"},
	{"DELETE FROM bid WHERE price % 5 = 2"},
	{"DELETE FROM auction WHERE id % 11 = 3"},
	{"UPDATE bid SET price = price * 3 WHERE bidder % 3 = 1"},
	{"DELETE FROM person WHERE state = 'OR'", "UPDATE person SET state = 'CA' WHERE id % 5 = 0"},
	{"DELETE FROM bid WHERE auction IN (SELECT id FROM auction WHERE seller % 2 = 0)", "UPDATE side_input SET value = 'new ' || value WHERE key < 4"},
}

// TestEventsOnly is the benchmark's own history: events come, nothing goes.
func TestEventsOnly(t *testing.T) { history(t, "events", 1, false) }

// TestChanges deletes and updates events between the batches, and everything in the end.
func TestChanges(t *testing.T) { history(t, "changes", 2, true) }

func history(t *testing.T, name string, workers int, meddle bool) {
	t.Helper()
	r := &run{Twin: twin.New(t, &postgres, name, workers), t: t, most: map[string]int{}}
	r.create()
	site := nexmark.New(42, eventMicros)
	for i := range batches {
		var changes []generator.Change
		var bids []int64
		for range batchEvents {
			e := site.Next()
			changes = append(changes, e.Change())
			if e.Table == nexmark.Bid {
				bids = append(bids, e.Bid.At)
			}
		}
		slices.SortStableFunc(changes, func(a, b generator.Change) int { return a.Table - b.Table })
		statements := generator.Statements(nexmark.Tables, changes, 500)
		r.batch("batch "+strconv.Itoa(i), append(statements, arrival(i, bids)))
		if !meddle {
			continue
		}
		for _, s := range meddling[i] {
			r.batch(s, []string{s})
		}
	}
	if meddle {
		for _, table := range []string{"auction", "side_input", "bid", "person"} {
			r.batch("without "+table, []string{"DELETE FROM " + table})
		}
	}
	for _, name := range r.names {
		if r.most[name] == 0 {
			t.Errorf("%s: no batch gave it an answer, so it was not tested", name)
		}
	}
}

// arrival says when the bids of a batch came, by the clock of processing: a batch every four seconds.
func arrival(batch int, bids []int64) string {
	moment := func(millis int64) string { return time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05.000") }
	return fmt.Sprintf("INSERT INTO arrival VALUES ('%s', '%s', timestamp '2030-01-01' + %d * interval '4 seconds')",
		moment(slices.Min(bids)), moment(slices.Max(bids)), batch)
}

// run is one history on both sides.
type run struct {
	*twin.Twin
	t       *testing.T
	names   []string
	queries map[string]string
	most    map[string]int // by query: the most rows it ever had
}

// create makes the tables on both sides and the views on ours.
func (r *run) create() {
	r.t.Helper()
	for _, table := range nexmark.Tables {
		r.Ours(generator.CreateTable(table, false))
		r.Theirs(generator.CreateTable(table, true))
	}
	side := []string{"CREATE TABLE side_input (key bigint NOT NULL, value text NOT NULL)",
		"CREATE TABLE arrival (first_bid timestamp NOT NULL, last_bid timestamp NOT NULL, at timestamp NOT NULL)"}
	for k := range 10 {
		side = append(side, fmt.Sprintf("INSERT INTO side_input VALUES (%d, 'value %d')", k, k))
	}
	r.Ours(side...)
	r.Theirs(side...)
	r.queries = map[string]string{}
	list, err := files.ReadDir("queries")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range list {
		text, err := files.ReadFile("queries/" + f.Name())
		if err != nil {
			r.t.Fatal(err)
		}
		name := strings.TrimSuffix(f.Name(), ".sql")
		r.names, r.queries[name] = append(r.names, name), string(text)
		r.Ours("CREATE MATERIALIZED VIEW " + name + " AS " + string(text))
	}
}

// batch is one transaction on both sides, after which every view is held to its query.
func (r *run) batch(when string, statements []string) {
	r.t.Helper()
	ours, theirs := r.Commit(statements)
	began := time.Now()
	for _, name := range r.names {
		query := r.queries[name]
		if other := asked[name]; other != "" {
			query = r.queries[other]
		}
		got, want := r.Ask("SELECT * FROM "+name, query)
		r.most[name] = max(r.most[name], got.Rows())
		if err := twin.Same(got, want); err != nil {
			r.t.Errorf("%s, %s: %v", when, name, err)
		}
	}
	if r.t.Failed() {
		r.t.FailNow()
	}
	r.t.Logf("%s: millrace %s, PostgreSQL %s, answers %s", when, ours.Round(time.Millisecond), theirs.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond))
}
