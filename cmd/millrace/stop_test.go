package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// actAsMain is the variable under which the binary of the tests is the command itself.
const actAsMain = "MILLRACE_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(actAsMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// waitForEnd is how long a test waits for a process.
const waitForEnd = 10 * time.Second

// process is a server of its own process.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	sql  string // address
	web  string
	done chan struct{} // closed when it has ended
	mu   sync.Mutex
	log  []string
}

func startProcess(t *testing.T, dir string, flags ...string) *process {
	t.Helper()
	p := &process{t: t, sql: freeAddr(t), web: freeAddr(t), done: make(chan struct{})}
	p.cmd = millrace(append([]string{"serve", "--data-dir", dir, "--sql-listen", p.sql, "--http-listen", p.web, "--log-format", "text"}, flags...)...)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.log = append(p.log, lines.Text())
			p.mu.Unlock()
			if strings.Contains(lines.Text(), "millrace is ready") {
				close(ready)
			}
		}
		_ = p.cmd.Wait() // its state says how it ended
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	select {
	case <-ready:
	case <-p.done:
		t.Fatalf("the server has ended:\n%s", p.logged())
	case <-time.After(20 * time.Second):
		t.Fatalf("the server is not ready:\n%s", p.logged())
	}
	return p
}

// millrace is the command under test with some arguments.
func millrace(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), actAsMain+"=1")
	return cmd
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

func (p *process) connect() *pgx.Conn {
	p.t.Helper()
	c, err := pgx.Connect(context.Background(), "postgres://materialize@"+p.sql+"/materialize?sslmode=disable")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func (p *process) must(sql string) {
	p.t.Helper()
	c := p.connect()
	if _, err := c.PgConn().Exec(p.t.Context(), sql).ReadAll(); err != nil {
		p.t.Fatal(sql, err)
	}
}

// end signals the process and waits for its end.
func (p *process) end(sig os.Signal, within time.Duration) (code int, took time.Duration) {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(within):
		p.t.Fatalf("the server runs %v after %v:\n%s", within, sig, p.logged())
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// TestStopUnderLoad: a server that is told to stop while it writes, reads and streams ends in time and in order, tells its
// clients why, and has everything it acknowledged afterwards.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, dir)
	p.must("CREATE TABLE t (worker int, n int)")
	p.must("CREATE MATERIALIZED VIEW v AS SELECT worker, count(*) AS n, sum(n) AS total FROM t GROUP BY worker")
	p.must("INSERT INTO t SELECT 100, n FROM generate_series(1, 20000) AS g (n)")
	var clients sync.WaitGroup
	var written [4]atomic.Int64
	last := make(chan error, 16)
	run := func(f func(c *pgx.Conn) error) {
		c := p.connect()
		clients.Go(func() {
			for {
				if err := f(c); err != nil {
					last <- err
					return
				}
			}
		})
	}
	for w := range written {
		run(func(c *pgx.Conn) error {
			_, err := c.Exec(context.Background(), "INSERT INTO t VALUES ("+strconv.Itoa(w)+", 1)")
			if err == nil {
				written[w].Add(1)
			}
			return err
		})
	}
	run(func(c *pgx.Conn) error { // it would take for ever
		_, err := c.Exec(context.Background(), "SELECT count(*) FROM t AS a, t AS b, t AS c WHERE a.n + b.n = c.n")
		return err
	})
	run(func(c *pgx.Conn) error {
		_, err := c.PgConn().CopyTo(context.Background(), io.Discard, "COPY (SUBSCRIBE v) TO STDOUT")
		return err
	})
	time.Sleep(700 * time.Millisecond)
	code, took := p.end(syscall.SIGTERM, waitForEnd)
	if code != 0 || took > 5*time.Second {
		t.Errorf("exit code %d after %v\n%s", code, took, p.logged())
	}
	clients.Wait()
	close(last)
	for err := range last {
		// A driver that is told between two statements closes the connection and says no more than that.
		var pg *pgconn.PgError
		between := strings.Contains(err.Error(), "conn closed")
		if !between && (!errors.As(err, &pg) || pg.Code != "57P01") {
			t.Errorf("a client was told %v", err)
		}
	}
	p = startProcess(t, dir)
	for w := range written {
		var n int64
		if err := p.connect().QueryRow(t.Context(), fmt.Sprintf("SELECT n FROM v WHERE worker = %d", w)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n < written[w].Load() || n > written[w].Load()+1 {
			t.Errorf("%d rows are there, %d were acknowledged", n, written[w].Load())
		}
	}
	if code, _ := p.end(os.Interrupt, waitForEnd); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSecondSignal: who asks twice does not wait.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir())
	c, err := net.Dial("tcp", p.web) // a request that is never complete keeps the server from its end for a while
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(p.logged(), "stopping") {
		time.Sleep(time.Millisecond)
	}
	code, took := p.end(syscall.SIGTERM, 5*time.Second)
	if code == 0 || took > 500*time.Millisecond {
		t.Errorf("exit code %d after %v\n%s", code, took, p.logged())
	}
}
