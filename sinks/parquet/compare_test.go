package parquet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sinks"
)

// zoo are columns of all forms; files are parted by two of them.
func zoo() (cols repr.RowDesc, partition []int, rows [][]byte) {
	bounded := repr.TypeOf(repr.KindNumeric)
	bounded.Mod = (10<<16 | 2) + 4
	types := []repr.Type{repr.TypeOf(repr.KindText), repr.TypeOf(repr.KindInt4), bounded, repr.TypeOf(repr.KindNumeric), repr.TypeOf(repr.KindFloat8),
		repr.TypeOf(repr.KindTimestampTZ), repr.TypeOf(repr.KindDate), repr.TypeOf(repr.KindInterval), repr.TypeOf(repr.KindJSONB), repr.TypeOf(repr.KindBytea),
		repr.TypeOf(repr.KindBool), repr.ArrayOf(repr.KindText), repr.TypeOf(repr.KindFloat4), repr.TypeOf(repr.KindInt2), repr.TypeOf(repr.KindTime)}
	for i, t := range types {
		cols = append(cols, repr.Column{Name: fmt.Sprint("c", i), Type: t, NotNull: i == 1})
	}
	days := []repr.Datum{repr.Text("a/b=c"), repr.Text(""), repr.Null, repr.Text("é d")}
	values := [][]repr.Datum{
		{repr.Numeric(125, 1), repr.Numeric(1000, 3), repr.Float8(math.NaN()), repr.TimestampTZ(7), repr.Date(-3), repr.Interval(1, 2, 3),
			repr.JSONB([]byte(`{"a": [1, "x"]}`)), repr.Bytea([]byte{0, 255}), repr.Bool(true), repr.Array([]repr.Datum{repr.Text("a,\"b"), repr.Null}),
			repr.Float4(1.5), repr.Int2(-7), repr.TimeOfDay(9)},
		{repr.Numeric(1250, 2), repr.Numeric(1, 0), repr.Float8(-0.5), repr.Null, repr.Null, repr.Null, repr.JSONB([]byte(`null`)), repr.Bytea(nil),
			repr.Bool(false), repr.Array(nil), repr.Float4(0), repr.Null, repr.Null},
		slices.Repeat([]repr.Datum{repr.Null}, 13),
	}
	for i, day := range days {
		for j, v := range values {
			rows = append(rows, repr.AppendRow(nil, slices.Concat([]repr.Datum{day, repr.Int4(int32(i * j))}, v)))
		}
	}
	return cols, []int{0, 1}, rows
}

// world is a view over a few rows, and the ticks that it had.
type world struct {
	rows    [][]byte
	content []int64
	ticks   []sinks.Tick
	whole   []sinks.Tick // the content at each of them
}

// turn makes a tick; grows says that nothing goes.
func (w *world) turn(rng *rand.Rand, grows bool) {
	t := sinks.Tick{Time: repr.Time(10 * (len(w.ticks) + 1))}
	all := sinks.Tick{Time: t.Time}
	for i := range w.rows {
		n := int64(rng.IntN(3) * rng.IntN(2))
		if !grows && rng.IntN(2) == 0 {
			n = -min(n, w.content[i])
		}
		if w.content[i] += n; n != 0 {
			t.Changes = append(t.Changes, sinks.Change{Row: w.rows[i], Diff: n})
		}
		if w.content[i] > 0 {
			all.Changes = append(all.Changes, sinks.Change{Row: w.rows[i], Diff: w.content[i]})
		}
	}
	w.ticks, w.whole = append(w.ticks, t), append(w.whole, all)
}

// sums are the rows of files with what they add up to, folders and all; of changes the last two columns are time and diff.
func (b *bucket) sums(t *testing.T, changes bool) map[string]int {
	t.Helper()
	b.mu.Lock()
	folders := map[string]bool{}
	for name := range b.objects {
		if strings.HasSuffix(name, ".parquet") {
			folders[name[:strings.LastIndex(name, "/")+1]] = true
		}
	}
	b.mu.Unlock()
	out := map[string]int{}
	for folder := range folders {
		for line, n := range b.rows(t, folder) {
			if changes {
				fields := strings.Fields(line)
				diff, err := strconv.Atoi(fields[len(fields)-1])
				if err != nil {
					t.Fatal(err)
				}
				line, n = strings.TrimSuffix(line, " "+strings.Join(fields[len(fields)-2:], " ")), n*diff
			}
			if out[folder+line] += n; out[folder+line] == 0 {
				delete(out, folder+line)
			}
		}
	}
	return out
}

// fresh is what the files of a sink hold that is given a content at once.
func fresh(t *testing.T, cfg Config, whole sinks.Tick) map[string]int {
	t.Helper()
	b, store := newBucket(t)
	cfg.Store = store
	if err := run(t, cfg, whole); err != nil {
		t.Fatal(err)
	}
	return b.sums(t, cfg.Changes)
}

// bring runs a sink over ticks until they are written, or it is ended in the middle.
func bring(t *testing.T, cfg Config, ticks []sinks.Tick, ended bool) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ch := make(chan sinks.Tick)
	go func() {
		defer close(ch)
		for _, tick := range ticks {
			select {
			case ch <- tick:
			case <-ctx.Done():
				return
			}
		}
		if ended {
			cancel()
		}
	}()
	if err := s.Run(ctx, ch, func(sinks.State) {}); err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
}

// TestCompares: a sink whose changes were kept for a while only, on storage that fails, and that is ended anywhere, goes on with a whole
// content, and its files add up to the view. Changes do, and the rows of a view that grows.
func TestCompares(t *testing.T) {
	t.Parallel()
	cols, partition, rows := zoo()
	seeds := uint64(9)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 21))
		changes := seed%2 == 0
		b, store := newBucket(t)
		b.rng = rand.New(rand.NewPCG(seed, 22))
		cfg := Config{Store: store, Prefix: "/out/", Cols: cols, Partition: partition[:seed%3], Name: "n", Changes: changes,
			Run: sinks.Options{Interval: 1, Clock: hasty{}}}
		w := world{rows: rows, content: make([]int64, len(rows))}
		for round := range 6 {
			kept := len(w.ticks) // behind what was written, when it is kept from here
			for range 1 + rng.IntN(3) {
				w.turn(rng, !changes)
			}
			last := round == 5
			from := rng.IntN(len(w.ticks)-kept) + kept
			if rng.IntN(3) == 0 {
				from = rng.IntN(len(w.ticks))
			}
			bring(t, cfg, slices.Concat(w.whole[from:from+1], w.ticks[from+1:]), !last && rng.IntN(2) == 0)
			if round == 2 { // as a server of before wrote it
				forgetRows(t, b)
			}
		}
		if got, want := b.sums(t, changes), fresh(t, cfg, w.whole[len(w.whole)-1]); !maps.Equal(got, want) {
			t.Fatalf("seed %d: the files add up to\n%v\nwant\n%v", seed, got, want)
		}
	}
}

// forgetRows takes from the state what servers of before did not write.
func forgetRows(t *testing.T, b *bucket) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	const name = "out/_millrace/n/state.json"
	var now state
	if b.objects[name] == nil {
		return
	}
	if err := json.Unmarshal(b.objects[name], &now); err != nil {
		t.Fatal(err)
	}
	now.Rows = nil
	text, err := json.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	b.objects[name] = text
}

// TestForceCompares: rows that were told to be left out when they go stay in the files; what is missing there of a whole content comes.
func TestForceCompares(t *testing.T) {
	t.Parallel()
	b, store := newBucket(t)
	cfg := Config{Store: store, Prefix: "out", Cols: pairs, Name: "n", Force: true}
	row := func(id, n int) sinks.Change { return sinks.Change{Row: pair(id, "d"), Diff: int64(n)} }
	if err := run(t, cfg, sinks.Tick{Time: 1, Changes: []sinks.Change{row(1, 1), row(2, 3)}}, sinks.Tick{Time: 2, Changes: []sinks.Change{row(1, -1)}}); err != nil {
		t.Fatal(err)
	}
	if err := run(t, cfg, sinks.Tick{Time: 9, Changes: []sinks.Change{row(2, 4), row(3, 2)}}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.rows(t, "out/"), map[string]int{"1 d": 1, "2 d": 4, "3 d": 2}; !maps.Equal(got, want) {
		t.Errorf("the files hold %v, want %v", got, want)
	}
	cfg.Force = false
	if err := run(t, cfg, sinks.Tick{Time: 12, Changes: []sinks.Change{row(2, 4)}}); err == nil || !strings.Contains(err.Error(), "was taken back") {
		t.Errorf("without FORCE it says %v", err)
	}
}

// TestCannotCompare: what is not all that the sink wrote is not compared with.
func TestCannotCompare(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		of    string // the first file whose name has this
		spoil func(b *bucket, name string)
		want  string
	}{
		"a file is gone":       {".parquet", func(b *bucket, name string) { delete(b.objects, name) }, "is gone"},
		"a file is damaged":    {".parquet", func(b *bucket, name string) { b.objects[name] = b.objects[name][9:] }, "cannot be read"},
		"a file is another's":  {".parquet", func(b *bucket, name string) { b.objects[name] = b.objects["other"] }, "it has 4 columns, and not 3"},
		"a manifest is gone":   {"n/1-", func(b *bucket, name string) { delete(b.objects, name) }, "name 1 rows of the 2"},
		"a manifest is none":   {"n/1-", func(b *bucket, name string) { b.objects[name] = []byte("{") }, "is none"},
		"a manifest is double": {"n/1-", func(b *bucket, name string) { b.objects[name+"x.json"] = b.objects[name] }, "two manifests"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b, store := newBucket(t)
			cfg := Config{Store: store, Prefix: "out", Cols: pairs, Partition: []int{1}, Name: "n", Changes: true}
			other := Config{Store: store, Prefix: "apart", Cols: pairs, Name: "other", Changes: true}
			first, second := sinks.Tick{Time: 1, Changes: []sinks.Change{{Row: pair(1, "d"), Diff: 1}}}, sinks.Tick{Time: 2, Changes: []sinks.Change{{Row: pair(2, "d"), Diff: 1}}}
			for _, err := range []error{run(t, cfg, first), run(t, cfg, first, second), run(t, other, first)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			names := slices.Sorted(maps.Keys(b.objects))
			for _, name := range names {
				if strings.HasPrefix(name, "apart/other") {
					b.objects["other"] = b.objects[name]
				}
			}
			at := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "out/") && strings.Contains(name, c.of) })
			before := b.sums(t, true)
			c.spoil(b, names[at])
			err := run(t, cfg, sinks.Tick{Time: 9, Changes: []sinks.Change{{Row: pair(3, "d"), Diff: 1}}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %v, want %q", err, c.want)
			}
			if c.of != ".parquet" && !maps.Equal(b.sums(t, true), before) {
				t.Error("it wrote something all the same")
			}
		})
	}
}
