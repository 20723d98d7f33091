package coord

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const sourceLetters = "SELECT records_bad, dead_letters FROM mz_internal.mz_source_statistics WHERE name = 's'"

// TestDeadLettersOfFiles: bad lines go to the topic as they are, with where they stood, once over crashes, also those of a file that was
// found just before.
func TestDeadLettersOfFiles(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	f := newFileShelf(t)
	cl := connect(t, f.c)
	cl.must("CREATE CONNECTION k TO KAFKA (BROKER '" + k.addr + "')")
	f.write("a.json", "{\"n\": 1}\nbad one\n{\"n\": 2}\n")
	cl.must("CREATE SOURCE s (n int) FROM FILE '*.json' WITH (tail = true) FORMAT JSON WITH (DEAD LETTER TOPIC = 'dead', DEAD LETTER CONNECTION = k)")
	comesTo(t, cl, sourceLetters, "1|1")
	cl.must("CREATE SOURCE dead FROM KAFKA CONNECTION k (TOPIC 'dead') FORMAT TEXT INCLUDE HEADER 'millrace.source' AS source, " +
		"HEADER 'millrace.file' AS file, HEADER 'millrace.line' AS line, HEADER 'millrace.offset' AS at, HEADER 'millrace.error_code' AS code")
	comesTo(t, cl, "SELECT text, source, file, line, at, code FROM dead", "bad one|s|a.json|2|9|22P02")
	for round := range 4 {
		f.add("a.json", fmt.Sprintf("bad %d\n", round))
		f.write(fmt.Sprintf("b%d.json", round), fmt.Sprintf("{\"n\": 3%d}\nworse\n", round))
		if round%2 == 0 {
			comesTo(t, cl, "SELECT sum(n) >= 3 FROM s", "t")
		}
		f.crash()
		cl = connect(t, f.c)
		comesTo(t, cl, "SELECT count(*) FROM s_errors", fmt.Sprint(3+2*round))
	}
	f.add("a.json", "last\n")
	comesTo(t, cl, "SELECT count(*), count(DISTINCT text) FROM dead", "10|7")
	comesTo(t, cl, "SELECT text FROM dead GROUP BY text HAVING count(*) <> 1", "worse")
}

// TestDeadLetterConnection: what is said of the connection holds: it is altered, shown, taken away, and comes back with a restart.
func TestDeadLetterConnection(t *testing.T) {
	t.Parallel()
	k, other := newSpoiled(t), newSpoiled(t)
	f := newFileShelf(t)
	cl := connect(t, f.c)
	f.write("a.txt", "\xff0\n")
	cl.must("CREATE SOURCE s FROM FILE 'a.txt' WITH (tail = true) FORMAT TEXT")
	comesTo(t, cl, sourceLetters, "1|0")
	cl.must("CREATE CONNECTION k TO KAFKA (BROKER '" + k.addr + "')")
	cl.must("CREATE CONNECTION pg TO POSTGRES (HOST 'localhost', USER 'u') WITH (VALIDATE = false)")
	for _, test := range []struct{ options, code, says string }{
		{"SET (DEAD LETTER TOPIC = 'dead')", "22023", "needs a DEAD LETTER CONNECTION"},
		{"SET (DEAD LETTER CONNECTION = k)", "22023", "goes with DEAD LETTER TOPIC"},
		{"SET (DEAD LETTER TOPIC = 'dead', DEAD LETTER CONNECTION = pg)", "42809", "is to POSTGRES"},
		{"SET (DEAD LETTER TOPIC = 'dead', DEAD LETTER CONNECTION = nope)", "42704", "does not exist"},
		{"SET (DEAD LETTER TOPIC = 'dead', DEAD LETTER CONNECTION = 'k')", "22023", "is the name of a connection"},
	} {
		if err := cl.fails(test.code, "ALTER SOURCE s "+test.options); !strings.Contains(err.Message, test.says) || err.Position == 0 {
			t.Errorf("%s: %v at %d", test.options, err, err.Position)
		}
	}
	cl.must("ALTER SOURCE s SET (DEAD LETTER TOPIC 'dead', DEAD LETTER CONNECTION k)")
	if text := cl.one("SHOW CREATE SOURCE s"); !strings.Contains(text, "DEAD LETTER TOPIC = 'dead', DEAD LETTER CONNECTION = k") {
		t.Errorf("the source is shown as %s", text)
	}
	same(t, "the order of a dump", cl.must("SELECT string_agg(name, ' ' ORDER BY position) FROM mz_internal.mz_definitions WHERE name IN ('s', 'k')"), "k s")
	f.add("a.txt", "\xff1\n")
	comesTo(t, cl, sourceLetters, "2|1")
	f.crash()
	cl = connect(t, f.c)
	_ = cl.fails("2BP01", "DROP CONNECTION k")
	f.add("a.txt", "\xff2\n")
	comesTo(t, cl, sourceLetters, "3|2")
	cl.must("ALTER CONNECTION k SET (BROKER '" + other.addr + "')")
	f.add("a.txt", "\xff3\n")
	comesTo(t, cl, sourceLetters, "4|3")
	cl.must("ALTER SOURCE s RESET (DEAD LETTER TOPIC, DEAD LETTER CONNECTION)")
	f.add("a.txt", "\xff4\n")
	comesTo(t, cl, sourceLetters, "5|3")
	cl.must("CREATE SOURCE there FROM KAFKA BROKER '" + k.addr + "' TOPIC 'dead' FORMAT BYTES")
	comesTo(t, cl, "SELECT string_agg(data::text, ' ' ORDER BY data) FROM there", `\xff31 \xff32`)
	cl.must("CREATE SOURCE here FROM KAFKA CONNECTION k (TOPIC 'dead') FORMAT BYTES")
	comesTo(t, cl, "SELECT string_agg(data::text, ' ' ORDER BY data) FROM here", `\xff33`)
	cl.must("DROP SOURCE here")
	cl.must("DROP CONNECTION k")
}

// TestDeadLettersElsewhere: a source of Kafka writes them by another connection than it reads by.
func TestDeadLettersElsewhere(t *testing.T) {
	t.Parallel()
	k, other := newSpoiled(t), newSpoiled(t)
	cl := connect(t, start(t, Options{TickInterval: 10 * time.Millisecond}))
	cl.must("CREATE CONNECTION o TO KAFKA (BROKER '" + other.addr + "')")
	cl.must(k.source("DEAD LETTER TOPIC = 'dead', DEAD LETTER CONNECTION = o"))
	k.write("bad", `{"a": 1}`)
	cl.soon(sourceLetters, "1|1")
	cl.must("CREATE SOURCE there FROM KAFKA CONNECTION o (TOPIC 'dead') FORMAT TEXT")
	cl.soon("SELECT text FROM there", "bad")
	cl.must("ALTER SOURCE s RESET (DEAD LETTER CONNECTION)")
	k.write("worse")
	cl.soon(sourceLetters, "2|2")
	cl.must("CREATE SOURCE here FROM KAFKA BROKER '" + k.addr + "' TOPIC 'dead' FORMAT TEXT")
	cl.soon("SELECT text FROM here", "worse")
}

// TestDeadLettersOfAStop: a source that stops in front of a bad line writes it when it is let go on, by what is said of it then.
func TestDeadLettersOfAStop(t *testing.T) {
	t.Parallel()
	k := newSpoiled(t)
	f := newFileShelf(t)
	cl := connect(t, f.c)
	cl.must("CREATE CONNECTION k TO KAFKA (BROKER '" + k.addr + "')")
	f.write("a.json", "1\nbad\n2\n")
	cl.must("CREATE SOURCE s FROM FILE 'a.json' WITH (tail = true) FORMAT JSON WITH (ON ERROR = fail)")
	const status = "SELECT status FROM mz_internal.mz_source_statuses WHERE name = 's'"
	comesTo(t, cl, status, "failed")
	cl.must("ALTER SOURCE s SET (ON ERROR = quarantine, DEAD LETTER TOPIC = 'dead', DEAD LETTER CONNECTION = k)")
	comesTo(t, cl, sourceLetters, "1|1")
	cl.must("ALTER SOURCE s SET (ON ERROR = fail, DEAD LETTER TOPIC = 'later')")
	f.add("a.json", "worse\n3\n")
	comesTo(t, cl, status, "failed")
	if err := cl.fails("42704", "CREATE SOURCE dead FROM KAFKA CONNECTION k (TOPIC 'later') FORMAT TEXT"); !strings.Contains(err.Message, "does not exist") {
		t.Error(err)
	}
	f.crash()
	cl = connect(t, f.c)
	comesTo(t, cl, status, "failed")
	cl.must("ALTER SOURCE s RESET (ON ERROR)")
	comesTo(t, cl, sourceLetters, "2|2")
	cl.must("CREATE SOURCE dead FROM KAFKA CONNECTION k (TOPIC 'later') FORMAT TEXT")
	comesTo(t, cl, "SELECT text FROM dead", "worse")
}
