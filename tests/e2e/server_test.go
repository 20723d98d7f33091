package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a running millrace.
type server struct {
	host, port string // of SQL
	http       string // host:port
	args       []string
	cmd        *exec.Cmd
	done       chan error
	log        *syncBuffer
}

// syncBuffer collects what a process prints.
type syncBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// serve starts a millrace with an empty data folder and returns when it is ready. At the end of the test it is
// asked to stop, which it must do in good order.
func serve(t *testing.T, flags ...string) *server {
	t.Helper()
	s := newServer(t, t.TempDir(), flags...)
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	return s
}

// newServer is a millrace on a data folder, with addresses of its own, that does not run yet.
func newServer(t *testing.T, dir string, flags ...string) *server {
	t.Helper()
	sql := freeAddress(t)
	s := &server{http: freeAddress(t), done: make(chan error, 1), log: &syncBuffer{}}
	s.host, s.port, _ = net.SplitHostPort(sql)
	s.args = append([]string{"serve", "--data-dir", dir, "--sql-listen", sql, "--http-listen", s.http}, flags...)
	return s
}

// begin starts the process.
func (s *server) begin(t *testing.T) {
	t.Helper()
	binary, err := filepath.Abs("../../bin/millrace")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("bin/millrace is missing, make build: %v", err)
	}
	s.cmd = exec.Command(binary, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the parent whose death counts is the thread
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.done <- s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}

// ready is nil when the server and all that runs in it is ready.
func (s *server) ready() error {
	resp, err := http.Get("http://" + s.http + "/readyz")
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("/readyz answers %s: %s", resp.Status, text)
	}
	return errors.Join(err, resp.Body.Close())
}

// kill ends the process as nothing can keep it from, and waits for its end.
func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	<-s.done
}

// stop asks the server to stop, which takes 5 s at most, and shows its log if the test failed.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop server: %v", err)
	}
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("the server ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the server did not stop within 5 s")
		if err := s.cmd.Process.Kill(); err != nil {
			t.Errorf("kill server: %v", err)
		}
		<-s.done
	}
	log := s.log.String()
	for _, bad := range []string{"panic:", "internal error", "DATA RACE"} {
		if strings.Contains(log, bad) {
			t.Errorf("the server's log holds %q", bad)
		}
	}
	if t.Failed() {
		t.Logf("server log:\n%s", log)
	}
}

// url is how libpq and pgx reach the server.
func (s *server) url() string {
	return fmt.Sprintf("postgres://materialize@%s:%s/materialize?sslmode=disable", s.host, s.port)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}
