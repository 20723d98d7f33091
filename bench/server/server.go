// Package server runs a millrace of its own process for a benchmark, on a data directory that goes with it, and says what of the
// machine a process takes. Start reading at Start.
package server

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

// Server is a running millrace.
type Server struct {
	SQL, Web string    // addresses
	DB       *pgx.Conn // a session
	Dir      string    // the data directory

	binary string
	flags  []string
	cmd    *exec.Cmd
}

// Start runs a binary on a new data directory in a folder, that for temporary files when it is empty, and returns when it takes
// statements.
func Start(ctx context.Context, binary, folder string, flags ...string) (*Server, error) {
	dir, err := os.MkdirTemp(folder, "millrace-bench-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, binary: binary, flags: flags}
	for _, addr := range []*string{&s.SQL, &s.Web} {
		if *addr, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if err := s.Run(); err != nil {
		return nil, err
	}
	if err := s.Connect(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Run starts the process, on the data that there are.
func (s *Server) Run() error {
	args := append([]string{"serve", "--data-dir", s.Dir, "--sql-listen", s.SQL, "--http-listen", s.Web, "--log-level", "error"}, s.flags...)
	s.cmd = exec.Command(s.binary, args...)
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	return nil
}

// Connect makes the session, as soon as the server listens.
func (s *Server) Connect(ctx context.Context) (err error) {
	for range 200 {
		if s.DB, err = pgx.Connect(ctx, s.URL()); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("reach the server: %w", err)
}

// URL is how clients reach the server.
func (s *Server) URL() string {
	return "postgres://materialize@" + s.SQL + "/materialize?sslmode=disable"
}

// PID is the number of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the server at once, and leaves its data.
func (s *Server) Kill() error {
	_ = s.DB.Close(context.Background()) // the server ends anyway
	s.DB = nil
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it says that it was killed
	return nil
}

// Stop ends the server in good order and removes its data.
func (s *Server) Stop() error {
	if s.DB != nil {
		_ = s.DB.Close(context.Background()) // the server ends anyway
	}
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		err = s.cmd.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

// clockTicks is how many ticks of the kernel's accounts make a second, on every Linux there is.
const clockTicks = 100

// Processor is the processor time that a process and all that it started have used, in the kernel for them too.
func Processor(pid int) (time.Duration, error) {
	own, err := accountOf(pid)
	if err != nil {
		return 0, err
	}
	ticks := own.ticks + own.waited
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if a, err := accountOf(child); err == nil && a.parent == pid { // one that has ended meanwhile is in the parent's account
			ticks += a.ticks + a.waited
		}
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// account is the kernel's account of a process, in ticks.
type account struct {
	parent int
	ticks  int64
	waited int64 // of its children that have ended
}

func accountOf(pid int) (a account, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return a, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(after)
	if len(f) < 15 {
		return a, errors.New("the kernel's account of the process does not parse")
	}
	var n [4]int64
	for i := range n {
		var e error
		n[i], e = strconv.ParseInt(f[11+i], 10, 64)
		err = errors.Join(err, e)
	}
	a.ticks, a.waited = n[0]+n[1], n[2]+n[3]
	a.parent, _ = strconv.Atoi(f[1])
	return a, err
}

// Memory is what a process has of it, in bytes.
func Memory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
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
