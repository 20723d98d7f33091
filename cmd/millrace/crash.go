package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/coord"
	"millrace/internal/clock"
)

// maxCrashes is how many reports one process writes: a bug that comes back every tick must not fill the disk.
const maxCrashes = 10

// lastWords is the file that the runtime writes to when the process dies of a panic.
const lastWords = "last-words"

// crashes writes reports of bugs to the data directory: what ran, where, and the names of what is there. No report holds values
// of rows or secrets, so what a panic says is left out, unless it is an error of the runtime.
type crashes struct {
	dir   string // "" when nothing is kept
	log   *slog.Logger
	coord atomic.Pointer[coord.Coordinator]

	mu   sync.Mutex // guards all below
	n    int
	last *os.File
}

// watchCrashes reports how the last process on the data directory ended, if that was a panic, and takes note of the end of
// this one.
func watchCrashes(dir string, log *slog.Logger) *crashes {
	c := &crashes{dir: dir, log: log}
	if dir == "" {
		return c
	}
	name := filepath.Join(dir, lastWords)
	if b, err := os.ReadFile(name); err == nil && len(bytes.TrimSpace(b)) > 0 {
		c.write("the process before ended by a panic", discreet(b))
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err == nil {
		c.last = f
		err = debug.SetCrashOutput(f, debug.CrashOptions{})
	}
	if err != nil {
		log.Warn("a panic of the process will not be kept", "err", err)
	}
	return c
}

// close says that the process ends in order.
func (c *crashes) close() {
	if c.last == nil {
		return
	}
	_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
	_ = c.last.Close()
	_ = os.Remove(filepath.Join(c.dir, lastWords))
}

// report writes a report of a bug that the server has caught.
func (c *crashes) report(what string, value any, stack []byte) {
	why := fmt.Sprintf("a %T", value)
	var bug runtime.Error
	if err, ok := value.(error); ok && errors.As(err, &bug) {
		why = bug.Error()
	}
	c.write("a bug ended "+what, []byte(why+"\n\n"+string(discreet(stack))))
}

// discreet is the output of a panic without what the panic says, for that may be of a row.
func discreet(b []byte) []byte {
	var out []byte
	silent := false
	for line := range bytes.Lines(b) {
		switch {
		case bytes.HasPrefix(line, []byte("goroutine ")):
			silent = false
		case bytes.HasPrefix(line, []byte("panic: ")), bytes.HasPrefix(line, []byte("\tpanic: ")), bytes.HasPrefix(line, []byte("fatal error: ")):
			silent = !bytes.Contains(line, []byte("runtime error: ")) && !bytes.HasPrefix(line, []byte("fatal error: "))
			if silent {
				out = append(out, "panic: (what it said is left out)\n"...)
			}
		}
		if !silent {
			out = append(out, line...)
		}
	}
	return out
}

func (c *crashes) write(what string, stack []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.dir == "" || c.n > maxCrashes {
		return
	}
	now := clock.System{}.Now().UTC()
	var b strings.Builder
	fmt.Fprintf(&b, "millrace %s, %s, %s\n%s\n\n", version, runtime.Version(), now.Format("2006-01-02 15:04:05 MST"), what)
	c.state(&b)
	fmt.Fprintf(&b, "\n%s", stack)
	name := filepath.Join(c.dir, fmt.Sprintf("crash-%s-%d.txt", now.Format("20060102T150405"), c.n))
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		c.log.Error("a report of a bug cannot be written", "err", err)
		return
	}
	c.log.Error("a report of a bug was written; it holds no rows and no secrets: please send it", "file", name)
}

// state is what the server was like. It asks nothing that could wait.
func (c *crashes) state(b *strings.Builder) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(b, "goroutines %d, heap %d MiB, from the system %d MiB, collections %d\n", runtime.NumGoroutine(), m.HeapAlloc>>20, m.Sys>>20, m.NumGC)
	co := c.coord.Load()
	if co == nil {
		return
	}
	st := co.Counters()
	fmt.Fprintf(b, "ticks %d, queries %d, sessions %d\nobjects:\n", st.Ticks.Load(), st.Queries.Load(), st.Sessions.Load())
	for _, it := range co.Catalog().Items() {
		if it.OID >= firstUserOID {
			fmt.Fprintf(b, "  %s %s\n", it.Kind, it.FullName())
		}
	}
}

// firstUserOID is where the oids of what users made begin.
const firstUserOID = 16384
