package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines takes what is printed.
type lines struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write takes bytes.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestTail prints a table and its changes in each format, until it is told to stop.
func TestTail(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir())
	c := &config{SQLListen: p.sql, HTTPListen: p.web}
	conn, err := c.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	run := func(sql string) {
		if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE TABLE "T" (a int, b text); INSERT INTO "T" VALUES (1, 'x')`)
	const view = "public.T"
	for _, f := range []struct{ format, first, second string }{
		{"json", `"mz_diff":1,"a":1,"b":"x"}`, `"mz_diff":-1,"a":1,"b":"x"}`}, {"csv", ",1,1,x\n", ",-1,1,x\n"}, {"text", "\t1\t1\tx\n", "\t-1\t1\tx\n"},
	} {
		ctx, stop := context.WithCancel(t.Context())
		out := &lines{}
		var wait sync.WaitGroup
		wait.Go(func() {
			if f.format == "json" {
				_ = c.tailLines(ctx, out, view, true) // it ends because it is stopped
			} else {
				_ = c.tailCopy(ctx, out, view, f.format, true)
			}
		})
		comes := func(text string) {
			for until := time.Now().Add(20 * time.Second); !strings.Contains(out.all(), text); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(until) {
					t.Fatalf("%s: %q does not come, but %q", f.format, text, out.all())
				}
			}
		}
		comes(f.first)
		run(`DELETE FROM "T"`)
		comes(f.second)
		run(`INSERT INTO "T" VALUES (1, 'x')`)
		stop()
		wait.Wait()
	}
	err = c.tailLines(t.Context(), &lines{}, "nope", true)
	if err == nil || !strings.Contains(err.Error(), `relation "nope" does not exist`) {
		t.Errorf("what is not there: %v", err)
	}
}

// TestNoServer: commands that ask a server say where they looked for it, and which flag names another.
func TestNoServer(t *testing.T) {
	t.Parallel()
	c := config{HTTPListen: "127.0.0.1:1"}
	err := c.tailLines(t.Context(), io.Discard, "v", true)
	if want := "no server answers at http://127.0.0.1:1: "; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "--http-listen") {
		t.Errorf("the error is %v", err)
	}
}
