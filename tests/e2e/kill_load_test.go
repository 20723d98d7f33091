package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kgo"
)

// killObjects is what the server under load keeps.
var killObjects = []string{
	`CREATE SOURCE events FROM KAFKA BROKER 'kafka:9092' TOPIC 'kill-events' FORMAT JSON`,
	`CREATE SOURCE users FROM KAFKA BROKER 'kafka:9092' TOPIC 'kill.users'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081' ENVELOPE DEBEZIUM`,
	`CREATE TABLE notes (id bigint NOT NULL, v bigint NOT NULL, pad text)`,
	`CREATE MATERIALIZED VIEW segments AS ` + segmentsQuery,
	`CREATE MATERIALIZED VIEW balance AS ` + balanceQuery,
	`CREATE SUBSCRIPTION tallies ON segments WITH (RETAIN FOR '10 minutes')`,
	`CREATE SINK segments_out FROM segments INTO KAFKA BROKER 'kafka:9092' TOPIC 'kill-out' FORMAT JSON`,
}

const (
	segmentsQuery = `SELECT u.is_vip, e.data->>'channel' AS channel, count(*) AS n, sum((e.data->>'amount')::int8)::int8 AS total
  FROM users u JOIN events e ON (e.data->>'user')::int8 = u.id GROUP BY 1, 2`
	balanceQuery = `SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(v)::int8 AS total FROM notes`
	killUsers    = 30
	killWriters  = 3
)

// fate is what is known of a pair of rows that a writer inserted.
type fate int

// killUsersTopic stands in killObjects for the topic of the users, which has the name of the connector in front.
const killUsersTopic = "kill.users"

const (
	unsure  fate = iota // no answer came
	present             // acknowledged
	absent              // deleted, or not there after a start
)

// killLoad writes to a server that comes and goes, to its topics and to the database behind them, and knows what must be there.
type killLoad struct {
	real   *servers
	random func() *rand.Rand // one for each goroutine
	stop   context.CancelFunc
	wait   sync.WaitGroup
	gate   sync.RWMutex // held by whoever writes; a pause takes it whole
	events atomic.Int64
	client *kgo.Client

	connector  string
	usersTopic string

	mu     sync.Mutex // guards all below
	next   int64
	pairs  map[int64]fate
	acked  int
	sums   map[string]*[2]int64 // of events: count and amount, by "user|channel"
	tables map[string]fate
}

func newKillLoad(t *testing.T, r *servers, seed uint64) *killLoad {
	t.Helper()
	ctx := t.Context()
	var streams atomic.Uint64
	l := &killLoad{real: r, pairs: map[int64]fate{}, sums: map[string]*[2]int64{}, tables: map[string]fate{},
		random: func() *rand.Rand { return rand.New(rand.NewPCG(seed, 2+streams.Add(1))) }}
	mysql(ctx, t, r, `DROP DATABASE IF EXISTS `+"`kill`"+`; CREATE DATABASE `+"`kill`"+` CHARACTER SET utf8mb4;
CREATE TABLE `+"`kill`"+`.users (id BIGINT UNSIGNED PRIMARY KEY, is_vip INT NOT NULL); INSERT INTO `+"`kill`"+`.users VALUES (0, 1);`)
	dropTopics(ctx, t, r, "kill-events", "kill-out") // of a run before on the same broker
	if err := r.stack.GrantDebezium(ctx); err != nil {
		t.Fatal(err)
	}
	// A connector of a name that was there before would go on with what it had not read of tables that are gone.
	name := fmt.Sprintf("kill%x", seed)
	l.connector = name
	l.usersTopic = name + "." + killUsersTopic
	if err := r.stack.PutConnector(ctx, name, r.stack.MariaDBConnector(name, "kill", nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.stack.DeleteConnector(context.Background(), name) })
	if err := r.stack.WaitConnector(ctx, name); err != nil {
		t.Fatal(err)
	}
	waitTopic(ctx, t, r, l.usersTopic)
	var err error
	l.client, err = kgo.NewClient(kgo.SeedBrokers(r.stack.KafkaAddr), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	l.event(ctx, l.random())
	return l
}

// run starts the writers.
func (l *killLoad) run(t *testing.T, s *server) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	l.stop = stop
	t.Cleanup(l.end)
	for range killWriters {
		random := l.random()
		l.wait.Go(func() { l.connected(ctx, s, func(c *pgx.Conn) error { return l.write(ctx, c, random) }) })
	}
	random := l.random()
	l.wait.Go(func() {
		for ctx.Err() == nil {
			l.gate.RLock()
			for range 20 {
				l.event(ctx, random)
			}
			l.gate.RUnlock()
			idle(ctx, 20*time.Millisecond)
		}
	})
	changes := l.random()
	l.wait.Go(func() {
		for ctx.Err() == nil {
			l.gate.RLock()
			l.users(ctx, changes)
			l.gate.RUnlock()
			idle(ctx, 100*time.Millisecond)
		}
	})
}

func (l *killLoad) end()    { l.stop(); l.wait.Wait() }
func (l *killLoad) pause()  { l.gate.Lock() }
func (l *killLoad) resume() { l.gate.Unlock() }

func (l *killLoad) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

func idle(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// connected repeats something on a connection, and makes a new one when it fails.
func (l *killLoad) connected(ctx context.Context, s *server, do func(*pgx.Conn) error) {
	for ctx.Err() == nil {
		c, err := pgx.Connect(ctx, s.url())
		if err != nil {
			idle(ctx, 20*time.Millisecond)
			continue
		}
		for err == nil && ctx.Err() == nil {
			l.gate.RLock()
			err = do(c)
			l.gate.RUnlock()
		}
		_ = c.Close(context.Background()) // the server is gone as a rule
	}
}

// write inserts a pair, deletes one or makes a table.
func (l *killLoad) write(ctx context.Context, c *pgx.Conn, random *rand.Rand) error {
	switch n := random.IntN(1000); {
	case n < 2:
		return l.makeTable(ctx, c)
	case n < 150:
		return l.remove(ctx, c)
	}
	l.mu.Lock()
	l.next++
	id := l.next
	l.pairs[id] = unsure
	l.mu.Unlock()
	pad := strings.Repeat(fmt.Sprintf("%016x", random.Uint64()), 1+random.IntN(40))
	v := random.Int64N(1000)
	var err error
	if random.IntN(2) == 0 {
		_, err = c.Exec(ctx, `INSERT INTO notes VALUES ($1, $2, $4), ($1, $3, $4)`, id, v, -v, pad)
	} else {
		err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			_, e1 := tx.Exec(ctx, `INSERT INTO notes VALUES ($1, $2, $3)`, id, v, pad)
			_, e2 := tx.Exec(ctx, `INSERT INTO notes VALUES ($1, $2, $3)`, id, -v, pad)
			return errors.Join(e1, e2)
		})
	}
	if err == nil {
		l.mu.Lock()
		l.pairs[id] = present
		l.acked++
		l.mu.Unlock()
	}
	return err
}

// remove deletes a pair that is there.
func (l *killLoad) remove(ctx context.Context, c *pgx.Conn) error {
	var id int64
	l.mu.Lock()
	for candidate, f := range l.pairs {
		if f == present {
			id = candidate
			break
		}
	}
	if id == 0 {
		l.mu.Unlock()
		return nil
	}
	l.pairs[id] = unsure
	l.mu.Unlock()
	_, err := c.Exec(ctx, `DELETE FROM notes WHERE id = $1`, id)
	if err == nil {
		l.mu.Lock()
		l.pairs[id] = absent
		l.mu.Unlock()
	}
	return err
}

func (l *killLoad) makeTable(ctx context.Context, c *pgx.Conn) error {
	l.mu.Lock()
	name := fmt.Sprintf("t%d", len(l.tables))
	l.tables[name] = unsure
	l.mu.Unlock()
	_, err := c.Exec(ctx, `CREATE TABLE `+name+` (a int)`)
	if err == nil {
		l.mu.Lock()
		l.tables[name] = present
		l.mu.Unlock()
	}
	return err
}

// event sends an event, which the broker acknowledges.
func (l *killLoad) event(ctx context.Context, random *rand.Rand) {
	user, channel, amount := random.IntN(killUsers), random.IntN(3), random.Int64N(100)
	n := l.events.Load()
	value := fmt.Sprintf(`{"seq": %d, "user": %d, "channel": "c%d", "amount": %d}`, n, user, channel, amount)
	if err := l.client.ProduceSync(context.WithoutCancel(ctx), &kgo.Record{Topic: "kill-events", Value: []byte(value)}).FirstErr(); err != nil {
		return // it shows as a count that is off
	}
	l.events.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	key := fmt.Sprintf("%d|c%d", user, channel)
	if l.sums[key] == nil {
		l.sums[key] = &[2]int64{}
	}
	l.sums[key][0]++
	l.sums[key][1] += amount
}

// users changes some users in the database.
func (l *killLoad) users(ctx context.Context, random *rand.Rand) {
	var b strings.Builder
	for range 5 {
		id := random.IntN(killUsers)
		if random.IntN(4) == 0 {
			fmt.Fprintf(&b, "DELETE FROM `kill`.users WHERE id = %d;", id)
			continue
		}
		vip := random.IntN(3)
		fmt.Fprintf(&b, "INSERT INTO `kill`.users VALUES (%d, %d) ON DUPLICATE KEY UPDATE is_vip = %d;", id, vip, vip)
	}
	_, _ = l.real.stack.MySQL(context.WithoutCancel(ctx), b.String()) // what is there is asked for, not reckoned
}

// check holds the server to all that was written, while nobody writes.
func (l *killLoad) check(ctx context.Context, t *testing.T, s *server) {
	t.Helper()
	c, err := pgx.Connect(ctx, s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	l.checkPairs(ctx, t, c)
	l.checkTables(ctx, t, c)
	want := l.segments(ctx, t)
	eventually(t, 60*time.Second, "segments", func() error {
		rows, err := c.Query(ctx, `SELECT is_vip || '|' || channel || '|' || n || '|' || total FROM segments ORDER BY 1`)
		if err != nil {
			return err
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("got %v, want %v", got, want)
		}
		return err
	})
	eventually(t, 60*time.Second, "events", func() error { // the last may be of a user who is not there, whom segments does not show
		var n, distinct int64
		err := c.QueryRow(ctx, `SELECT count(*), count(DISTINCT data->>'seq') FROM events`).Scan(&n, &distinct)
		if sent := l.events.Load(); err == nil && (n != sent || distinct != sent) {
			err = fmt.Errorf("%d events were sent, %d are there, %d different ones", sent, n, distinct)
		}
		return err
	})
	for view, query := range map[string]string{"segments": segmentsQuery, "balance": balanceQuery} {
		rows, err := c.Query(ctx, fmt.Sprintf(`(SELECT 'view', * FROM %s EXCEPT ALL SELECT 'view', * FROM (%s) q)
UNION ALL (SELECT 'query', * FROM (%s) q EXCEPT ALL SELECT 'query', * FROM %s)`, view, query, query, view))
		if err != nil {
			t.Fatal(err)
		}
		off, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
			values, err := row.Values()
			return fmt.Sprint(values...), err
		})
		if err != nil || len(off) > 0 {
			t.Errorf("%s is not what its query gives: %v, %v", view, off, err)
		}
	}
}

// checkPairs: what was acknowledged is there, and each pair is there once and whole, or not at all.
func (l *killLoad) checkPairs(ctx context.Context, t *testing.T, c *pgx.Conn) {
	t.Helper()
	rows, err := c.Query(ctx, `SELECT id, count(*), sum(v)::int8 FROM notes GROUP BY id`)
	if err != nil {
		t.Fatal(err)
	}
	type pair struct{ ID, N, Sum int64 }
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pair])
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	there := map[int64]bool{}
	for _, p := range got {
		there[p.ID] = true
		if p.N != 2 || p.Sum != 0 {
			t.Errorf("pair %d is there with %d rows of the sum %d", p.ID, p.N, p.Sum)
		}
	}
	for id, f := range l.pairs {
		switch {
		case f == present && !there[id]:
			t.Errorf("pair %d was acknowledged and is lost", id)
		case f == absent && there[id]:
			t.Errorf("pair %d is there again", id)
		case f == unsure && there[id]:
			l.pairs[id] = present
		case f == unsure:
			l.pairs[id] = absent
		}
		delete(there, id)
	}
	if len(there) > 0 {
		t.Errorf("pairs that nobody wrote: %v", there)
	}
}

func (l *killLoad) checkTables(ctx context.Context, t *testing.T, c *pgx.Conn) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, f := range l.tables {
		_, err := c.Exec(ctx, `SELECT * FROM `+name)
		var pg *pgconn.PgError
		missing := errors.As(err, &pg) && pg.Code == "42P01"
		switch {
		case err != nil && !missing:
			t.Fatal(err)
		case missing && f == present:
			t.Errorf("table %s was acknowledged and is lost", name)
		case !missing && f == absent:
			t.Errorf("table %s is there again", name)
		case missing:
			l.tables[name] = absent
		default:
			l.tables[name] = present
		}
	}
}

// segments is what the view must hold: the users in the database with all events.
func (l *killLoad) segments(ctx context.Context, t *testing.T) []string {
	t.Helper()
	users, err := l.real.stack.MySQL(ctx, "SELECT id, is_vip FROM `kill`.users")
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	totals := map[string][2]int64{}
	for line := range strings.Lines(users) {
		id, vip, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for key, sum := range l.sums {
			if channel, ok := strings.CutPrefix(key, id+"|"); ok {
				n := totals[vip+"|"+channel]
				totals[vip+"|"+channel] = [2]int64{n[0] + sum[0], n[1] + sum[1]}
			}
		}
	}
	var out []string
	for key, n := range totals {
		out = append(out, fmt.Sprintf("%s|%d|%d", key, n[0], n[1]))
	}
	slices.Sort(out)
	return out
}
