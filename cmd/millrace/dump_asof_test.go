package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDumpAsOf: a dump as of a time has the rows of then, also after a restart; of a time that is not kept there is none.
func TestDumpAsOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, dir)
	p.must("CREATE TABLE kept (a int) WITH (RETAIN HISTORY FOR '1 hour')")
	p.must("CREATE TABLE also (a int) WITH (RETAIN HISTORY FOR '1 hour')")
	p.must("INSERT INTO kept VALUES (1), (2)")
	var at int64
	if err := p.connect().QueryRow(t.Context(), "SELECT (extract(epoch FROM mz_now()) * 1000)::int8 FROM kept LIMIT 1").Scan(&at); err != nil {
		t.Fatal(err)
	}
	then := run(t, "dump", "--sql-listen", p.sql, "--as-of", fmt.Sprint(at))
	p.must("INSERT INTO kept VALUES (3)")
	p.must("DELETE FROM kept WHERE a = 1")
	p.must("INSERT INTO also VALUES (4)")
	for range 2 {
		if got := run(t, "dump", "--sql-listen", p.sql, "--as-of", fmt.Sprint(at)); got != then || !strings.Contains(got, "\n1\n2\n") || strings.Contains(got, "\n4\n") {
			t.Errorf("as of %d:\n%s\nwant\n%s", at, got, then)
		}
		if got := run(t, "dump", "--sql-listen", p.sql); !strings.Contains(got, "\n2\n3\n") || !strings.Contains(got, "\n4\n") || !strings.Contains(got, "RETAIN HISTORY FOR '1 hour'") {
			t.Errorf("now:\n%s", got)
		}
		out, err := millrace("dump", "--sql-listen", p.sql, "--as-of", "5").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "not readable at that time") {
			t.Errorf("as of 1970: %v, %s", err, out)
		}
		if code, _ := p.end(os.Interrupt, waitForEnd); code != 0 {
			t.Errorf("exit code %d", code)
		}
		p = startProcess(t, dir)
	}
}
