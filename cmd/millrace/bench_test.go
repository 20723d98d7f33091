package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"millrace/bench"
	"millrace/bench/events"
	"millrace/bench/generate"
)

// benchFiles writes a small event file of each kind.
func benchFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, write := range map[string]func(io.Writer) error{
		"nexmark": func(w io.Writer) error { return generate.Nexmark(w, 20_000) },
		"kv":      func(w io.Writer) error { return generate.KV(w, 8000, 500) },
		"join2": func(w io.Writer) error {
			return generate.Join2(w, generate.Join2Sizes{Left: 300, Right: 1500, LeftUpdates: 300, RightUpdates: 900})
		},
		"q3": func(w io.Writer) error { return generate.Q3(w, 2, 10) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".bin"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Every benchmark query can be planned, and comes to the same answer whether its input comes in small steps or all at
// once, with one worker or three.
func TestBenchQueriesDoNotDependOnTheWay(t *testing.T) {
	t.Parallel()
	dir := benchFiles(t)
	for _, q := range bench.Queries {
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			once := checkOf(t, q, dir, 1<<20, 1)
			if once.Rows == 0 && q.Name != "q2" {
				t.Errorf("no rows come out")
			}
			for _, way := range []struct{ batch, workers int }{{117, 1}, {2500, 3}} {
				got := checkOf(t, q, dir, way.batch, way.workers)
				if got.Rows != once.Rows || got.Sum != once.Sum {
					t.Errorf("batches of %d with %d workers: %s, at once: %s", way.batch, way.workers, got.String(), once.String())
				}
			}
		})
	}
}

func checkOf(t *testing.T, q bench.Query, dir string, batch, workers int) events.Check {
	t.Helper()
	f, err := events.Open(filepath.Join(dir, q.File+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := &benchRun{query: q, file: f, batch: batch}
	if err := r.plan(workers); err != nil {
		t.Fatal(err)
	}
	defer r.flow.Close()
	if err := r.run(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return r.check
}
