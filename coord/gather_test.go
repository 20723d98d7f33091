package coord

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sources"
)

// TestGather holds that pieces land in one tick and not before, with what else is pushed for the same tables, that what is abandoned
// never lands, and that a content in pieces replaces what there was; at every time both tables hold the same.
func TestGather(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		c := start(t, Options{Workers: 1 + int(seed)%3})
		cl := connect(t, c)
		ids, events := fedByStub(t, cl)
		out := events.(sources.Gatherer)
		rng := rand.New(rand.NewPCG(seed, 7))
		want := map[int64]bool{}
		both := func(p sources.Part) []sources.Part {
			a, b := p, p
			a.Table, b.Table = ids["a"], ids["b"]
			return []sources.Part{a, b}
		}
		push := func(p sources.Part) {
			t.Helper()
			if err := out.Push(t.Context(), &sources.Batch{Parts: both(p)}); err != nil {
				t.Fatal(err)
			}
		}
		push(sources.Part{Joined: true})
		cl.must("CREATE MATERIALIZED VIEW apart AS SELECT n FROM a EXCEPT ALL SELECT n FROM b")
		cl.must("CREATE MATERIALIZED VIEW total AS SELECT count(*) AS k FROM a")
		for step := range 30 {
			gone := rng.IntN(4) == 0
			next := map[int64]bool{}
			for n := range want {
				next[n] = true
			}
			for piece := range 1 + rng.IntN(4) {
				p := sources.Part{Replace: piece == 0 && rng.IntN(4) == 0}
				if p.Replace {
					clear(next)
				}
				p.Updates = flips(rng, next)
				if err := out.Gather(t.Context(), "a test", both(p)); err != nil {
					t.Fatal(err)
				}
				cl.is("SELECT k FROM total", strconv.Itoa(len(want)))
			}
			if gone {
				out.Abandon()
			} else {
				want = next
			}
			push(sources.Part{Updates: flips(rng, want)})
			content, err := out.Content(t.Context(), ids["a"])
			if err != nil {
				t.Fatal(err)
			}
			for row, diff := range content {
				if n := repr.DecodeRow(nil, row)[0].Int(); diff != 1 || !want[n] {
					t.Fatalf("seed %d, step %d: %d is there %d times", seed, step, n, diff)
				}
			}
			cl.is("SELECT n FROM apart", "")
			cl.is("SELECT k FROM total", strconv.Itoa(len(want)))
		}
	}
}

// flips changes some numbers of a set, and says how.
func flips(rng *rand.Rand, set map[int64]bool) []sources.Update {
	var out []sources.Update
	for range rng.IntN(6) {
		n := rng.Int64N(20)
		if set[n] {
			delete(set, n)
			out = append(out, numbers(-1, n)...)
		} else {
			set[n] = true
			out = append(out, numbers(1, n)...)
		}
	}
	return out
}

// is holds that a query gives these rows now.
func (cl *client) is(query, want string) {
	cl.t.Helper()
	if rows := cl.must(query); strings.Join(rows, "\n") != want {
		cl.t.Fatalf("%s: %q, want %q", query, rows, want)
	}
}

// TestGatherTooMuch holds that what does not fit is refused with the figures before it has taken the memory, and that many changes of
// few rows do fit.
func TestGatherTooMuch(t *testing.T) {
	bubble(t, Options{MemoryLimit: 64 << 20, LiveBytes: func() int64 { return 0 }}, gatherTooMuch)
}

func gatherTooMuch(t *testing.T, c *Coordinator) {
	cl := connect(t, c)
	ids, events := fedByStub(t, cl)
	out := events.(sources.Gatherer)
	text := strings.Repeat("x", 1000)
	piece := func(from int64, diff repr.Diff) error {
		p := sources.Part{Table: ids["a"]}
		for n := range int64(1000) {
			row := repr.Append(repr.Append(nil, repr.IntOf(repr.KindInt8, from+n)), repr.Text(text))
			p.Updates = append(p.Updates, sources.Update{Row: row, Diff: diff})
		}
		return out.Gather(t.Context(), "a test", []sources.Part{p})
	}
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = piece(int64(n)*1000, 1)
	}
	e := asError(err)
	if n < 10 || n > 30 || e.Code != repr.CodeProgramLimit || !strings.Contains(e.Message, fmt.Sprintf("its first %d000 changes", n)) || !strings.Contains(e.Detail, "of 64.0 MB") {
		t.Errorf("after %d pieces: %+v", n, e)
	}
	if held := c.memory.queued.Held(); held > 32<<20 {
		t.Errorf("%d bytes are held", held)
	}
	out.Abandon()
	if held := c.memory.queued.Held(); held != 0 {
		t.Errorf("%d bytes are held after what was gathered is gone", held)
	}
	if err := piece(0, 1); err != nil {
		t.Fatal(err)
	}
	out.Abandon()
	if !slices.Equal(cl.must("SELECT count(*) FROM mz_sources WHERE name = 'src'"), []string{"1"}) {
		t.Error("the source is gone")
	}
}
