package loadgen

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources"
)

// start is a moment at which the clocks of the tests begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// taken is what a generator handed over: the content of each table by its packed rows, and what is to be kept.
type taken struct {
	mu     sync.Mutex // guards all
	rows   map[uint64]map[string]repr.Diff
	state  map[string]repr.Diff
	next   int64
	joined map[uint64]bool
}

func newTaken() *taken {
	return &taken{rows: map[uint64]map[string]repr.Diff{}, state: map[string]repr.Diff{}, joined: map[uint64]bool{}}
}

func (k *taken) Report(sources.State) {}

func (k *taken) Push(ctx context.Context, b *sources.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.add(0, b.Updates)
	for _, p := range b.Parts {
		if p.Replace {
			delete(k.rows, p.Table)
		}
		k.add(p.Table, p.Updates)
		k.joined[p.Table] = k.joined[p.Table] || p.Joined
	}
	for _, u := range b.State {
		k.state[string(u.Row)] += u.Diff
		if k.state[string(u.Row)] == 0 {
			delete(k.state, string(u.Row))
		}
	}
	for _, p := range b.Progress {
		k.next = p.Next
	}
	return ctx.Err()
}

func (k *taken) add(table uint64, list []sources.Update) {
	rows := k.rows[table]
	if rows == nil {
		rows = map[string]repr.Diff{}
		k.rows[table] = rows
	}
	for _, u := range list {
		rows[string(u.Row)] += u.Diff
		if rows[string(u.Row)] == 0 {
			delete(rows, string(u.Row))
		}
	}
}

// content is a copy of what was taken so far.
func (k *taken) content() map[uint64]map[string]repr.Diff {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[uint64]map[string]repr.Diff{}
	for id, rows := range k.rows {
		out[id] = maps.Clone(rows)
	}
	return out
}

func (k *taken) kept() iter.Seq2[[]byte, repr.Diff] {
	return func(yield func([]byte, repr.Diff) bool) {
		for row, diff := range k.state {
			if !yield([]byte(row), diff) {
				return
			}
		}
	}
}

// running is a generator that runs until it is stopped.
type running struct {
	src  sources.Described
	stop func()
}

func run(t *testing.T, src sources.Described, k *taken) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	from := map[int32]int64{0: k.next}
	go func() {
		defer close(ended)
		_ = src.Run(ctx, from, k) // it ends with ctx
	}()
	stop := func() { cancel(); <-ended }
	t.Cleanup(stop)
	return &running{src: src, stop: stop}
}

func make1(t *testing.T, cfg Config, c clock.Clock) sources.Described {
	t.Helper()
	src, err := New(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestSteps holds that a step comes out the same from wherever a world begins, that nothing is taken back which is not there, and
// that rows have the columns of their tables.
func TestSteps(t *testing.T) {
	t.Parallel()
	const steps = 3_000
	at := func(step int64) int64 { return start.UnixMicro() + step*1_000_003 }
	for i := range kinds {
		k := &kinds[i]
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Generator: k.name, Seed: 7, Interval: time.Second}
			switch k.name {
			case "COUNTER":
				cfg.Cardinality = 10
			case "TPCH":
				cfg.Scale = 0.001
			}
			fresh := func() world {
				w, err := k.make(&cfg)
				if err != nil {
					t.Fatal(err)
				}
				return w
			}
			w := fresh()
			tables := w.tables()
			there := map[string]int{}
			var said []string
			for range steps {
				line := ""
				for _, c := range w.next(at) {
					for sign, row := range map[int][]repr.Datum{-1: c.Old, 1: c.New} {
						if row == nil {
							continue
						}
						if len(row) != len(tables[c.Table].Columns) {
							t.Fatalf("a row of %s has %d values", tables[c.Table].Name, len(row))
						}
						there[string(repr.AppendRow([]byte{byte(c.Table)}, row))] += sign
					}
					line += string(repr.AppendRow([]byte{byte(c.Table)}, c.Old)) + "→" + string(repr.AppendRow(nil, c.New))
				}
				said = append(said, line)
			}
			for row, n := range there {
				if n < 0 || n > 1 && len(tables[row[0]].Key) > 0 {
					t.Fatalf("a row of %s is there %d times", tables[row[0]].Name, n)
				}
			}
			for _, from := range []int64{1, 17, 999, 2_500} {
				w := fresh()
				w.seek(from / 2)
				w.seek(from)
				line := ""
				for _, c := range w.next(at) {
					line += string(repr.AppendRow([]byte{byte(c.Table)}, c.Old)) + "→" + string(repr.AppendRow(nil, c.New))
				}
				if line != said[from] {
					t.Errorf("step %d is another when it is the first", from)
				}
			}
		})
	}
}

// TestPace: the clock says how many steps there are; a server that was away goes on and makes up for little.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newTaken()
		cfg := Config{Generator: "CLICKSTREAM", Seed: 3, Interval: 10 * time.Millisecond, Paced: true, Include: []Include{{What: "OFFSET"}, {What: "TIMESTAMP"}}}
		r := run(t, make1(t, cfg, clock.System{}), k)
		passes := func(d time.Duration, steps int64) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if k.next != steps {
				t.Errorf("%d steps, want %d", k.next, steps)
			}
		}
		passes(3*time.Second+time.Millisecond, 300)
		r.stop()
		again := make1(t, cfg, clock.System{}).(*Source)
		if err := again.Restore(k.kept()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second) // it is made up for
		r = run(t, again, k)
		passes(time.Second, 900)
		r.stop()
		time.Sleep(time.Hour) // it is not
		run(t, again, k)
		passes(time.Second, 1000)
		if len(again.times.stretches) != 2 || len(k.state) != 2 {
			t.Errorf("stretches %v, kept %v", again.times.stretches, k.state)
		}
		if rows := k.content()[0]; len(rows) != 1000 {
			t.Errorf("%d rows", len(rows))
		}
	})
}

// TestCalendar: a step keeps its time, whatever the clock does, and steps go on.
func TestCalendar(t *testing.T) {
	t.Parallel()
	const second, hour = 1_000_000, 3_600_000_000
	c := calendar{first: 2, interval: 10 * second}
	now, handed := int64(50*hour), int64(0)
	var times []int64
	for _, move := range []struct{ by, steps int64 }{
		{0, 2}, {9 * second, 0}, {second, 1}, {10 * second, 1}, {-hour, 0}, {10 * second, 1}, {hour, 0}, {25 * second, 2}, {5 * second, 1}, {15 * second, 1},
	} {
		now += move.by
		due, _ := c.due(now, handed)
		if got := max(due, handed) - handed; got != move.steps {
			t.Errorf("%d steps when the clock moved by %d, want %d", got, move.by, move.steps)
		}
		for handed = max(due, handed); int64(len(times)) < handed; {
			times = append(times, c.at(int64(len(times))))
		}
		for i, at := range times {
			if c.at(int64(i)) != at {
				t.Errorf("step %d was at %d, and is at %d", i, at, c.at(int64(i)))
			}
		}
	}
	if len(c.stretches) != 3 {
		t.Errorf("stretches %v", c.stretches)
	}
}

// BenchmarkStep is what a step costs, and its rows packed.
func BenchmarkStep(b *testing.B) {
	at := func(step int64) int64 { return start.UnixMicro() + step }
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			w, err := k.make(&Config{Generator: k.name, Interval: time.Microsecond, Scale: 0.01, Cardinality: 1000})
			if err != nil {
				b.Fatal(err)
			}
			w.seek(w.first())
			var rows []sources.Update
			for b.Loop() {
				rows = rows[:0]
				for _, c := range w.next(at) {
					rows = appendChange(rows, c)
				}
			}
		})
	}
}

// TestShop: customers come, change and go, and every place is filled again.
func TestShop(t *testing.T) {
	t.Parallel()
	w, err := newShop(&Config{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	at := func(step int64) int64 { return start.UnixMicro() + step*1_000 }
	users, came, left, views := map[int64]bool{}, 0, 0, 0
	for range 12 * shopUsers * shopChange {
		for _, c := range w.next(at) {
			switch {
			case c.Table == tablePageviews:
				views++
			case c.New == nil:
				left++
				delete(users, c.Old[0].Int())
			default:
				if c.Old == nil {
					came++
				}
				if created, updated := c.New[3].Int(), c.New[4].Int(); created > updated {
					t.Fatalf("changed before it was made: %v", c.New)
				}
				users[c.New[0].Int()] = true
			}
		}
	}
	if came != 2*shopUsers || left != shopUsers || len(users) != shopUsers || views == 0 {
		t.Errorf("%d came, %d left, %d are there, %d views", came, left, len(users), views)
	}
}

// TestTablesLater: a table that is added later, or that was added when the server stopped, has what the others have.
func TestTablesLater(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"AUCTION", "TPCH", "NEXMARK", "SHOP"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newTaken()
				cfg := Config{Generator: name, Seed: 3, Interval: 100 * time.Microsecond, Paced: true}
				if name == "TPCH" {
					cfg.Scale = 0.001
				}
				feed := func(src *Tables, id uint64, table int, rows iter.Seq2[[]byte, repr.Diff]) {
					t.Helper()
					if err := src.Feed(sources.Table{ID: id, Upstream: src.world.tables()[table].Name, Rows: rows}); err != nil {
						t.Fatal(err)
					}
				}
				src := make1(t, cfg, clock.System{}).(*Tables)
				n := len(src.world.tables())
				for i := range n {
					feed(src, uint64(100+i), i, nil)
				}
				r := run(t, src, k)
				time.Sleep(300 * time.Millisecond)
				feed(src, 200, 0, nil)
				time.Sleep(100 * time.Millisecond)
				r.stop()
				again := make1(t, cfg, clock.System{}).(*Tables)
				if err := again.Restore(k.kept()); err != nil {
					t.Fatal(err)
				}
				some := func(func([]byte, repr.Diff) bool) {}
				k.add(300, []sources.Update{{Row: []byte("half a content"), Diff: 1}})
				for i := range n {
					feed(again, uint64(100+i), i, some)
				}
				feed(again, 200, 0, some)
				feed(again, 300, n-1, some) // it was being filled
				run(t, again, k)
				time.Sleep(200 * time.Millisecond)
				again.Starve(100)
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				got := k.content()
				for id, like := range map[uint64]uint64{300: uint64(100 + n - 1)} {
					if !maps.Equal(got[id], got[like]) || len(got[id]) == 0 {
						t.Errorf("table %d has %d rows, and %d has %d", id, len(got[id]), like, len(got[like]))
					}
				}
				if k.next < 5_000 || !k.joined[300] || !k.joined[200] {
					t.Errorf("%d steps, complete: %v", k.next, k.joined)
				}
				whole := newTaken()
				w, err := src.kind.make(&cfg)
				if err != nil {
					t.Fatal(err)
				}
				for range k.next {
					for _, c := range w.next(again.times.at) {
						whole.add(uint64(100+c.Table), appendChange(nil, c))
					}
				}
				for i := range n {
					id := uint64(100 + i)
					if i == 0 {
						id = 200 // the other one was dropped
					}
					if !maps.Equal(got[id], whole.rows[uint64(100+i)]) {
						t.Errorf("table %d is not what its steps have made", id)
					}
				}
				if _, ok := k.state["table 100"]; ok || len(k.state) != n+2 {
					t.Errorf("kept %v", k.state)
				}
			})
		})
	}
}

// TestClickstream: records are JSON with the members that a site of news has, clicks and ends of sessions.
func TestClickstream(t *testing.T) {
	t.Parallel()
	w, err := newClickstream(&Config{Seed: 1, Include: []Include{{What: "KEY", As: "sid_key"}}})
	if err != nil {
		t.Fatal(err)
	}
	at := func(step int64) int64 { return start.UnixMicro() + step*1_000 + 17 }
	types, countries, clicks := map[string]int{}, map[string]int{}, map[string]int{}
	for range 20_000 {
		row := w.next(at)[0].New
		text, key := row[0].Str(), row[1].Str()
		var d map[string]any
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if got := slices.Sorted(maps.Keys(d)); strings.Join(got, " ") != "age campaign channel contentId country_code gender isSubscriber latitude longitude place_name "+
			"recordType sid state statesVisited statuscode subContentId timestamp timezone uid url useragent" {
			t.Fatalf("members %v", got)
		}
		if !strings.Contains(text, `"sid":`+key+`,`) {
			t.Fatalf("key %s of %s", key, text)
		}
		kind := d["recordType"].(string)
		types[kind]++
		countries[d["country_code"].(string)]++
		visited := len(d["statesVisited"].([]any))
		if kind == "click" {
			clicks[key]++
		}
		if visited != clicks[key] {
			t.Fatalf("%d clicks of session %s, which says %d", clicks[key], key, visited)
		}
		if kind == "session" {
			delete(clicks, key)
		}
	}
	if types["click"] < 15_000 || types["session"] < 3_000 || len(types) != 2 || countries["DE"] < 1_000 || countries["RU"] < 1_000 {
		t.Errorf("types %v, countries %v", types, countries)
	}
}

// TestRefusals: what a generator does not have is said.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cfg  Config
		want string
	}{
		{Config{Generator: "nothing"}, "there is no load generator"},
		{Config{Generator: "counter", Scale: 1}, "COUNTER has no SCALE FACTOR"},
		{Config{Generator: "clickstream", Cardinality: 1}, "CLICKSTREAM has no MAX CARDINALITY"},
		{Config{Generator: "counter", Format: FormatText}, "FORMAT of load generator COUNTER"},
		{Config{Generator: "clickstream", Include: []Include{{What: "HEADERS"}}}, "INCLUDE HEADERS"},
	} {
		if _, err := New(test.cfg, clock.NewFake(start)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.cfg, err)
		}
	}
}
