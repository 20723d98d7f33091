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

// spoiled is a broker whose topic t has good and bad records.
type spoiled struct {
	t    *testing.T
	addr string
	w    *kgo.Client
}

func newSpoiled(t *testing.T) *spoiled {
	t.Helper()
	fake := brokertest.New(t, kfake.SeedTopics(1, "t"))
	k := &spoiled{t: t, addr: fake.ListenAddrs()[0]}
	k.w = brokertest.Client(t, k.addr, kgo.DefaultProduceTopic("t"))
	return k
}

func (k *spoiled) write(values ...string) {
	k.t.Helper()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = kgo.StringRecord(v)
	}
	if err := k.w.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *spoiled) source(options string) string {
	text := "CREATE SOURCE s (a int) FROM KAFKA BROKER '" + k.addr + "' TOPIC 't' FORMAT JSON"
	if options != "" {
		text += " WITH (" + options + ")"
	}
	return text
}

const (
	sourceState = "SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = 's'"
	sourceCount = "SELECT messages_received, records_bad, errors_kept, errors_dropped FROM mz_internal.mz_source_statistics WHERE name = 's'"
	badOffsets  = "SELECT string_agg(\"offset\"::text, ' ' ORDER BY \"offset\") FROM s_errors"
)

// TestOnErrorFail: the source stops in front of a bad record, what came before is there, and ALTER lets it go on.
func TestOnErrorFail(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	k.write(`{"a": 1}`)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must(k.source("ON ERROR = fail"))
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS sum FROM s")
	k.write(`{"a": 2}`, `{"a": "no number"}`, `{"a": 3}`)
	cl.soon("SELECT * FROM v", "3")
	cl.soon(sourceState, `failed|the record at offset 2 of partition 0 of topic "t" cannot be decoded: field "a": invalid input syntax for type integer: "no number"`)
	cl.soon(sourceCount, "2|0|0|0")
	cl.soon("SELECT partition, offset_committed, lag > 0 FROM mz_internal.mz_source_partitions", "0|2|t")
	cl.must("ALTER SOURCE s SET (ON ERROR = quarantine)")
	cl.soon("SELECT * FROM v", "6")
	cl.soon(sourceState, "running|∅")
	cl.soon(sourceCount, "4|1|1|0")
	cl.soon(badOffsets, "2")
	if text := cl.one("SHOW CREATE SOURCE s"); !strings.Contains(text, "ON ERROR = quarantine") || strings.Contains(text, "fail") {
		t.Errorf("the source is shown as %s", text)
	}
	cl.must("ALTER SOURCE s SET (ON ERROR fail)")
	k.write(`bad`, `{"a": 4}`)
	cl.soon(sourceState, `failed|the record at offset 4 of partition 0 of topic "t" cannot be decoded: invalid input syntax for type json (Token "bad" is invalid.)`)
	cl.must("ALTER SOURCE s RESET (ON ERROR)")
	cl.soon("SELECT * FROM v", "10")
	cl.soon(badOffsets, "2 4")
}

// TestErrorsAreAwaited: who reads the errors of a source that was just made sees those of all that was there, as one does who reads the source.
func TestErrorsAreAwaited(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	k.write(`bad`, `{"a": 1}`, `worse`)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must(k.source(""))
	same(t, "the errors", cl.must("SELECT count(*) FROM s_errors"), "2")
	cl.must("DROP SOURCE s")
	cl.must(k.source(""))
	cl.must("CREATE VIEW v AS SELECT error_code FROM s_errors")
	same(t, "a view of them", cl.must("SELECT count(*) FROM v"), "2")
	cl.must("DROP SOURCE s CASCADE")
	cl.must(k.source(""))
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM s_errors")
	same(t, "a materialized view of them", cl.must("SELECT n FROM m"), "2")
}

// TestMaxErrorRate: a source stops where too much of what it reads is bad, and goes on behind what it has read.
func TestMaxErrorRate(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must(k.source("MAX ERROR RATE = '10%'"))
	good := make([]string, 900)
	for i := range good {
		good[i] = `{"a": 1}`
	}
	bad := make([]string, 300)
	for i := range bad {
		bad[i] = fmt.Sprintf(`{"a": "x%d"}`, i)
	}
	k.write(good...)
	k.write(bad[:80]...)
	cl.soon(sourceCount, "980|80|80|0")
	k.write(bad...)
	cl.soon("SELECT status FROM mz_internal.mz_source_statuses WHERE name = 's'", "failed")
	k.write(good...)
	cl.must("ALTER SOURCE s SET (MAX ERROR RATE = 0.5, RETAIN ERRORS = 100)")
	cl.soon(sourceCount, "2180|380|100|280")
	cl.soon("SELECT count(*), sum(a) FROM s", "1800|1800")
	cl.soon("SELECT count(*), min(\"offset\") >= 900 FROM s_errors", "100|t")
	cl.must("ALTER SOURCE s RESET (MAX ERROR RATE)")
	cl.soon("SELECT status FROM mz_internal.mz_source_statuses WHERE name = 's'", "running")
}

// TestErrorsAreBounded: the oldest rows of errors go, by number, size and age, are counted, and do not come back after a crash.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	m := newMachine(t, Options{TickInterval: 10 * time.Millisecond})
	cl := connect(t, m.c)
	cl.must(k.source("RETAIN ERRORS = 2"))
	for i := range 6 {
		k.write(fmt.Sprintf("bad%d", i))
		cl.soon("SELECT records_bad FROM mz_internal.mz_source_statistics WHERE name = 's'", fmt.Sprint(i+1))
	}
	cl.soon(sourceCount, "6|6|2|4")
	cl.soon(badOffsets, "4 5")
	m.crash()
	cl = connect(t, m.c)
	cl.soon(sourceCount, "6|6|2|4")
	cl.soon(badOffsets, "4 5")
	cl.notices = nil
	cl.must("SELECT * FROM s")
	if len(cl.notices) != 1 || cl.notices[0].Message != `source "s" has 6 records that could not be decoded` ||
		cl.notices[0].Hint != "SELECT * FROM s_errors shows the last 2" {
		t.Errorf("the notices are %+v", cl.notices)
	}
	cl.must("ALTER SOURCE s SET (RETAIN ERRORS = 100, RETAIN ERRORS BYTES = 800)")
	k.write(strings.Repeat("x", 300))
	cl.soon(badOffsets, "6")
	k.write("bad7", "bad8")
	cl.soon(badOffsets, "7 8")
	cl.must("ALTER SOURCE s RESET (RETAIN ERRORS, RETAIN ERRORS BYTES)")
	cl.must("ALTER SOURCE s SET (RETAIN ERRORS FOR '5 milliseconds')")
	cl.soon(sourceCount, "9|9|0|9")
	k.write(`{"a": 1}`)
	cl.soon("SELECT a FROM s", "1")
}

// TestErrorThatIsGoneIsNotMadeGood: what makes a bad value good takes back its error, unless that was let go.
func TestErrorThatIsGoneIsNotMadeGood(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must("CREATE SOURCE s (a int) FROM KAFKA BROKER '" + k.addr + "' TOPIC 't' WITH (RETAIN ERRORS = 1) KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE UPSERT")
	put := func(key, value string) {
		if err := k.w.ProduceSync(context.Background(), kgo.KeyStringRecord(key, value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	put("x", "bad")
	cl.soon(badOffsets, "0")
	put("y", "bad")
	cl.soon(badOffsets, "1")
	put("x", `{"a": 1}`)
	cl.soon("SELECT * FROM s", "x|1")
	cl.soon(badOffsets, "1")
	put("y", `{"a": 2}`)
	cl.soon("SELECT * FROM s ORDER BY a", "x|1\ny|2")
	cl.soon(badOffsets, "∅")
	cl.soon(sourceCount, "4|2|0|1")
}

// TestDeadLetterTopic: the topic is written from ALTER on, counted, and each letter once over a crash.
func TestDeadLetterTopic(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	m := newMachine(t, Options{TickInterval: 10 * time.Millisecond})
	cl := connect(t, m.c)
	cl.must(k.source(""))
	const letters = "SELECT records_bad, dead_letters FROM mz_internal.mz_source_statistics WHERE name = 's'"
	k.write("bad0", `{"a": 1}`)
	cl.soon(letters, "1|0")
	cl.must("ALTER SOURCE s SET (DEAD LETTER TOPIC = 'dead')")
	k.write("bad2", "bad3")
	cl.soon(letters, "3|2")
	m.crash()
	k.write("bad4")
	cl = connect(t, m.c)
	cl.soon(letters, "4|3")
	cl.must("ALTER SOURCE s RESET (DEAD LETTER TOPIC)")
	k.write("bad5")
	cl.soon(letters, "5|3")
	cl.must("CREATE SOURCE dead FROM KAFKA BROKER '" + k.addr + "' TOPIC 'dead' FORMAT TEXT")
	cl.soon("SELECT string_agg(text, ' ' ORDER BY text) FROM dead", "bad2 bad3 bad4")
}

// TestNoticeOfBadRecords: whoever reads a source with bad records, directly or by way of views, is told.
func TestNoticeOfBadRecords(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	k.write("bad", `{"a": 1}`)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must(k.source(""))
	cl.soon(badOffsets, "0")
	for _, statement := range []string{
		"SELECT * FROM s", "CREATE VIEW w AS SELECT a FROM s", "CREATE VIEW x AS SELECT a FROM w", "CREATE MATERIALIZED VIEW v AS SELECT a FROM x",
		"SELECT count(*) FROM v", "SELECT * FROM x", "DECLARE c CURSOR FOR SUBSCRIBE v; FETCH 1 c",
		"DECLARE c CURSOR FOR SUBSCRIBE (SELECT a + 1 FROM w); FETCH 1 c",
	} {
		cl.notices = nil
		if strings.HasPrefix(statement, "DECLARE") {
			statement = "BEGIN; " + statement + "; COMMIT"
		}
		cl.must(statement)
		told := 0
		for _, n := range cl.notices {
			if n.Message == `source "s" has 1 record that could not be decoded` {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%s: the notices are %+v", statement, cl.notices)
		}
	}
}

// TestNullField: a field that cannot be decoded is NULL, its record is a row and an error; one that must not be NULL, or cannot be taken
// apart, is an error alone.
func TestNullField(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	from := " FROM KAFKA BROKER '" + k.addr + "' TOPIC 't' "
	cl.must("CREATE SOURCE s (id int NOT NULL, a int, b date)" + from + "FORMAT JSON WITH (ON ERROR = null_field)")
	k.write(`{"id": 1, "a": "x", "b": "y"}`, `{"id": 2, "a": 5, "b": "2024-01-01"}`, `{"id": "x", "a": "y"}`, `{`)
	cl.soon(sourceCount, "4|3|3|0")
	cl.soon("SELECT * FROM s ORDER BY id", "1|∅|∅\n2|5|2024-01-01")
	cl.soon("SELECT \"offset\", error FROM s_errors ORDER BY 1 LIMIT 2",
		"0|field \"a\": invalid input syntax for type integer: \"x\"\n2|field \"id\": invalid input syntax for type integer: \"x\"")
	cl.must("ALTER SOURCE s RESET (ON ERROR)")
	k.write(`{"id": 3, "a": "x"}`)
	cl.soon(sourceCount, "5|4|4|0")
	cl.soon("SELECT count(*) FROM s", "2")
	k.write("7,z")
	cl.must("CREATE SOURCE c (a int, b int)" + from + "FORMAT CSV WITH 2 COLUMNS WITH (ON ERROR = null_field)")
	cl.soon("SELECT * FROM c WHERE a IS NOT NULL", "7|∅")
	_ = cl.fails("0A000", "CREATE SOURCE d (id int, PRIMARY KEY (id) NOT ENFORCED)"+from+"FORMAT JSON ENVELOPE DEBEZIUM WITH (ON ERROR = null_field)")
	_ = cl.fails("0A000", "CREATE SOURCE d"+from+"FORMAT TEXT WITH (ON ERROR = null_field)")
}

// TestErrorOptionRefusals: what makes no sense is refused where it stands.
func TestErrorOptionRefusals(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	cl := connect(t, start(t, quiet()))
	for options, code := range map[string]string{
		"ON ERROR = ignore": "22023", "MAX ERROR RATE = 2": "22023", "MAX ERROR RATE = 'all'": "22023", "RETAIN ERRORS = 'many'": "22023",
		"RETAIN ERRORS FOR 'long'": "22007", "DEAD LETTER TOPIC = 5": "22023", "RETAIN ERRORS BYTES = -1": "22023",
		"DEAD LETTER TOPIC = 't'": "22023",
	} {
		if err := cl.fails(code, k.source(options)); err.Position == 0 {
			t.Errorf("%s: no position in %v", options, err)
		}
	}
	cl.must("CREATE TABLE x (a int)")
	_ = cl.fails("0A000", "ALTER TABLE x SET (ON ERROR = fail)")
	cl.must(k.source(""))
	_ = cl.fails("22023", "ALTER SOURCE s SET (MAX ERROR RATE = -1)")
	_ = cl.fails("2BP01", "ALTER SOURCE s_errors SET (RETAIN ERRORS = 1)")
}
