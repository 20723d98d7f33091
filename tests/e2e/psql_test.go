package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/internal/golden"
)

// psqlCommand is psql as a person starts it, with plain output.
func (s *server) psqlCommand(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"-X", "-A", "-U", "materialize", "-h", s.host, "-p", s.port, "materialize"}, args...)
	return exec.CommandContext(ctx, "psql", args...)
}

// psql runs one statement and returns the rows it prints, and what it says on standard error.
func (s *server) psql(t *testing.T, statement string) (rows, notices string, err error) {
	t.Helper()
	return s.psqlWith(t, strings.NewReader(""), "-t", "-q", "-c", statement)
}

func (s *server) psqlWith(t *testing.T, input *strings.Reader, args ...string) (out, errOut string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := s.psqlCommand(ctx, args...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &stdout, &stderr
	err = cmd.Run()
	return strings.TrimRight(stdout.String(), "\n"), strings.TrimRight(stderr.String(), "\n"), err
}

// must runs one statement that succeeds and returns its rows.
func (s *server) must(t *testing.T, statement string) string {
	t.Helper()
	rows, notices, err := s.psql(t, statement)
	if err != nil {
		t.Fatalf("%s\n%v: %s", statement, err, notices)
	}
	return rows
}

// wait waits until a query answers with rows.
func (s *server) wait(t *testing.T, query, rows string) {
	t.Helper()
	eventually(t, 30*time.Second, query, func() error {
		if got := s.must(t, query); got != rows {
			return fmt.Errorf("got %q, want %q", got, rows)
		}
		return nil
	})
}

// stream is a psql that runs a statement without end.
type stream struct {
	lines chan string
}

// stream starts a statement whose output is read line by line until the test ends.
func (s *server) stream(t *testing.T, statement string) *stream {
	t.Helper()
	cmd := s.psqlCommand(t.Context(), "-t", "-q", "-c", statement)
	cmd.Args = append([]string{"stdbuf", "-oL"}, cmd.Args...) // or psql would keep lines back to fill its buffer
	path, err := exec.LookPath("stdbuf")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = path
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	st := &stream{lines: make(chan string, 10_000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(st.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			st.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		<-read
		if err := cmd.Wait(); err == nil {
			t.Errorf("%s ended by itself", statement)
		} else if said := stderr.String(); !errors.Is(err, context.Canceled) && !strings.Contains(said, "cancel") && !strings.Contains(said, "was dropped") {
			t.Errorf("%s: %v: %s", statement, err, stderr.String())
		}
	})
	return st
}

// change is a line of a subscription with PROGRESS.
type change struct {
	time     string
	progress bool
	diff     string
	row      string
}

// next is the next line of a subscription.
func (st *stream) next(t *testing.T) change {
	t.Helper()
	select {
	case line, ok := <-st.lines:
		fields := strings.SplitN(line, "\t", 4)
		if !ok || len(fields) < 4 {
			t.Fatalf("the subscription ended, or printed %q", line)
		}
		return change{fields[0], fields[1] == "t", fields[2], fields[3]}
	case <-time.After(30 * time.Second):
		t.Fatal("the subscription says nothing for 30 s, not even progress")
	}
	return change{}
}

// complete reads until the first changes are complete, which a later progress line tells, and returns them.
func (st *stream) complete(t *testing.T) []change {
	t.Helper()
	var got []change
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		c := st.next(t)
		switch {
		case !c.progress:
			got = append(got, c)
		case len(got) > 0:
			return got
		}
	}
	t.Fatalf("no complete change within 30 s, got %v", got)
	return nil
}

// TestBackslashCommands holds what psql shows about objects to the golden file: each case is a script for psql, and
// the answer all it prints. It starts psql once a case, on one server.
func TestBackslashCommands(t *testing.T) {
	need(t)
	s := serve(t)
	golden.Run(t, "testdata/psql", func(t *testing.T, c golden.Case) string {
		var args []string
		for _, a := range c.Args {
			args = append(args, a.Key)
		}
		out, errOut, _ := s.psqlWith(t, strings.NewReader(c.Input+"\n"), args...)
		return strings.TrimLeft(out+"\n"+errOut, "\n")
	})
}
