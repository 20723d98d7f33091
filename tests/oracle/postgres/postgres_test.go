package postgres

import (
	"os"
	"strconv"
	"testing"
	"time"

	"millrace/tests/twin"
)

var server = twin.Postgres{BasePort: 24600}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := server.Down(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// worlds are asked when no time is given: 600 queries with 5 batches each.
const worlds = 20

// parameter is a number from the environment.
func parameter(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestRandom asks random queries of both sides: the worlds of ORACLE_SEED and on, for ORACLE_TIME or ORACLE_WORLDS.
func TestRandom(t *testing.T) {
	url := os.Getenv("MILLRACE_POSTGRES")
	if url == "" {
		url = server.URL(t)
	}
	o := New(Options{PostgreSQL: url, Schema: "random_" + strconv.Itoa(os.Getpid()), Keep: "../../slt/found"})
	defer func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}()
	first, count := parameter(t, "ORACLE_SEED", 1), parameter(t, "ORACLE_WORLDS", worlds)
	var until time.Time
	if text := os.Getenv("ORACLE_TIME"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		until = time.Now().Add(d)
	}
	seed := first
	for ; until.IsZero() && seed < first+count || time.Now().Before(until); seed++ {
		faults, err := o.Check(t.Context(), seed)
		for _, f := range faults {
			t.Errorf("seed %d, query %d, %s\n%s\nkept in %q", f.Seed, f.Query, f.What, f.SQL, f.File)
		}
		if err != nil {
			t.Error(err)
		}
		if seed%50 == 49 { // so that hours can be watched, and are not lost when they are cut off
			t.Logf("so far, seeds %d to %d: %s", first, seed, o.Report)
		}
	}
	t.Logf("seeds %d to %d: %s", first, seed-1, o.Report)
	if r := o.Report; r.Right*10 < r.Queries*8 {
		t.Errorf("only %d of %d queries were compared and right: what is left says little", r.Right, r.Queries)
	}
}
