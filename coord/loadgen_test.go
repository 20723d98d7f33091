package coord

import (
	"testing"
	"time"
)

// comesTo asks until the answer is the one that is wanted.
func comesTo(t *testing.T, cl *client, query, want string) {
	t.Helper()
	var got []string
	for range 3000 {
		if got = cl.must(query); len(got) == 1 && got[0] == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: %q, want %q", query, got, want)
}

// TestClickstream: the statements of a pipeline of clicks run on the generator as they do on a topic.
func TestClickstream(t *testing.T) {
	t.Parallel()
	m := newMachine(t, Options{})
	cl := connect(t, m.c)
	cl.must("CREATE SOURCE raw FROM LOAD GENERATOR CLICKSTREAM (TICK INTERVAL '0', UP TO 5000, SEED 42) KEY FORMAT TEXT VALUE FORMAT TEXT INCLUDE KEY AS sid_key ENVELOPE NONE")
	cl.must("CREATE MATERIALIZED VIEW clicks_raw AS SELECT sid_key, text AS payload FROM raw WHERE text::jsonb->>'recordType' = 'click'")
	cl.must(`CREATE VIEW cooked AS SELECT sid_key, d->>'sid' AS sid, trunc((d->>'timestamp')::numeric)::bigint AS "timestamp", (d->>'isSubscriber')::int AS "isSubscriber",
		(d->>'latitude')::float8 AS latitude, d->>'country_code' AS country_code FROM (SELECT sid_key, payload::jsonb AS d FROM clicks_raw) x`)
	cl.must("CREATE MATERIALIZED VIEW news_de AS SELECT * FROM cooked WHERE country_code = 'DE'")
	comesTo(t, cl, "SELECT count(*) FROM raw", "5000")
	clicks := cl.must("SELECT count(*), min(sid_key), count(*) FILTER (WHERE sid_key = sid) FROM cooked")
	german := cl.must("SELECT count(*) > 500, min(latitude) > 40 FROM news_de")
	same(t, "german clicks", german, "t|t")
	m.crash()
	cl = connect(t, m.c)
	comesTo(t, cl, "SELECT count(*) FROM raw", "5000")
	same(t, "clicks after a crash", cl.must("SELECT count(*), min(sid_key), count(*) FILTER (WHERE sid_key = sid) FROM cooked"), clicks...)
	cl.must("CREATE SOURCE other FROM LOAD GENERATOR CLICKSTREAM (TICK INTERVAL '0', UP TO 5000, SEED 42) FORMAT JSON INCLUDE KEY, OFFSET")
	comesTo(t, cl, "SELECT count(*) FROM other", "5000")
	same(t, "what differs with the same seed", cl.must("SELECT count(*) FROM (SELECT sid_key, text::jsonb - 'timestamp' FROM raw EXCEPT ALL SELECT key, data - 'timestamp' FROM other) d"), "0")
}

// TestCounter: a counter with a cardinality takes back what is too old, before and after a crash.
func TestCounter(t *testing.T) {
	t.Parallel()
	m := newMachine(t, Options{})
	cl := connect(t, m.c)
	cl.must("CREATE SOURCE c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '20 us', MAX CARDINALITY 10, UP TO 20000)")
	cl.must("CREATE MATERIALIZED VIEW shape AS SELECT count(*), max(counter) - min(counter) AS width FROM c HAVING count(*) >= 10")
	for range 3 {
		comesTo(t, cl, "SELECT * FROM shape", "10|9")
		m.crash()
		cl = connect(t, m.c)
	}
	comesTo(t, cl, "SELECT max(counter), sum(counter) FROM c", "20000|199955")
	comesTo(t, cl, "SELECT * FROM shape", "10|9")
}

// TestGeneratedTables: views over the tables of a generator are right at every time, through crashes, and for tables that come later.
func TestGeneratedTables(t *testing.T) {
	t.Parallel()
	m := newMachine(t, Options{})
	cl := connect(t, m.c)
	cl.must("CREATE SOURCE house FROM LOAD GENERATOR AUCTION (TICK INTERVAL '100 us', UP TO 22000) FOR ALL TABLES")
	cl.must("CREATE SOURCE tpch FROM LOAD GENERATOR TPCH (SCALE FACTOR 0.001, TICK INTERVAL '1 ms', SEED 3) FOR TABLES (tpch.orders, lineitem AS lines)")
	cl.must("CREATE SOURCE still FROM LOAD GENERATOR TPCH (SCALE FACTOR 0.001) FOR TABLES (region AS regions, customer)")
	cl.must("CREATE MATERIALIZED VIEW orphans AS SELECT count(*) FROM bids b WHERE NOT EXISTS (SELECT 1 FROM auctions a WHERE a.id = b.auction_id)")
	cl.must("CREATE MATERIALIZED VIEW counts AS SELECT count(*), count(DISTINCT o_orderkey) AS keys FROM orders WHERE EXISTS (SELECT 1 FROM lines WHERE l_orderkey = o_orderkey)")
	same(t, "regions", cl.must("SELECT count(*), (SELECT count(*) FROM customer) FROM regions"), "5|150")
	for range 3 {
		same(t, "orders that are whole", cl.must("SELECT * FROM counts"), "1500|1500")
		same(t, "bids for nothing", cl.must("SELECT * FROM orphans"), "0")
		m.crash()
		cl = connect(t, m.c)
	}
	comesTo(t, cl, "SELECT count(*), max(id) FROM bids", "20000|20000")
	same(t, "auctions", cl.must("SELECT count(*), count(DISTINCT seller) > 50, min(end_time) - max(bid_time) < '10 s' FROM auctions, (SELECT max(bid_time) AS bid_time FROM bids) b"), "2000|t|t")
	cl.must("CREATE TABLE again FROM SOURCE house (REFERENCE auction.bids)")
	same(t, "what came later", cl.must("SELECT count(*) FROM (SELECT * FROM bids EXCEPT ALL SELECT * FROM again) d"), "0")
	same(t, "how much came later", cl.must("SELECT count(*) FROM again"), "20000")
	if _, err := cl.run(t.Context(), "CREATE SOURCE s FROM LOAD GENERATOR AUCTION (SCALE FACTOR 2)"); err == nil || err.Code != "22023" {
		t.Error(err)
	}
}
