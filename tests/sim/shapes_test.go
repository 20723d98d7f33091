package sim

import (
	"fmt"
	"strings"
	"time"
)

// shape is a form of view, as SQL and as the model computes it.
type shape struct {
	name   string
	inputs int
	sql    string // A and B are the inputs
	eval   func(in []bag) bag
	timed  func(in bag, at int64) bag // in place of eval, of a view that changes with time
	keyed  bool                       // no two rows have one k
}

// passing is a view of rows that come at a time that their v says, and go a while later.
func passing(base int64) *shape {
	const each, stay = 100, 2000 // milliseconds
	at := "timestamptz '" + time.UnixMilli(base).UTC().Format("2006-01-02 15:04:05.000") + "+00' + v * interval '100 milliseconds'"
	return &shape{name: "passing", inputs: 1,
		sql: fmt.Sprintf("SELECT k, v FROM {A} AS a WHERE mz_now() >= %s AND mz_now() < %s + interval '2 seconds'", at, at),
		timed: func(in bag, at int64) bag {
			out := bag{}
			for p, n := range in {
				if due := base + p.v*each; at >= due && at < due+stay {
					out.add(p, n)
				}
			}
			return out
		}}
}

// going is a view that counts rows until a time that their v says.
func going(base int64) *shape {
	const each = 50
	return &shape{name: "going", inputs: 1,
		sql: fmt.Sprintf("SELECT k, count(*) AS v FROM {A} AS a WHERE mz_now() <= timestamptz '%s+00' + v * interval '50 milliseconds' GROUP BY k",
			time.UnixMilli(base).UTC().Format("2006-01-02 15:04:05.000")),
		timed: func(in bag, at int64) bag {
			counts, out := map[int64]int64{}, bag{}
			for p, n := range in {
				if at <= base+p.v*each {
					counts[p.k] += n
				}
			}
			for k, n := range counts {
				out[pair{k, n}] = 1
			}
			return out
		}}
}

// query is the SQL over relations of these names.
func (s *shape) query(in []string) string {
	q := strings.ReplaceAll(s.sql, "{A}", in[0])
	return strings.ReplaceAll(q, "{B}", in[len(in)-1])
}

// each makes a bag of the rows that f makes of a row.
func each(f func(p pair) (pair, bool)) func(in []bag) bag {
	return func(in []bag) bag {
		out := bag{}
		for p, n := range in[0] {
			if q, ok := f(p); ok {
				out.add(q, n)
			}
		}
		return out
	}
}

// shapes are all forms of views.
var shapes = []shape{
	{name: "sums", inputs: 1, keyed: true, sql: "SELECT k, (sum(v) % 1000)::bigint AS v FROM {A} AS a GROUP BY k", eval: func(in []bag) bag {
		sums, out := map[int64]int64{}, bag{}
		for p, n := range in[0] {
			sums[p.k] += p.v * n
		}
		for k, v := range sums {
			out[pair{k, v % 1000}] = 1
		}
		return out
	}},
	{name: "total", inputs: 1, keyed: true, sql: "SELECT count(*) AS k, coalesce(sum(v) % 1000, 0)::bigint AS v FROM {A} AS a", eval: func(in []bag) bag {
		var t pair
		for p, n := range in[0] {
			t.k, t.v = t.k+n, t.v+p.v*n
		}
		t.v %= 1000
		return bag{t: 1}
	}},
	{name: "odd", inputs: 1, sql: "SELECT k, v FROM {A} AS a WHERE v % 3 <> 0", eval: each(func(p pair) (pair, bool) { return p, p.v%3 != 0 })},
	{name: "shifted", inputs: 1, sql: "SELECT k % 5 AS k, v + 1 AS v FROM {A} AS a", eval: each(func(p pair) (pair, bool) { return pair{p.k % 5, p.v + 1}, true })},
	{name: "distinct", inputs: 1, sql: "SELECT DISTINCT k % 3 AS k, v % 7 AS v FROM {A} AS a", eval: func(in []bag) bag {
		out := bag{}
		for p := range in[0] {
			out[pair{p.k % 3, p.v % 7}] = 1
		}
		return out
	}},
	{name: "top", inputs: 1, sql: "SELECT k, v FROM {A} AS a ORDER BY k DESC, v DESC LIMIT 3", eval: func(in []bag) bag {
		out, left := bag{}, int64(3)
		rows := in[0].pairs()
		for i := len(rows) - 1; i >= 0 && left > 0; i-- {
			n := min(left, in[0][rows[i]])
			out[rows[i]], left = n, left-n
		}
		return out
	}},
	{name: "most", inputs: 1, keyed: true, sql: "SELECT k, max(v) AS v FROM {A} AS a GROUP BY k", eval: func(in []bag) bag {
		most, out := map[int64]int64{}, bag{}
		for p := range in[0] {
			if v, ok := most[p.k]; !ok || p.v > v {
				most[p.k] = p.v
			}
		}
		for k, v := range most {
			out[pair{k, v}] = 1
		}
		return out
	}},
	{name: "both", inputs: 2, sql: "SELECT k, v FROM {A} AS a UNION ALL SELECT k, v FROM {B} AS b", eval: func(in []bag) bag {
		out := bag{}
		for _, b := range in {
			for p, n := range b {
				out.add(p, n)
			}
		}
		return out
	}},
	{name: "less", inputs: 2, sql: "SELECT k, v FROM {A} AS a EXCEPT ALL SELECT k, v FROM {B} AS b", eval: func(in []bag) bag {
		out := bag{}
		for p, n := range in[0] {
			if m := n - in[1][p]; m > 0 {
				out[p] = m
			}
		}
		return out
	}},
	{name: "joined", inputs: 2, sql: "SELECT a.k, (a.v - b.v) % 1000 AS v FROM {A} AS a JOIN {B} AS b ON a.k = b.k", eval: func(in []bag) bag {
		out := bag{}
		for p, n := range in[0] {
			for q, m := range in[1] {
				if p.k == q.k {
					out.add(pair{p.k, (p.v - q.v) % 1000}, n*m)
				}
			}
		}
		return out
	}},
}
