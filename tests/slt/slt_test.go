package slt

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/coord"
	"millrace/internal/golden"
	"millrace/tests/inside"
	"millrace/tests/twin"
)

var (
	pg       = flag.String("pg", "", "URL of a PostgreSQL 15 to check the files against")
	postgres = twin.Postgres{BasePort: 24620}
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if err := postgres.Down(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// files are the scripts beside this test, and those that were found.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.slt", "found/*.slt"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, paths...)
	}
	if len(all) == 0 {
		t.Fatal("no scripts")
	}
	return all
}

// each runs every file as a parallel test.
func each(t *testing.T, run func(t *testing.T, f *File)) {
	t.Helper()
	for _, path := range files(t) {
		t.Run(strings.TrimSuffix(path, ".slt"), func(t *testing.T) {
			t.Parallel()
			f, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			run(t, f)
		})
	}
}

// Every file runs as it stands.
func TestFiles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *File) { fresh(t, f, 1, Options{Engine: Millrace}) })
}

// Every query is kept as a view that was there before the rows, and says the same.
func TestFilesAsViews(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *File) { t.Log(fresh(t, f, 2, Options{Engine: Millrace, Views: true})) })
}

// fresh runs a file on a server of its own.
func fresh(t *testing.T, f *File, workers int, opts Options) *Result {
	t.Helper()
	return run(t, server(t, workers), f, opts)
}

// server is a connection to a new server, which lasts as long as the test.
func server(t *testing.T, workers int) *inside.Conn {
	t.Helper()
	s, err := inside.Serve(coord.Options{Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func run(t *testing.T, conn *inside.Conn, f *File, opts Options) *Result {
	t.Helper()
	result, err := Run(t.Context(), conn, f, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range result.Failures {
		t.Error(failure)
	}
	return result
}

// What the files say is what PostgreSQL says. With GOLDEN=update its answers are written into them.
func TestFilesAreTrue(t *testing.T) {
	url := *pg
	if url == "" {
		url = postgres.URL(t)
	}
	for _, path := range files(t) {
		t.Run(strings.TrimSuffix(path, ".slt"), func(t *testing.T) {
			f, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			result := run(t, inSchema(t, url), f, Options{Engine: PostgreSQL, Accept: golden.Updating()})
			if golden.Updating() && !t.Failed() {
				if err := os.WriteFile(path, []byte(result.Text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// inSchema is a connection to PostgreSQL with an empty schema.
func inSchema(t *testing.T, url string) *inside.Conn {
	t.Helper()
	conn, err := inside.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const setup = "SET client_min_messages = error; DROP SCHEMA IF EXISTS slt CASCADE; CREATE SCHEMA slt; SET search_path = slt, public; SET timezone = 'UTC'"
	if a, err := conn.Ask(context.Background(), setup); err != nil || a.Err != nil {
		t.Fatal(err, a)
	}
	return conn
}
