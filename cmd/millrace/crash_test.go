package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"millrace/coord"
)

// TestCrashReport: a report says what was there and where it happened, and nothing of what the panic said.
func TestCrashReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const words = "panic: the row (4711, secret)\nwith more of 4711\n\ngoroutine 7 [running]:\nmain.f()\n\t/x.go:3\n"
	if err := os.WriteFile(filepath.Join(dir, lastWords), []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	c := watchCrashes(dir, slog.New(slog.DiscardHandler))
	co := coord.New(coord.Options{})
	defer co.Close()
	c.coord.Store(co)
	func() {
		defer func() { c.report("a command", recover(), debug.Stack()) }()
		panic(errors.New("the row (4711, secret)"))
	}()
	func() {
		defer func() { c.report("a tick", recover(), debug.Stack()) }()
		var none []int
		_ = none[len(dir)]
	}()
	for range 2 * maxCrashes {
		c.report("much", "4711", nil)
	}
	c.close()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != maxCrashes {
		t.Fatalf("files: %v, %v", files, err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, want := range []string{"millrace " + version, "ended by a panic", "main.f()", "a bug ended a command", "a *errors.errorString", "index out of range",
		"TestCrashReport", "ticks "} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no report has %q", want)
		}
	}
	if strings.Contains(all.String(), "4711") || strings.Contains(all.String(), "secret") {
		t.Errorf("a report has what a panic said:\n%s", all.String())
	}
}
