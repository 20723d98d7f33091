package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a millrace of its own process.
type server struct {
	cmd      *exec.Cmd
	dir      string
	sql, web string // addresses
	db       *pgx.Conn
}

func start(ctx context.Context, o options) (*server, error) {
	dir, err := os.MkdirTemp("", "millrace-fanout-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	for _, addr := range []*string{&s.sql, &s.web} {
		if *addr, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	s.cmd = exec.Command(o.binary, "serve", "--data-dir", dir, "--sql-listen", s.sql, "--http-listen", s.web, "--log-level", "error")
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	for range 200 {
		if s.db, err = pgx.Connect(ctx, s.url()); err == nil {
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("reach the server: %w", err), s.stop())
}

func (s *server) url() string {
	return "postgres://materialize@" + s.sql + "/materialize?sslmode=disable"
}

func (s *server) stop() error {
	if s.db != nil {
		_ = s.db.Close(context.Background()) // the server ends anyway
	}
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		err = s.cmd.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// writers are the connections that send updates.
const writers = 8

// load sends updates at the rate, from several connections.
func (s *server) load(ctx context.Context, o options) error {
	errs := make([]error, writers)
	began := time.Now()
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() { errs[w] = s.write(ctx, o, w, began) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (s *server) write(ctx context.Context, o options, w int, began time.Time) error {
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for i := w; i < o.rate*o.seconds; i += writers {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(o.rate))))
		if _, err := conn.Exec(ctx, "INSERT INTO events VALUES ($1, $2)", time.Now().UnixMicro(), i%100); err != nil {
			return err
		}
	}
	return nil
}

// clockTicks is how many ticks of the kernel's accounts make a second, on every Linux there is.
const clockTicks = 100

// cpu is the processor time that the server has used, in the kernel for it too.
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(after)
	if len(f) < 13 {
		return 0, errors.New("the kernel's account of the server does not parse")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicks, errors.Join(err1, err2)
}

// memory is what the server has of it, in bytes.
func (s *server) memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0, errors.New("the kernel's account of memory does not parse")
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
