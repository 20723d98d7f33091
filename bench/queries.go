package bench

// Query is one benchmark: its SQL over the tables of an event file.
type Query struct {
	Name string
	File string // how the name of its event file begins
	SQL  string
}

// Queries are the benchmarks, in the order in which they are run. kv counts by key, join2 joins two tables, tpch3 is
// query 3 of TPC-H over whole numbers, and q0 to q20 are Nexmark's (Tucker, Tufte, Papadimos, Maier: "NEXMark", 2002;
// those from q9 on were added by Apache Beam and Flink). max and top1 ask for the best of each group alone. Averages and sums are cut to bigint, so that the check value
// counts them.
var Queries = []Query{
	{Name: "kv", File: "kv", SQL: `SELECT k, count(*) FROM kv GROUP BY k`},
	{Name: "join2", File: "join2", SQL: `SELECT l.k, l.v, r.v AS rv FROM l JOIN r ON l.k = r.k`},
	{Name: "tpch3", File: "q3", SQL: `SELECT ok, od, sp, sum(price * (100 - disc))::bigint AS revenue ` +
		`FROM c JOIN o ON c.ck = o.ck JOIN i ON i.lok = o.ok WHERE seg = 1 AND od < 1169 AND sd > 1169 GROUP BY ok, od, sp`},
	{Name: "q0", File: "nexmark", SQL: `SELECT auction, bidder, price, channel, url, ts, extra FROM bid`},
	{Name: "q1", File: "nexmark", SQL: `SELECT auction, bidder, price * 908 / 1000 AS price, ts, extra FROM bid`},
	{Name: "q2", File: "nexmark", SQL: `SELECT auction, price FROM bid WHERE mod(auction, 123) = 0`},
	{Name: "q3", File: "nexmark", SQL: `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id ` +
		`WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`},
	{Name: "q4", File: "nexmark", SQL: `SELECT category, trunc(avg(final))::bigint AS average FROM (` +
		`SELECT max(b.price) AS final, a.category FROM auction a, bid b ` +
		`WHERE a.id = b.auction AND b.ts BETWEEN a.ts AND a.expires GROUP BY a.id, a.category) q GROUP BY category`},
	{Name: "q5", File: "nexmark", SQL: `WITH counts AS (` +
		`SELECT auction, count(*) AS num, date_bin('2 seconds', ts, '2000-01-01') - k * interval '2 seconds' AS starttime ` +
		`FROM bid, generate_series(0, 4) k GROUP BY auction, date_bin('2 seconds', ts, '2000-01-01') - k * interval '2 seconds') ` +
		`SELECT c.auction, c.num FROM counts c JOIN (SELECT max(num) AS maxn, starttime FROM counts GROUP BY starttime) m ` +
		`ON c.starttime = m.starttime AND c.num >= m.maxn`},
	{Name: "q7", File: "nexmark", SQL: `SELECT b.auction, b.price, b.bidder, b.ts, b.extra FROM bid b JOIN (` +
		`SELECT max(price) AS maxprice, date_bin('10 seconds', ts, '2000-01-01') + interval '10 seconds' AS endtime FROM bid GROUP BY 2) m ` +
		`ON b.price = m.maxprice WHERE b.ts BETWEEN m.endtime - interval '10 seconds' AND m.endtime`},
	{Name: "q8", File: "nexmark", SQL: `SELECT p.id, p.name, p.starttime FROM (` +
		`SELECT id, name, date_bin('10 seconds', ts, '2000-01-01') AS starttime FROM person GROUP BY 1, 2, 3) p JOIN (` +
		`SELECT seller, date_bin('10 seconds', ts, '2000-01-01') AS starttime FROM auction GROUP BY 1, 2) a ` +
		`ON p.id = a.seller AND p.starttime = a.starttime`},
	{Name: "q9", File: "nexmark", SQL: `SELECT DISTINCT ON (a.id) a.id, a.item, a.descr, a.initb, a.reserve, a.seller, a.category, ` +
		`b.auction, b.bidder, b.price FROM auction a JOIN bid b ON a.id = b.auction WHERE b.ts BETWEEN a.ts AND a.expires ` +
		`ORDER BY a.id, b.price DESC, b.ts`},
	{Name: "q15", File: "nexmark", SQL: `SELECT to_char(ts, 'YYYY-MM-DD') AS day, ` + bidCounts + ` FROM bid GROUP BY 1`},
	{Name: "q16", File: "nexmark", SQL: `SELECT channel, to_char(ts, 'YYYY-MM-DD') AS day, max(to_char(ts, 'HH24:MI')) AS minute, ` +
		bidCounts + ` FROM bid GROUP BY 1, 2`},
	{Name: "q17", File: "nexmark", SQL: `SELECT auction, to_char(ts, 'YYYY-MM-DD') AS day, ` + bidRanks + `, ` +
		`min(price), max(price), trunc(avg(price))::bigint AS avg, sum(price)::bigint AS sum FROM bid GROUP BY 1, 2`},
	{Name: "q18", File: "nexmark", SQL: `SELECT DISTINCT ON (bidder, auction) auction, bidder, price, channel, url, ts, extra ` +
		`FROM bid ORDER BY bidder, auction, ts DESC, price DESC`},
	{Name: "q19", File: "nexmark", SQL: `SELECT * FROM (` +
		`SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bid) b WHERE rn <= 10`},
	{Name: "q20", File: "nexmark", SQL: `SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.ts, b.extra, a.item, a.descr, ` +
		`a.initb, a.reserve, a.seller, a.category, a.extra AS aextra FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`},
	{Name: "max", File: "nexmark", SQL: `SELECT auction, max(price) FROM bid GROUP BY auction`},
	{Name: "top1", File: "nexmark", SQL: `SELECT DISTINCT ON (auction) auction, bidder, price FROM bid ORDER BY auction, price DESC`},
}

// bidRanks counts bids by three ranks of price.
const bidRanks = `count(*) AS total, count(*) FILTER (WHERE price < 10000) AS rank1, ` +
	`count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2, count(*) FILTER (WHERE price >= 1000000) AS rank3`

// bidCounts counts bids, bidders and auctions by three ranks of price.
const bidCounts = bidRanks + `, ` +
	`count(DISTINCT bidder) AS bidders, count(DISTINCT bidder) FILTER (WHERE price < 10000) AS bidders1, ` +
	`count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS bidders2, ` +
	`count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS bidders3, ` +
	`count(DISTINCT auction) AS auctions, count(DISTINCT auction) FILTER (WHERE price < 10000) AS auctions1, ` +
	`count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS auctions2, ` +
	`count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS auctions3`

// Find is the query of that name.
func Find(name string) (Query, bool) {
	for _, q := range Queries {
		if q.Name == name {
			return q, true
		}
	}
	return Query{}, false
}
