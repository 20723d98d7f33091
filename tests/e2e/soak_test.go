package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// soakUsers is how many users change at random.
const soakUsers = 40

// TestSoak changes users in MariaDB and sends page views at random, starts the connector anew now and then, and
// holds the view to a plain count over everything that was sent. MILLRACE_SOAK says for how long; 15 s without it.
func TestSoak(t *testing.T) {
	need(t)
	length := 15 * time.Second
	if text := os.Getenv("MILLRACE_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("read MILLRACE_SOAK: %v", err)
		}
	}
	r := real(t)
	ctx, cancel := context.WithTimeout(t.Context(), length+5*time.Minute)
	defer cancel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := &soak{random: rand.New(rand.NewPCG(seed, 1)), views: make(map[string]int)}
	k.start(ctx, t, r)
	for end := time.Now().Add(length); time.Now().Before(end); {
		for range 50 {
			k.step(ctx, t, r)
		}
		k.compare(ctx, t, r)
		if k.random.IntN(5) == 0 {
			if err := r.stack.RestartConnector(ctx, "soak"); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d changes, compared %d times", k.steps, k.compared)
}

type soak struct {
	random   *rand.Rand
	server   *server
	views    map[string]int // page views by "user channel"
	steps    int
	compared int
}

func (k *soak) start(ctx context.Context, t *testing.T, r *servers) {
	t.Helper()
	mysql(ctx, t, r, `CREATE DATABASE soak CHARACTER SET utf8mb4;
CREATE TABLE soak.users (id BIGINT UNSIGNED PRIMARY KEY, is_vip TINYINT(1) NOT NULL);
INSERT INTO soak.users VALUES (0, 1);`)
	if err := r.stack.GrantDebezium(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.stack.PutConnector(ctx, "soak", r.stack.MariaDBConnector("soak", "soak", nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.stack.DeleteConnector(context.Background(), "soak"); err != nil {
			t.Error(err)
		}
	})
	if err := r.stack.WaitConnector(ctx, "soak"); err != nil {
		t.Fatal(err)
	}
	waitTopic(ctx, t, r, "soak.soak.users")
	k.view(ctx, t, r)
	k.server = serve(t, "--host-aliases", r.aliases())
	for _, statement := range []string{
		`CREATE SOURCE views FROM KAFKA BROKER 'kafka:9092' TOPIC 'soak-views' FORMAT JSON`,
		`CREATE SOURCE users FROM KAFKA BROKER 'kafka:9092' TOPIC 'soak.soak.users'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081' ENVELOPE DEBEZIUM`,
		`CREATE MATERIALIZED VIEW segments AS
  SELECT u.is_vip, v.data->>'channel' AS channel, count(*) AS n
  FROM users u JOIN views v ON (v.data->>'user')::int8 = u.id GROUP BY 1, 2`,
	} {
		k.server.must(t, statement)
	}
}

// step makes one change at random.
func (k *soak) step(ctx context.Context, t *testing.T, r *servers) {
	t.Helper()
	k.steps++
	user := k.random.IntN(soakUsers)
	switch k.random.IntN(4) {
	case 0:
		k.view(ctx, t, r)
	case 1:
		mysql(ctx, t, r, fmt.Sprintf(`DELETE FROM soak.users WHERE id = %d`, user))
	default:
		vip := k.random.IntN(2)
		mysql(ctx, t, r, fmt.Sprintf(`INSERT INTO soak.users VALUES (%d, %d) ON DUPLICATE KEY UPDATE is_vip = %d`, user, vip, vip))
	}
}

// view sends a page view.
func (k *soak) view(ctx context.Context, t *testing.T, r *servers) {
	t.Helper()
	user, channel := k.random.IntN(soakUsers), fmt.Sprint("channel ", k.random.IntN(3))
	k.views[fmt.Sprintf("%d\t%s", user, channel)]++
	produce(ctx, t, r, "soak-views", fmt.Sprintf(`{"user": %d, "channel": %q}`, user, channel))
}

// compare waits until the view is what a plain count over MariaDB's users and all page views gives.
func (k *soak) compare(ctx context.Context, t *testing.T, r *servers) {
	t.Helper()
	k.compared++
	users, err := r.stack.MySQL(ctx, `SELECT id, is_vip FROM soak.users`)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for line := range strings.Lines(users) {
		id, vip, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for view, n := range k.views {
			if channel, ok := strings.CutPrefix(view, id+"\t"); ok {
				counts[vip+"|"+channel] += n
			}
		}
	}
	var want []string
	for segment, n := range counts {
		want = append(want, fmt.Sprintf("%s|%d", segment, n))
	}
	slices.Sort(want)
	k.server.wait(t, `SELECT * FROM segments ORDER BY is_vip, channel`, strings.Join(want, "\n"))
}
