package txn

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var start = time.UnixMilli(0)

// shop is a gate with two tables.
func shop() *Gate[string] {
	g := NewGate[string]()
	g.Join(1, "pg.public.a", "")
	g.Join(2, "renamed", "public.b")
	return g
}

func begin(id string, offset int64) *Record { return &Record{ID: id, Offset: offset} }

func end(id string, offset int64, a, b int64) *Record {
	counts := map[string]int64{"public.other": 3}
	if a > 0 {
		counts["public.a"] = a
	}
	if b > 0 {
		counts["public.b"] = b
	}
	return &Record{ID: id, Offset: offset, End: true, Counts: counts}
}

func names(list []Released[string]) string {
	var out []string
	for _, r := range list {
		out = append(out, r.Batch)
	}
	return strings.Join(out, " ")
}

func add(g *Gate[string], source uint64, id, batch string, orders ...int64) {
	g.Add(source, Batch{Transaction: id, Orders: orders}, batch, start)
}

func want(t *testing.T, g *Gate[string], list string) {
	t.Helper()
	if got := names(g.Release(start, 0)); got != list {
		t.Errorf("let go %q, want %q", got, list)
	}
}

// TestResumed: what a source had shown before a restart does not come again, and a source that is new does not wait for it; what it had
// not shown is waited for.
func TestResumed(t *testing.T) {
	t.Parallel()
	g := NewGate[string]()
	g.Join(1, "pg.public.a", "")
	g.Take(begin("7", 0))
	g.Take(end("7", 1, 1, 1))
	g.Take(begin("8", 2))
	g.Take(end("8", 3, 0, 1))
	g.Take(begin("9", 4))
	g.Take(end("9", 5, 1, 1))
	g.Take(begin("10", 6))
	if over := g.Over(1); over != 0 {
		t.Errorf("nothing has gone, and what begins before %d is over", over)
	}
	add(g, 1, "7", "a7", 1)
	want(t, g, "a7")
	over := g.Over(1)
	if over != 4 {
		t.Errorf("what begins before %d is over, want 4", over)
	}
	g = shop() // after a restart, with a source that is new
	g.Resume(1, over)
	for i, id := range []string{"7", "8", "9"} {
		g.Take(begin(id, int64(2*i)))
		g.Take(end(id, int64(2*i+1), int64(1-i%2), 1))
		add(g, 2, id, "b"+id, 1)
	}
	want(t, g, "b7 b8")
	add(g, 1, "9", "a9", 1)
	want(t, g, "a9 b9")
	if over := g.Over(2); over != 6 || g.Over(1) != 6 {
		t.Errorf("all is over, and what begins before %d and %d is", g.Over(1), over)
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	g := shop()
	add(g, 1, "", "snapshot")
	want(t, g, "snapshot")
	add(g, 1, "7", "a7", 1)
	want(t, g, "")
	g.Take(begin("7", 0))
	want(t, g, "")
	g.Take(end("7", 1, 1, 2))
	want(t, g, "")
	add(g, 2, "7", "b7", 1)
	add(g, 2, "7", "b7 again", 1)
	add(g, 1, "", "behind it")
	want(t, g, "")
	if got := g.Waits(1, start.Add(time.Minute)); got != `of transaction "7" 1 of 2 changes of public.b are there` {
		t.Errorf("waits for %q", got)
	}
	add(g, 2, "7", "b7 more", 2)
	want(t, g, "a7 behind it b7 b7 again b7 more")
	add(g, 2, "7", "repeated", 1)
	want(t, g, "repeated")
	if g.Low() != 2 {
		t.Errorf("low is %d, want 2", g.Low())
	}
}

// A transaction cannot go before what stands before it in the queue of one of its sources.
func TestInOrder(t *testing.T) {
	t.Parallel()
	g := shop()
	add(g, 1, "1", "a1", 1)
	add(g, 1, "2", "a2", 1)
	add(g, 2, "2", "b2", 1)
	add(g, 2, "3", "b3", 1)
	for i, r := range []*Record{begin("1", 0), begin("2", 2), end("2", 3, 1, 1), begin("3", 4), end("3", 5, 0, 1)} {
		g.Take(r)
		if i == 0 {
			want(t, g, "")
		}
	}
	// Transaction 1 has no end, but another began: what there is of it is all. So all can go.
	want(t, g, "a1 a2 b2 b3")
	g = shop()
	add(g, 1, "1", "a1", 1)
	add(g, 1, "2", "a2", 1)
	add(g, 2, "2", "b2", 1)
	add(g, 2, "3", "b3", 1)
	g.Take(begin("1", 0))
	g.Take(end("1", 1, 2, 0))
	g.Take(begin("2", 2))
	g.Take(end("2", 3, 1, 1))
	g.Take(begin("3", 4))
	g.Take(end("3", 5, 0, 1))
	want(t, g, "")
	if g.Low() != 0 {
		t.Errorf("low is %d, want 0", g.Low())
	}
	add(g, 1, "1", "a1 more", 2)
	want(t, g, "a1 a2 a1 more b2 b3")
}

// What the topic does not know goes when it was read to its end for a while.
func TestUnknown(t *testing.T) {
	t.Parallel()
	g := shop()
	add(g, 1, "old", "a", 1)
	want(t, g, "")
	if got := names(g.Release(start.Add(time.Minute), 0)); got != "" {
		t.Errorf("let go %q while the topic is being read", got)
	}
	if got := names(g.Release(start.Add(time.Minute), time.Minute)); got != "a" {
		t.Errorf("let go %q", got)
	}
}

func TestDecodedIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"806:26717288": "806", "0-4711-42": "0-4711-42", "": "", "3e11fa47-71ca-11e1-9e33-c80aa9429562:23": "3e11fa47-71ca-11e1-9e33-c80aa9429562:23"} {
		if got := ID(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// TestRandom has transactions over two tables come in any interleaving that keeps the order of each topic, and holds what is
// let go at once to the transactions: all of one or nothing, in order, and in the end everything.
func TestRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := shop()
		type event func()
		var topics [3][]event // a, b, transactions
		size := map[string]int{}
		total := 0
		for n := range 1 + r.IntN(12) {
			id := fmt.Sprint(n)
			counts := [2]int64{r.Int64N(3), r.Int64N(3)}
			for s := range 2 {
				for o := range counts[s] {
					topics[s] = append(topics[s], func() { add(g, uint64(s+1), id, id, o+1) })
					size[id]++
					total++
				}
			}
			topics[2] = append(topics[2], func() { g.Take(begin(id, int64(2*n))) }, func() { g.Take(end(id, int64(2*n+1), counts[0], counts[1])) })
		}
		gone := 0
		for len(topics[0])+len(topics[1])+len(topics[2]) > 0 {
			i := r.IntN(3)
			if len(topics[i]) == 0 {
				continue
			}
			topics[i][0]()
			topics[i] = topics[i][1:]
			if r.IntN(2) == 0 && len(topics[0])+len(topics[1])+len(topics[2]) > 0 {
				continue
			}
			together := map[string]int{}
			for _, rel := range g.Release(start, 0) {
				together[rel.Batch]++
				gone++
			}
			for id, n := range together {
				if n != size[id] {
					t.Fatalf("seed %d: %d of %d changes of transaction %s", seed, n, size[id], id)
				}
			}
		}
		if gone != total {
			t.Fatalf("seed %d: %d of %d changes let go", seed, gone, total)
		}
	}
}
