package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command is a server to run.
type command struct {
	name string // of the files with its log and process id
	args []string
	dir  string
	env  []string
	user string // the account to run as when we are root; empty: ours
}

// process is a running server as its process id file describes it. The kernel's start time stands beside the id,
// so that another process which got the same id later is not taken for ours.
type process struct {
	pid   int
	start string
}

// spawn starts c and records its process id.
func (s *Stack) spawn(c command) error {
	log, err := os.Create(s.logPath(c.name))
	if err != nil {
		return fmt.Errorf("create log: %w", err)
	}
	defer func() { _ = log.Close() }() // the server has a copy of the descriptor
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.Env = append(os.Environ(), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := runAs(cmd, c.user); err != nil {
		return err
	}
	if err := s.start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", c.args[0], err)
	}
	p := process{cmd.Process.Pid, startTime(cmd.Process.Pid)}
	return os.WriteFile(s.pidPath(c.name), fmt.Appendf(nil, "%d %s\n", p.pid, p.start), 0o644)
}

// start runs cmd. The kernel ties a parent-death signal to the thread that forked, so an attached stack forks
// from one goroutine that keeps its thread until the process ends. Children are reaped as they go.
func (s *Stack) start(cmd *exec.Cmd) error {
	if s.cfg.Detach {
		err := cmd.Start()
		if err == nil {
			go func() { _ = cmd.Wait() }()
		}
		return err
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return <-started
}

// runAs makes cmd run as the named account when this process may choose.
func runAs(cmd *exec.Cmd, account string) error {
	if account == "" || os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := ids(account)
	if err != nil {
		return err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

func ids(account string) (uid, gid int, err error) {
	u, err := user.Lookup(account)
	if err != nil {
		return 0, 0, fmt.Errorf("look up account %s: %w", account, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(err1, err2)
}

// run runs a program to its end and returns its output; an error holds the end of it.
func run(ctx context.Context, account string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	if err := runAs(cmd, account); err != nil {
		return "", err
	}
	if account != "" {
		cmd.Dir = "/" // the account may not enter ours
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("run %s: %w\n%s", filepath.Base(args[0]), err, lastLines(string(out), 30))
	}
	return string(out), nil
}

// running returns the process that the id file of name describes, if it is still there.
func (s *Stack) running(name string) (process, bool) {
	text, err := os.ReadFile(s.pidPath(name))
	if err != nil {
		return process{}, false
	}
	id, start, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	pid, err := strconv.Atoi(id)
	if err != nil || start == "" || startTime(pid) != start {
		return process{}, false
	}
	return process{pid, start}, true
}

// PID is the process of a service that runs.
func (s *Stack) PID(name Service) (pid int, ok bool) {
	p, ok := s.running(string(name))
	return p.pid, ok
}

// startTime is the kernel's start time of a process that is neither gone nor a zombie, or empty.
func startTime(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name before it may hold spaces
	fields := strings.Fields(after)
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// stop ends the server name: politely, and after a while not.
func (s *Stack) stop(name string, polite syscall.Signal) error {
	p, ok := s.running(name)
	if !ok {
		return s.forget(name)
	}
	began := time.Now()
	if err := syscall.Kill(p.pid, polite); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	if !gone(p, 30*time.Second) {
		s.say("%s did not stop in 30 s, killing it", name)
		if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %s: %w", name, err)
		}
		if !gone(p, 10*time.Second) {
			return fmt.Errorf("%s, process %d, does not die", name, p.pid)
		}
	}
	s.say("%s stopped after %s", name, took(began))
	return s.forget(name)
}

func (s *Stack) forget(name string) error {
	if err := os.Remove(s.pidPath(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget %s: %w", name, err)
	}
	return nil
}

// gone waits until p has ended.
func gone(p process, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if startTime(p.pid) != p.start {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return startTime(p.pid) != p.start
}

func (s *Stack) pidPath(name string) string { return s.cfg.path("pids", name) }
func (s *Stack) logPath(name string) string { return s.cfg.path("log", name+".log") }

// lastLines is the end of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
