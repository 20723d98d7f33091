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
	cmd *exec.Cmd
	dir string
	url string
	db  *pgx.Conn
}

func start(ctx context.Context, o options, flags ...string) (*server, error) {
	dir, err := os.MkdirTemp(o.dir, "millrace-durable-")
	if err != nil {
		return nil, err
	}
	sql, err := freeAddress()
	if err != nil {
		return nil, err
	}
	web, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--data-dir", dir, "--sql-listen", sql, "--http-listen", web, "--log-level", "error"}, flags...)
	s := &server{cmd: exec.Command(o.binary, args...), dir: dir, url: "postgres://materialize@" + sql + "/materialize?sslmode=disable"}
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	for range 200 {
		if s.db, err = pgx.Connect(ctx, s.url); err == nil {
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("reach the server: %w", err), s.stop())
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
