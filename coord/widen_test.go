package coord

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker/brokertest"
)

// topicOf is a broker with a topic t, and what writes values to it, each under its place as a key.
func topicOf(t *testing.T) (addr string, write func(values ...string)) {
	t.Helper()
	fake := brokertest.New(t, kfake.SeedTopics(1, "t"))
	addr = fake.ListenAddrs()[0]
	w := brokertest.Client(t, addr, kgo.DefaultProduceTopic("t"))
	n := 0
	return addr, func(values ...string) {
		t.Helper()
		for _, v := range values {
			n++
			r := &kgo.Record{Key: fmt.Append(nil, "k", n%3), Value: []byte(v)}
			if err := w.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestAddMissingColumns: members that later records bring become columns, also of the records that were read before; what was made
// before keeps its columns, through a crash too.
func TestAddMissingColumns(t *testing.T) {
	t.Parallel()
	addr, write := topicOf(t)
	write(`{"id":1,"name":"x"}`)
	m := newMachine(t, Options{TickInterval: 10 * time.Millisecond})
	cl := connect(t, m.c)
	cl.must("CREATE SOURCE s FROM KAFKA BROKER '" + addr + "' TOPIC 't' FORMAT JSON (INFER) INCLUDE OFFSET")
	cl.must("CREATE SOURCE u FROM KAFKA BROKER '" + addr + "' TOPIC 't' KEY FORMAT TEXT VALUE FORMAT JSON (INFER) ENVELOPE UPSERT")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT * FROM s")
	cl.must("CREATE VIEW p AS SELECT *, 1 AS price FROM s")
	cl.must("CREATE INDEX s_id ON s (id)")
	cl.soon("SELECT * FROM p", "1|x|0|1")
	cl.must("ALTER SOURCE s ADD MISSING COLUMNS")
	if last := cl.notices[len(cl.notices)-1]; !strings.HasPrefix(last.Message, "no record of source") {
		t.Errorf("got %+v", last)
	}
	write(`{"id":2,"name":"y","price":1.5,"vip":true,"tags":[1]}`, `{"id":3,"price":2,"name":null}`)
	cl.soon("SELECT hint FROM mz_internal.mz_source_statuses WHERE name = 's'",
		"fields that are no columns were seen: price, vip, tags; ALTER SOURCE … ADD MISSING COLUMNS makes them columns")
	cl.soon("SELECT * FROM v ORDER BY id", "1|x|0", "2|y|1", "3|∅|2")
	cl.soon("SELECT id FROM u ORDER BY id", "1", "2", "3")
	for _, name := range []string{"s", "u"} {
		cl.must("ALTER SOURCE " + name + " ADD MISSING COLUMNS")
		if last := cl.notices[len(cl.notices)-1]; last.Message != `columns added: price numeric, tags jsonb, vip boolean` {
			t.Errorf("got %+v", last)
		}
	}
	cl.must("CREATE MATERIALIZED VIEW w AS SELECT *, price * 2 AS twice FROM s")
	write(`{"id":4,"name":"z","price":"cheap"}`, `{"id":5,"name":"z","price":"7","more":{"a":1}}`)
	cl.soon(`SELECT error, "offset" FROM s_errors`, `field "price": invalid input syntax for type numeric: "cheap"|3`)
	cl.soon("SELECT hint FROM mz_internal.mz_source_statuses WHERE name = 's'",
		"fields that are no columns were seen: more; ALTER SOURCE … ADD MISSING COLUMNS makes them columns")
	look := func() {
		t.Helper()
		cl.soon("SELECT * FROM s WHERE id < 6 ORDER BY id", "1|x|0|∅|∅|∅", "2|y|1|1.5|[1]|t", "3|∅|2|2|∅|∅", "5|z|4|7|∅|∅")
		cl.soon("SELECT * FROM s WHERE id = 2", "2|y|1|1.5|[1]|t")
		cl.soon("SELECT * FROM v WHERE id < 6 ORDER BY id", "1|x|0", "2|y|1", "3|∅|2", "5|z|4")
		cl.soon("SELECT * FROM p WHERE id < 6 ORDER BY id", "1|x|0|1", "2|y|1|1", "3|∅|2|1", "5|z|4|1")
		cl.soon("SELECT id, twice FROM w WHERE id < 6 ORDER BY id", "1|∅", "2|3.0", "3|4", "5|14")
		cl.soon("SELECT column_name FROM information_schema.columns WHERE table_name = 's' ORDER BY ordinal_position", "id", "name", "offset", "price", "tags", "vip")
	}
	look()
	cl.soon("SELECT * FROM u ORDER BY key", "k0|3|∅|2|∅|∅", "k2|5|z|7|∅|∅")
	m.crash()
	cl = connect(t, m.c)
	look()
	write(`{"id":6,"name":"q","price":9,"more":2}`)
	cl.soon("SELECT * FROM w WHERE id = 6", "6|q|5|9|∅|∅|18")
	cl.must("ALTER SOURCE s ADD MISSING COLUMNS")
	if last := cl.notices[len(cl.notices)-1]; last.Message != `columns added: more jsonb` {
		t.Errorf("got %+v", last)
	}
	cl.soon("SELECT id, more FROM s WHERE more IS NOT NULL ORDER BY id", `5|{"a": 1}`, "6|2")
	cl.soon("SELECT * FROM w WHERE id = 6", "6|q|5|9|∅|∅|18")
	m.crash()
	cl = connect(t, m.c)
	look2 := "SELECT * FROM w WHERE id = 6"
	cl.soon(look2, "6|q|5|9|∅|∅|18")
	cl.must("CREATE OR REPLACE VIEW p AS SELECT * FROM s")
	cl.soon("SELECT * FROM p WHERE id = 5", `5|z|4|7|∅|∅|{"a": 1}`)
	cl.must("BEGIN")
	cl.must("DECLARE c CURSOR FOR SUBSCRIBE s WITH (SNAPSHOT)")
	if got := cl.must("FETCH 2 c"); len(got) != 2 || !strings.HasSuffix(got[0], "|1|1|x|0|∅|∅|∅|∅") {
		t.Errorf("got %q", got)
	}
	cl.must("COMMIT")
}

// TestColumnsThatMayBeMore: what needs columns that stay refuses a source that may get more.
func TestColumnsThatMayBeMore(t *testing.T) {
	t.Parallel()
	addr, write := topicOf(t)
	write(`{"id":1}`, `{"id":2,"b":1}`)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must("CREATE SOURCE s FROM KAFKA BROKER '" + addr + "' TOPIC 't' FORMAT JSON (INFER)")
	cl.must("CREATE SOURCE fixed (id int) FROM KAFKA BROKER '" + addr + "' TOPIC 't' FORMAT JSON")
	write(`{"id":3,"c":1}`)
	cl.soon("SELECT count(*) FROM s", "3")
	cl.must("ALTER SOURCE s ADD MISSING COLUMNS")
	for _, tc := range []struct{ text, code, message string }{
		{"CREATE SUBSCRIPTION x ON s", "0A000", "needs columns that stay"},
		{"CREATE SINK x FROM s INTO KAFKA BROKER '" + addr + "' TOPIC 'o' FORMAT JSON", "0A000", "needs columns that stay"},
		{"CREATE INDEX x ON s (c)", "0A000", "an index on a column that was added"},
		{"ALTER SOURCE fixed ADD MISSING COLUMNS", "42809", "does not find out its columns"},
		{"ALTER SOURCE nobody ADD MISSING COLUMNS", "42P01", "nobody"},
		{"ALTER SOURCE s ADD COLUMNS", "0A000", ""},
	} {
		_, err := cl.run(context.Background(), tc.text)
		if err == nil || err.Code != tc.code || !strings.Contains(err.Message, tc.message) {
			t.Errorf("%s: got %+v", tc.text, err)
		}
	}
}
