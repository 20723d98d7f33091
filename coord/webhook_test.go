package coord

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"millrace/repr"
)

// post sends a request, again when the source has not begun to run.
func (m *machine) post(ctx context.Context, name, body string, headers map[string]string) (int, *repr.Error) {
	for {
		w, err := m.c.Webhook(ctx, "materialize", "public", name)
		n := 0
		if err == nil {
			n, err = w.Take(ctx, headers, []byte(body))
		}
		if err == nil || err.Code != repr.CodeObjectNotReady || ctx.Err() != nil {
			return n, err
		}
		time.Sleep(time.Millisecond)
	}
}

// TestWebhook: requests become rows once they pass the check, whose secret may be another meanwhile.
func TestWebhook(t *testing.T) {
	t.Parallel()
	m := newMachine(t, Options{})
	cl := connect(t, m.c)
	cl.must("CREATE SECRET key AS 'Jefe'")
	cl.must(`CREATE SOURCE hook FROM WEBHOOK BODY FORMAT JSON INCLUDE HEADER 'X-Kind' AS kind
		CHECK (WITH (HEADERS, BODY BYTES, SECRET key BYTES) constant_time_eq(decode(headers->>'x-signature', 'hex'), hmac(body, key, 'sha256')))`)
	cl.must("CREATE MATERIALIZED VIEW total AS SELECT count(*), sum((body->>'n')::int) FROM hook")
	same(t, "nothing yet", cl.must("SELECT * FROM total"), "0|∅")
	sign := func(body, key string) map[string]string {
		return map[string]string{"x-kind": "k", "x-signature": cl.must("SELECT encode(hmac('" + body + "', '" + key + "', 'sha256'), 'hex')")[0]}
	}
	refused := func(body string, headers map[string]string, code string) {
		t.Helper()
		if n, err := m.post(t.Context(), "hook", body, headers); err == nil || err.Code != code || n != 0 {
			t.Errorf("%s: %d, %v, want %s", body, n, err, code)
		}
	}
	const two = "{\"n\": 1}\n{\"n\": 2}"
	if n, err := m.post(t.Context(), "hook", two, sign(two, "Jefe")); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	refused(two, sign(two, "other"), "42501")
	refused(two, nil, "42501")
	refused(two, map[string]string{"x-signature": "no digits"}, "42501")
	refused("{", sign("{", "Jefe"), "22P02")
	same(t, "two rows", cl.must("SELECT * FROM total"), "2|3")
	m.crash()
	cl = connect(t, m.c)
	same(t, "after a crash", cl.must("SELECT body->>'n', kind FROM hook ORDER BY 1"), "1|k", "2|k")
	cl.must("ALTER SECRET key AS 'another'")
	refused(two, sign(two, "Jefe"), "42501")
	if _, err := m.post(t.Context(), "hook", two, sign(two, "another")); err != nil {
		t.Fatal(err)
	}
	same(t, "four rows", cl.must("SELECT * FROM total"), "4|6")
	if _, err := cl.run(t.Context(), "DROP SECRET key"); err == nil {
		t.Error("the secret went, though the webhook needs it")
	}
	same(t, "no secret is shown", cl.must("SELECT count(*) FROM mz_sources WHERE name = 'hook' AND create_sql LIKE '%another%'"), "0")
	cl.must("CREATE TABLE t (x int)")
	for name, code := range map[string]string{"none": "42P01", "t": "42809"} {
		if _, err := m.post(t.Context(), name, two, nil); err == nil || err.Code != code {
			t.Errorf("%s: %v, want %s", name, err, code)
		}
	}
	for statement, code := range map[string]string{
		"CREATE SOURCE w FROM WEBHOOK":                                                                    "42601",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT AVRO":                                                   "0A000",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT TEXT INCLUDE KEY":                                       "0A000",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT TEXT INCLUDE HEADER 'a' AS body":                        "42701",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT TEXT CHECK (1)":                                         "42804",
		"CREATE SOURCE k FROM KAFKA BROKER 'localhost:1' TOPIC 't' FORMAT TEXT INCLUDE HEADERS (NOT 'a')": "0A000",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT TEXT CHECK (body = 'x')":                                "42703",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT TEXT CHECK (WITH (SECRET none) true)":                   "42704",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT TEXT CHECK (WITH (BODY, BODY) true)":                    "42701",
		"CREATE SOURCE w FROM WEBHOOK BODY FORMAT TEXT CHECK (EXISTS (SELECT 1 FROM t))":                  "0A000",
	} {
		if _, err := cl.run(t.Context(), statement); err == nil || err.Code != code {
			t.Errorf("%s: %v, want %s", statement, err, code)
		}
	}
}

// TestWebhookCrash: what was answered is there after a crash, and every request is there as a whole or not at all. Who waits is told
// that the log has gone.
func TestWebhookCrash(t *testing.T) {
	t.Parallel()
	m := newMachine(t, Options{})
	cl := connect(t, m.c)
	cl.must("CREATE SOURCE hook FROM WEBHOOK BODY FORMAT JSON")
	cl.must("SELECT count(*) FROM hook")
	var answered []string
	for round := range 4 {
		var mu sync.Mutex
		var posting sync.WaitGroup
		for sender := range 4 {
			posting.Go(func() {
				for i := range 1_000 {
					id := fmt.Sprintf("%d-%d-%d", round, sender, i)
					if _, err := m.post(t.Context(), "hook", fmt.Sprintf("{\"id\": %q}\n{\"id\": %q}\n{\"id\": %q}", id, id, id), nil); err != nil {
						if err.Code != errLogBroken { // which every sender is told, also those that wait
							t.Error(err)
						}
						return
					}
					mu.Lock()
					answered = append(answered, id)
					enough := len(answered) >= 40*(round+1)
					mu.Unlock()
					if enough {
						m.disk.Crash()
						return
					}
				}
			})
		}
		posting.Wait()
		m.crash()
		cl = connect(t, m.c)
		got := cl.must("SELECT body->>'id' FROM hook GROUP BY 1 HAVING count(*) = 3")
		for _, id := range answered {
			if !slices.Contains(got, id) {
				t.Fatalf("request %s was answered, and is lost", id)
			}
		}
		same(t, "requests in part", cl.must("SELECT count(*) FROM (SELECT 1 FROM hook GROUP BY body HAVING count(*) <> 3) x"), "0")
	}
}
