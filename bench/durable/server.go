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
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a millrace of its own process.
type server struct {
	cmd   *exec.Cmd
	dir   string
	sql   string
	web   string
	flags []string
	db    *pgx.Conn
}

func start(ctx context.Context, o options, flags ...string) (*server, error) {
	dir, err := os.MkdirTemp(o.dir, "millrace-durable-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, flags: flags}
	if s.sql, err = freeAddress(); err != nil {
		return nil, err
	}
	if s.web, err = freeAddress(); err != nil {
		return nil, err
	}
	if err := s.run(o); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// run starts the process.
func (s *server) run(o options) error {
	args := append([]string{"serve", "--data-dir", s.dir, "--sql-listen", s.sql, "--http-listen", s.web, "--log-level", "error"}, s.flags...)
	s.cmd = exec.Command(o.binary, args...)
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	return nil
}

func (s *server) url() string {
	return "postgres://materialize@" + s.sql + "/materialize?sslmode=disable"
}

// connect connects once the server listens.
func (s *server) connect(ctx context.Context) (err error) {
	for range 200 {
		if s.db, err = pgx.Connect(ctx, s.url()); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("reach the server: %w", err)
}

// kill ends the process at once, and leaves its data.
func (s *server) kill() error {
	_ = s.db.Close(context.Background()) // the server ends anyway
	s.db = nil
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it says that it was killed
	return nil
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

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
