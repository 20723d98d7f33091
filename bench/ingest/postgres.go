package main

import (
	"context"
	"fmt"
	"net"
)

// preparePostgres fills a table of six columns in a database of a real server.
func (b *bench) preparePostgres(ctx context.Context) (*job, error) {
	host, port, err := net.SplitHostPort(b.stack.PostgresAddr)
	if err != nil {
		return nil, err
	}
	const database = "postgres"
	_, err = b.stack.SQL(ctx, database, fmt.Sprintf(`DROP PUBLICATION IF EXISTS bench; DROP TABLE IF EXISTS orders;
CREATE TABLE orders (id bigint PRIMARY KEY, k int NOT NULL, v bigint NOT NULL, name text NOT NULL, price numeric(10,2), at timestamptz NOT NULL);
INSERT INTO orders SELECT i, i %% %d, i * 7 %% 10000, 'a name of usual length ' || i, i %% 100000 * 0.01, '2024-05-01'::timestamptz + i * interval '1 second' FROM generate_series(1, %d) i;
CREATE PUBLICATION bench FOR TABLE orders`, groups, b.records))
	if err != nil {
		return nil, err
	}
	want, err := b.stack.SQL(ctx, database, "SELECT count(*) || ' ' || count(DISTINCT k) || ' ' || sum(v) FROM orders")
	if err != nil {
		return nil, err
	}
	size, err := b.stack.SQL(ctx, database, "SELECT sum(length(o::text)) FROM orders o")
	if err != nil {
		return nil, err
	}
	j := &job{records: b.records, done: "SELECT coalesce(sum(n), 0)::bigint FROM totals", totals: totals, want: want,
		before: []string{fmt.Sprintf("CREATE CONNECTION pg TO POSTGRES (HOST '%s', PORT %s, USER 'postgres', DATABASE '%s')", host, port, database)},
		run: []string{
			"CREATE SOURCE shop FROM POSTGRES CONNECTION pg (PUBLICATION 'bench') FOR TABLES (public.orders)",
			"CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(v) AS v FROM orders GROUP BY k",
		},
		after: []string{"DROP SOURCE shop CASCADE"}} // with its slot
	_, err = fmt.Sscan(size, &j.bytes)
	return j, err
}
