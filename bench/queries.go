package bench

// Query is one benchmark: its SQL over the tables of an event file.
type Query struct {
	Name string
	File string // how the name of its event file begins
	SQL  string
}

// Queries are the benchmarks, in the order in which they are run. kv counts by key, join2 joins two tables, q1 and q3 are
// Nexmark's (Tucker, Tufte, Papadimos, Maier: "NEXMark", 2002).
var Queries = []Query{
	{Name: "kv", File: "kv", SQL: `SELECT k, count(*) FROM kv GROUP BY k`},
	{Name: "join2", File: "join2", SQL: `SELECT l.k, l.v, r.v AS rv FROM l JOIN r ON l.k = r.k`},
	{Name: "q1", File: "nexmark", SQL: `SELECT auction, bidder, price * 908 / 1000 AS price, ts, extra FROM bid`},
	{Name: "q3", File: "nexmark", SQL: `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id ` +
		`WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`},
}

// Find is the query of that name.
func Find(name string) (Query, bool) {
	for _, q := range Queries {
		if q.Name == name {
			return q, true
		}
	}
	return Query{}, false
}
