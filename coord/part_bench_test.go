package coord

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// BenchmarkDashboards has 2 and 10 dashboards read one join and reduction, kept once and kept apart: what is told is the memory
// of all of them together, and the processor time of a tick of 1,000 changed orders among 500,000.
func BenchmarkDashboards(b *testing.B) {
	for _, n := range []int{2, 10} {
		for _, apart := range []bool{true, false} {
			how := map[bool]string{true: "apart", false: "once"}[apart]
			b.Run(fmt.Sprintf("%d/%s", n, how), func(b *testing.B) { benchmarkDashboards(b, n, apart) })
		}
	}
}

// dashboards are views over the same totals of customers.
var dashboards = []string{
	"SELECT * FROM totals WHERE spent > 1000",
	"SELECT * FROM totals ORDER BY spent DESC, customer, largest, newest, n LIMIT 10",
	"SELECT customer, spent / n AS average, largest, newest FROM totals",
	"SELECT region, sum(spent) AS spent, max(largest) AS largest, max(newest) AS newest, sum(n) AS n FROM totals GROUP BY region",
	"SELECT t.*, r.name FROM totals AS t JOIN regions AS r ON r.region = t.region",
}

func benchmarkDashboards(b *testing.B, n int, apart bool) {
	c := New(Options{TickInterval: time.Hour, RetainHistory: time.Millisecond, KeepApart: apart})
	defer c.Close()
	cl := connect(b, c)
	cl.must(`CREATE TABLE orders (id int NOT NULL, customer int NOT NULL, amount int NOT NULL, at int NOT NULL);
		CREATE TABLE customers (customer int NOT NULL, region int NOT NULL); CREATE TABLE regions (region int NOT NULL, name text NOT NULL);
		CREATE TABLE other (a int);
		CREATE VIEW totals AS SELECT o.customer, c.region, sum(o.amount) AS spent, max(o.amount) AS largest, max(o.at) AS newest, count(*) AS n
			FROM orders AS o JOIN customers AS c ON c.customer = o.customer GROUP BY o.customer, c.region`)
	cl.must("INSERT INTO customers SELECT i, i % 20 FROM generate_series(0, 9999) AS i; INSERT INTO regions SELECT i, 'region ' || i FROM generate_series(0, 19) AS i")
	for at := 0; at < 500_000; at += 50_000 {
		cl.must(fmt.Sprintf("INSERT INTO orders SELECT i, i %% 10000 * 7919 %% 10000, i %% 1013, i FROM generate_series(%d, %d) AS i", at, at+49_999))
	}
	empty := settled(cl)
	for i := range n {
		cl.must(fmt.Sprintf("CREATE MATERIALIZED VIEW d%d AS %s", i, dashboards[i%len(dashboards)]))
	}
	held := settled(cl) - empty
	tick := func(i int) {
		cl.must(fmt.Sprintf("INSERT INTO orders SELECT i, i %% 10000 * 31 %% 10000, i %% 1013, i FROM generate_series(%d, %d) AS i", 1_000_000+1000*i, 1_000_999+1000*i))
	}
	tick(0)
	var before, after syscall.Rusage
	b.ResetTimer()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for i := range b.N {
		tick(i + 1)
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	b.ReportMetric(float64(held)/(1<<20), "MB")
	b.ReportMetric(float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano())/1e6/float64(b.N), "cpu-ms/tick")
	b.ReportMetric(0, "ns/op")
}
