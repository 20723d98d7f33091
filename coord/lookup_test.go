package coord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// how is the way in which a query would read a relation.
func how(t *testing.T, cl *client, query, relation string) string {
	t.Helper()
	parsed, err := parse.Parse(query)
	if err != nil {
		t.Fatal(err)
	}
	p, failure := cl.s.planQuery(parsed[0].Stmt.(*ast.Query), bindings{})
	if failure != nil {
		t.Fatal(failure)
	}
	it := p.snap.Find([]string{relation}, cl.s.path())
	return p.lookups[it.ID].describe(it)
}

// TestLookupIsChosen shows which queries are looked up, and by what.
func TestLookupIsChosen(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must(`CREATE TABLE t (id int, kind varchar(5), price numeric, word text);
		CREATE INDEX t_kind ON t (kind, word);
		CREATE INDEX t_price ON t (price);
		CREATE TABLE n (price numeric, id int)`)
	for _, c := range []struct{ where, want string }{
		{"id = 5", "by its own order: 1 value of (id)"},
		{"id = 5 AND kind = 'a'", "by its own order: 1 value of (id, kind)"},
		{"kind = 'a'", "by index t_kind: 1 value of (kind)"},
		{"kind IN ('a', 'b') AND word = 'x'", "by index t_kind: 2 values of (kind, word)"},
		{"price = 1.50", "by index t_price: 1 value of (price)"},
		{"price = 1 OR price = 2 OR price = 1.0", "by index t_price: 2 values of (price)"},
		{"id = 5::bigint", "by its own order: 1 value of (id)"},
		{"id = 5000000000", ": all rows"},
		{"id > 5", ": all rows"},
		{"id = 5 OR price = 2", ": all rows"},
		{"word = 'x'", ": all rows"},
		{"id = NULL", ": all rows"},
	} {
		if got := how(t, cl, "SELECT * FROM t WHERE "+c.where, "t"); got != "Read t "+c.want && got != "Read t"+c.want {
			t.Errorf("%s: %s", c.where, got)
		}
	}
	if got := how(t, cl, "SELECT * FROM n WHERE price = 1", "n"); got != "Read n: all rows" {
		t.Errorf("numerics print differently, and yet: %s", got)
	}
	if got := how(t, cl, "SELECT * FROM t a, t b WHERE a.id = 1 AND b.id = 2", "t"); got != "Read t by its own order: 2 values of (id)" {
		t.Errorf("two uses: %s", got)
	}
	if got := how(t, cl, "SELECT * FROM t a, t b WHERE a.id = 1 AND b.price = 2", "t"); got != "Read t: all rows" {
		t.Errorf("two uses by different columns: %s", got)
	}
	if got := how(t, cl, "SELECT * FROM t JOIN n ON t.price = n.price WHERE n.price = 3", "t"); got != "Read t by index t_price: 1 value of (price)" {
		t.Errorf("a constant from the other side: %s", got)
	}
	for _, q := range []string{"SELECT * FROM t, (VALUES (1), (2), (NULL)) AS v (x) WHERE t.id = v.x", "SELECT * FROM t WHERE id IN (VALUES (2), (1), (2))"} {
		if got := how(t, cl, q, "t"); got != "Read t by its own order: 2 values of (id)" {
			t.Errorf("%s: %s", q, got)
		}
	}
	if got := how(t, cl, "SELECT * FROM t LEFT JOIN (VALUES (1), (2)) AS v (x) ON t.id = v.x", "t"); got != "Read t: all rows" {
		t.Errorf("rows without match are left, and yet: %s", got)
	}
}

// TestLookupFindsTheSame asks by index and without, through random writes, made before and after the indexes.
func TestLookupFindsTheSame(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2} {
		opts := quiet()
		opts.Workers = workers
		cl := connect(t, start(t, opts))
		rng := rand.New(rand.NewPCG(7, uint64(workers)))
		cl.must("CREATE TABLE t (id int, price numeric, code char(4), f float8)")
		write := func() {
			switch id := rng.IntN(6); rng.IntN(5) {
			case 4:
				cl.must(fmt.Sprintf("DELETE FROM t USING (VALUES (%d, 1.0), (NULL, 2)) AS v (x, y) WHERE t.id = v.x AND t.price >= v.y", id))
			case 0:
				cl.must(fmt.Sprintf("DELETE FROM t WHERE id = %d", id))
			case 1:
				cl.must(fmt.Sprintf("UPDATE t SET price = price * 1.0, f = -f WHERE price = %d", rng.IntN(3)))
			default:
				price := []string{"NULL", "1", "1.0", "2", "2.00"}[rng.IntN(5)]
				f := []string{"0", "'-0'", "'NaN'", "NULL"}[rng.IntN(4)]
				cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d, %s, 'c%d', %s), (NULL, 7, 'x  ', 1)", id, price, rng.IntN(3), f))
			}
		}
		compare := func() {
			for _, c := range []struct{ fast, slow string }{
				{"id = 3", "id + 0 = 3"}, {"price = 1.00", "price + 0 = 1"}, {"code = 'x'", "code || '' = 'x'"},
				{"f = 0", "f + 0 = 0"}, {"f = 'NaN' AND price = 1", "f + 0 = 'NaN' AND price + 0 = 1"},
				{"id IN (1, 3, 5)", "id + 0 IN (1, 3, 5)"}, {"price = 1 AND code = 'c1 '", "price + 0 = 1 AND code || '' = 'c1'"},
			} {
				same(t, c.fast, cl.must("SELECT * FROM t WHERE "+c.fast+" ORDER BY 1, 2, 3, 4"),
					cl.must("SELECT * FROM t WHERE "+c.slow+" ORDER BY 1, 2, 3, 4")...)
			}
		}
		for range 10 {
			write()
		}
		cl.must("CREATE INDEX by_price ON t (price, code); CREATE INDEX by_code ON t (code)")
		cl.must("CREATE INDEX by_f ON t (f)")
		compare()
		for range 40 {
			write()
		}
		compare()
		cl.must("DROP INDEX by_price")
		write()
		compare()
	}
}

// TestLookupInATransaction reads at a time before the index was made, and goes on when it is dropped.
func TestLookupInATransaction(t *testing.T) {
	t.Parallel()
	c := start(t, quiet())
	cl, other := connect(t, c), connect(t, c)
	cl.must("CREATE TABLE t (a text, b int); INSERT INTO t SELECT 'w' || g, g FROM generate_series(1, 100) AS g")
	cl.must("BEGIN")
	same(t, "before", cl.must("SELECT a FROM t WHERE b = 7"), "w7")
	other.must("INSERT INTO t VALUES ('new', 7)")
	other.must("CREATE INDEX t_b ON t (b)")
	same(t, "before, with the index there", cl.must("SELECT a FROM t WHERE b = 7"), "w7")
	cl.must("COMMIT")
	same(t, "after", cl.must("SELECT a FROM t WHERE b = 7 ORDER BY a"), "new", "w7")
	other.must("BEGIN; SELECT a FROM t WHERE b = 8")
	cl.must("DROP INDEX t_b")
	same(t, "dropped", other.must("SELECT a FROM t WHERE b = 7 ORDER BY a"), "new", "w7")
	other.must("COMMIT")
	cl.must("CREATE INDEX t_b ON t (b); DROP TABLE t")
	if n := len(c.views); n != 0 {
		t.Errorf("%d views are left", n)
	}
}

// TestIndexesAreKept makes indexes on what views and errors are, and asks what they take.
func TestIndexesAreKept(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must("CREATE TABLE t (a int, b int); CREATE MATERIALIZED VIEW m AS SELECT a, 10 / b AS q FROM t")
	cl.must("CREATE INDEX m_q ON m (q)")
	cl.must("INSERT INTO t VALUES (1, 2), (2, 5), (3, 5)")
	same(t, "rows", cl.must("SELECT a FROM m WHERE q = 2 ORDER BY a"), "2", "3")
	cl.must("INSERT INTO t VALUES (9, 0)")
	_ = cl.fails(repr.CodeDivisionByZero, "SELECT a FROM m WHERE q = 2")
	cl.must("DELETE FROM t WHERE b = 0")
	same(t, "healed", cl.must("SELECT a FROM m WHERE q = 2 ORDER BY a"), "2", "3")
	same(t, "held", cl.must("SELECT rows, bytes > 0 FROM mz_internal.mz_object_memory WHERE name = 'm_q'"), "3|t")
}

// benchSession is a session, and a function that runs the statements of a text and counts their rows.
func benchSession(b *testing.B, opts Options) (*Session, func(text string) int) {
	b.Helper()
	c := New(opts)
	b.Cleanup(c.Close)
	s, err := c.NewSession(SessionOptions{User: catalog.DefaultUser, Database: catalog.DefaultDatabase})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s, func(text string) (rows int) {
		b.Helper()
		stmts, err := s.Split(text)
		if err != nil {
			b.Fatal(err)
		}
		for _, st := range stmts {
			p, err := s.Prepare(context.Background(), st, nil)
			if err != nil {
				b.Fatal(err)
			}
			rows += execute(b, s, p, nil)
		}
		return rows
	}
}

// TestSomeRows takes rows of a relation by LIMIT and OFFSET, without an order: those that stand first in its own.
func TestSomeRows(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must("CREATE TABLE t (a int); INSERT INTO t VALUES (3), (1), (2), (2), (5)")
	for _, c := range []struct {
		clause string
		want   []string
	}{
		{"LIMIT 2", []string{"1", "2"}}, {"LIMIT 0", nil}, {"LIMIT 9", []string{"1", "2", "2", "3", "5"}}, {"OFFSET 3", []string{"3", "5"}},
		{"LIMIT 1 OFFSET 2", []string{"2"}}, {"OFFSET 9", nil}, {"LIMIT ALL", []string{"1", "2", "2", "3", "5"}},
	} {
		same(t, c.clause, cl.must("SELECT * FROM t "+c.clause), c.want...)
	}
}

// BenchmarkPointSelect is a SELECT of one row among a million, inside the server, by an index.
func BenchmarkPointSelect(b *testing.B) {
	s, run := benchSession(b, quiet())
	run("CREATE TABLE t (word text, id int)")
	for i := range 10 {
		run(fmt.Sprintf("INSERT INTO t SELECT 'word ' || g, g FROM generate_series(%d, %d) AS g", i*100_000, i*100_000+99_999))
	}
	b.Run("without an index", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if n := run(fmt.Sprintf("SELECT word FROM t WHERE id = %d", i*7919%1_000_000)); n != 1 {
				b.Fatalf("%d rows", n)
			}
		}
	})
	run("CREATE INDEX t_id ON t (id)")
	b.Run("simple", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if n := run(fmt.Sprintf("SELECT word FROM t WHERE id = %d", i*7919%1_000_000)); n != 1 {
				b.Fatalf("%d rows", n)
			}
		}
	})
	b.Run("prepared", func(b *testing.B) {
		stmts, _ := s.Split("SELECT word FROM t WHERE id = $1")
		p, err := s.Prepare(context.Background(), stmts[0], nil)
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; b.Loop(); i++ {
			if n := execute(b, s, p, []repr.Datum{repr.Int4(int32(i * 7919 % 1_000_000))}); n != 1 {
				b.Fatalf("%d rows", n)
			}
		}
	})
}

// execute runs a prepared statement and counts its rows.
func execute(b *testing.B, s *Session, p *Prepared, args []repr.Datum) (rows int) {
	b.Helper()
	res, err := s.Execute(context.Background(), p, args)
	if err != nil {
		b.Fatal(err)
	}
	if res.Rows == nil {
		return 0
	}
	defer res.Rows.Close()
	for {
		_, ok, err := res.Rows.Next(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if !ok {
			return rows
		}
		rows++
	}
}

// BenchmarkCreateView is CREATE MATERIALIZED VIEW over empty inputs, with the eight-fold join of TPC-H's query 8.
func BenchmarkCreateView(b *testing.B) {
	_, run := benchSession(b, Options{})
	var from, where []string
	for i := range 8 {
		run(fmt.Sprintf("CREATE TABLE t%d (k%d int, r%d int, v%d numeric)", i, i, i, i))
		from = append(from, fmt.Sprintf("t%d", i))
		if i > 0 {
			where = append(where, fmt.Sprintf("r%d = k%d", i-1, i))
		}
	}
	query := "SELECT k7, sum(v0 * v1) AS total, count(*) AS n FROM " + strings.Join(from, ", ") + " WHERE " +
		strings.Join(where, " AND ") + " GROUP BY k7"
	for b.Loop() {
		run("CREATE MATERIALIZED VIEW m AS " + query)
		b.StopTimer()
		run("DROP MATERIALIZED VIEW m")
		b.StartTimer()
	}
}
