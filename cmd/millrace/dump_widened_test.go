package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker/brokertest"
)

// TestDumpOfAddedColumns: a view over a column that came later than the statement of its source finds it is restored.
func TestDumpOfAddedColumns(t *testing.T) {
	t.Parallel()
	fake := brokertest.New(t, kfake.SeedTopics(1, "t"))
	addr := fake.ListenAddrs()[0]
	w := brokertest.Client(t, addr, kgo.DefaultProduceTopic("t"))
	records := make([]*kgo.Record, 1200) // more than are looked at
	for i := range records {
		records[i] = kgo.StringRecord(fmt.Sprintf(`{"a": %d}`, i))
	}
	records[len(records)-1] = kgo.StringRecord(`{"a": 0, "late": "x"}`)
	if err := w.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := startProcess(t, filepath.Join(dir, "first"))
	p.must("CREATE SOURCE \"S\" FROM KAFKA BROKER '" + addr + "' TOPIC 't' FORMAT JSON (INFER)")
	p.must("ALTER SOURCE \"S\" ADD MISSING COLUMNS") // it waits until all is read
	p.must("CREATE MATERIALIZED VIEW v AS SELECT late, count(*) AS n FROM \"S\" GROUP BY late")
	text := run(t, "dump", "--schema-only", "--sql-listen", p.sql)
	file := filepath.Join(dir, "dump.sql")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	q := startProcess(t, filepath.Join(dir, "second"))
	run(t, "restore", "--sql-listen", q.sql, file)
	var n int
	if err := q.connect().QueryRow(t.Context(), "SELECT n FROM v WHERE late = 'x'").Scan(&n); err != nil || n != 1 {
		t.Errorf("the view that was restored has %d rows of the field that came late: %v", n, err)
	}
	if again := run(t, "dump", "--schema-only", "--sql-listen", q.sql); again != text {
		t.Errorf("the dump of what was restored is\n%s\nnot\n%s", again, text)
	}
}
