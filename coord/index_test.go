package coord

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// TestIndexesServeJoins has a view join by the columns of an index: it imports the index, which is listed once, under its own
// name, and stays for the view when the index is dropped.
func TestIndexesServeJoins(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2} {
		opts := quiet()
		opts.Workers = workers
		cl := connect(t, start(t, opts))
		cl.must("CREATE TABLE a (v text, k int, n numeric); CREATE TABLE b (k int, w int)")
		cl.must("INSERT INTO a VALUES ('x', 1, 1.50), ('y', NULL, 2), ('z', 2, 1.5)")
		cl.must("CREATE INDEX a_k ON a (k); CREATE INDEX a_n ON a (n)")
		cl.must("CREATE MATERIALIZED VIEW m AS SELECT a.n, a.v, b.w FROM a JOIN b ON a.k = b.k")
		const held = "SELECT name, rows, bytes > 0 OR operator_bytes > 0 FROM mz_internal.mz_object_memory WHERE name LIKE 'a%' AND name NOT LIKE '%(history)' ORDER BY 1"
		same(t, "with the view", cl.must(held), "a|3|t", "a_k|2|t", "a_n|3|t")
		same(t, "the plan", cl.must("EXPLAIN PHYSICAL PLAN FOR MATERIALIZED VIEW m"), "Join [join by #1 k]",
			"  Import a keys=1 [arrange by #1 k]", "  Import b keys=1 [arrange by #0 k]")
		cl.must("CREATE INDEX again ON a (k)")
		same(t, "twice", cl.must("SELECT name, rows, bytes > 0 FROM mz_internal.mz_object_memory WHERE name IN ('a_k', 'again') ORDER BY 1"),
			"a_k|2|t", "again|2|f")
		cl.must("INSERT INTO b VALUES (1, 10), (2, 20); INSERT INTO a VALUES ('w', 1, 7)")
		want := []string{"1.5|z|20", "1.50|x|10", "7|w|10"}
		same(t, "the view", cl.must("SELECT * FROM m ORDER BY 1, 2 DESC"), want...)
		same(t, "by the index", cl.must("SELECT * FROM a WHERE n = 1.5 ORDER BY v"), "x|1|1.50", "z|2|1.5")
		cl.must("DROP INDEX a_k; DROP INDEX again")
		same(t, "without the index", cl.must(held), "a|4|t", "a (arrange by #1 k)|3|t", "a_n|4|t")
		cl.must("DELETE FROM a WHERE v = 'w'")
		same(t, "the view", cl.must("SELECT * FROM m ORDER BY 1, 2 DESC"), want[:2]...)
		cl.must("CREATE INDEX a_k ON a (k)")
		same(t, "with it again", cl.must(held), "a|3|t", "a_k|2|t", "a_n|3|t")
		cl.must("DROP MATERIALIZED VIEW m; DROP INDEX a_k; DROP INDEX a_n")
		same(t, "without all", cl.must(held), "a|3|t")
	}
}

// TestIndexInThePast reads by an index in a block whose time is before later changes, and before the index itself.
func TestIndexInThePast(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		opts := quiet()
		opts.Workers = 1 + int(seed)%2
		c := start(t, opts)
		reader, writer := connect(t, c), connect(t, c)
		rng := rand.New(rand.NewPCG(seed, 31))
		writer.must("CREATE TABLE t (a int, b int)")
		write := func() {
			if rng.IntN(3) == 0 {
				writer.must(fmt.Sprintf("DELETE FROM t WHERE b = %d", rng.IntN(5)))
			}
			writer.must(fmt.Sprintf("INSERT INTO t VALUES (%d, %d), (%d, NULL)", rng.IntN(9), rng.IntN(5), rng.IntN(9)))
		}
		for i := range 12 {
			write()
			reader.must("BEGIN")
			whole := reader.must("SELECT a FROM t WHERE b + 0 IN (1, 3) ORDER BY a")
			if i == 3 {
				writer.must("CREATE INDEX t_b ON t (b, a)")
			}
			write()
			write()
			same(t, "as of the block", reader.must("SELECT a FROM t WHERE b IN (1, 3) ORDER BY a"), whole...)
			reader.must("COMMIT")
			same(t, "after it", reader.must("SELECT a FROM t WHERE b IN (1, 3) ORDER BY a"), reader.must("SELECT a FROM t WHERE b + 0 IN (1, 3) ORDER BY a")...)
		}
	}
}

// TestIndexesFreeMemory has a view join by an index: it costs about nothing, and both go with their DROP. It is not parallel:
// it looks at the heap of the process.
func TestIndexesFreeMemory(t *testing.T) {
	c := start(t, Options{TickInterval: time.Hour, RetainHistory: time.Millisecond})
	cl := connect(t, c)
	fillTable(cl, "t", 200_000)
	cl.must("CREATE TABLE other (a int); CREATE TABLE few (id int, x int); INSERT INTO few VALUES (1, 2), (3, 4)")
	empty := settled(cl)
	cl.must("CREATE INDEX t_id ON t (id)")
	index := settled(cl) - empty
	if index < 200_000*20 {
		t.Errorf("the index takes %d bytes", index)
	}
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT few.x, t.word FROM few JOIN t ON t.id = few.id")
	if view := settled(cl) - empty - index; view > index/10 {
		t.Errorf("the index takes %d bytes, the view %d", index, view)
	}
	cl.must("DROP INDEX t_id")
	same(t, "the view", cl.must("SELECT * FROM m ORDER BY 1"), "2|word 1", "4|word 3")
	cl.must("DROP MATERIALIZED VIEW m")
	if now := settled(cl); now > empty+index/10 {
		t.Errorf("heap was %d, with the index %d more, after DROP %d", empty, index, now)
	}
	runtime.KeepAlive(c)
}
