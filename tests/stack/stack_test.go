package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testStack(t *testing.T) *Stack {
	t.Helper()
	dir := t.TempDir()
	s, err := New(Config{BasePort: 42000, Home: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache"), Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.prepareHome(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPortsAreCountedFromTheBase(t *testing.T) {
	t.Parallel()
	s := testStack(t)
	got := []string{s.KafkaAddr, s.ConnectURL, s.RegistryURL, s.PostgresAddr, s.MariaDBAddr}
	want := []string{
		"127.0.0.1:42001", "http://127.0.0.1:42003", "http://127.0.0.1:42004/apis/ccompat/v7",
		"127.0.0.1:42005", "127.0.0.1:42006",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestBasePortFromEnvironment(t *testing.T) {
	t.Setenv("STACK_BASE_PORT", "31000")
	t.Setenv("STACK_HOME", "/tmp/somewhere")
	t.Setenv("STACK_CACHE", "/tmp/kept")
	c, err := Config{}.resolve()
	if err != nil || c.BasePort != 31000 || c.Home != "/tmp/somewhere" || c.Cache != "/tmp/kept" {
		t.Fatalf("got %+v, %v", c, err)
	}
	for _, bad := range []string{"x", "80", "70000"} {
		t.Setenv("STACK_BASE_PORT", bad)
		if _, err := (Config{}).resolve(); err == nil {
			t.Errorf("base port %q is taken", bad)
		}
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ask, want []Service }{
		{nil, usual()},
		{[]Service{Connect}, []Service{Kafka, Registry, Connect}},
		{[]Service{Kafka, Postgres}, []Service{Postgres, Kafka}},
	} {
		if got := withNeeds(c.ask); !slices.Equal(got, c.want) {
			t.Errorf("%v needs %v, want %v", c.ask, got, c.want)
		}
	}
}

func TestSpawnAndStop(t *testing.T) {
	t.Parallel()
	s := testStack(t)
	if err := s.spawn(command{name: "polite", args: []string{"sh", "-c", "echo $WORD; exec sleep 1000"}, env: []string{"WORD=hello"}}); err != nil {
		t.Fatal(err)
	}
	p, ok := s.running("polite")
	if !ok {
		t.Fatal("a spawned process is not running")
	}
	for log := ""; log != "hello\n"; { // it says so, then it can be stopped
		text, err := os.ReadFile(s.logPath("polite"))
		if err != nil {
			t.Fatal(err)
		}
		log = string(text)
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatalf("log holds %q: %v", log, err)
		}
	}
	if err := s.stop("polite", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if startTime(p.pid) == p.start {
		t.Fatal("a stopped process is still there")
	}
	if err := s.stop("polite", syscall.SIGTERM); err != nil {
		t.Fatalf("stopping what is stopped: %v", err)
	}
}

// TestOtherProcessIsSpared: a process id that the kernel has given to somebody else is not stopped.
func TestOtherProcessIsSpared(t *testing.T) {
	t.Parallel()
	s := testStack(t)
	self := strconv.Itoa(os.Getpid())
	if err := os.WriteFile(s.pidPath("kafka"), []byte(self+" 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.running("kafka"); ok {
		t.Fatal("a process with another start time is taken for ours")
	}
	if err := s.stop("kafka", syscall.SIGKILL); err != nil { // would end this test
		t.Fatal(err)
	}
}

func TestLockMakesTheSecondWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "lock")
	first, err := acquire(t.Context(), path, func() { t.Error("the first has to wait") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := acquire(ctx, path, cancel); err == nil {
		t.Fatal("two hold one lock")
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	// It may wait a moment: a process that another test starts holds a copy of the file until it runs its program.
	second, err := acquire(t.Context(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.release(); err != nil {
		t.Fatal(err)
	}
}

// TestCacheIsWholeOrAbsent: a fetch that fails leaves nothing that the next run would take for complete.
func TestCacheIsWholeOrAbsent(t *testing.T) {
	t.Parallel()
	s := testStack(t)
	fills := 0
	fill := func(fail error) func(string) error {
		return func(dir string) error {
			fills++
			if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
				return err
			}
			return fail
		}
	}
	if _, err := s.cached("thing", []byte("recipe"), fill(os.ErrClosed)); err == nil {
		t.Fatal("the error of a fetch is lost")
	}
	dir, err := s.cached("thing", []byte("recipe"), fill(nil))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.cached("thing", []byte("recipe"), fill(nil)); err != nil || again != dir || fills != 2 {
		t.Fatalf("fetched %d times into %s and %s, %v", fills, dir, again, err)
	}
	if other, err := s.cached("thing", []byte("new recipe"), fill(nil)); err != nil || other == dir {
		t.Fatalf("another recipe gives %s, %v", other, err)
	}
}

// TestDataFolderIsWholeOrAbsent: a data folder whose making ends half-way is made again by the next start.
func TestDataFolderIsWholeOrAbsent(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	fill := func(name string, fail error) func(string) error {
		return func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, name), nil, 0o644), fail)
		}
	}
	if err := made(dir, "root", fill("half", os.ErrClosed)); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("the error of the making is lost: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("half a folder is there: %v", err)
	}
	if err := made(dir, "root", fill("whole", nil)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "whole" {
		t.Fatalf("the folder holds %v, %v", files, err)
	}
}

// TestLive starts all five servers and sends one row through them.
func TestLive(t *testing.T) {
	if os.Getenv("MILLRACE_E2E") == "" {
		t.Skip("starts servers: set MILLRACE_E2E=1, or run make e2e")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	s, err := Up(ctx, Config{BasePort: 23200, Fresh: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Down(); err != nil {
			t.Error(err)
		}
		for _, name := range Services() {
			if _, ok := s.running(string(name)); ok {
				t.Errorf("%s still runs", name)
			}
		}
	})
	if got, err := s.SQL(ctx, "postgres", "SELECT current_setting('wal_level')"); err != nil || got != "logical" {
		t.Errorf("PostgreSQL says %q, %v", got, err)
	}
	if _, err := s.MySQL(ctx, `CREATE DATABASE trial; CREATE TABLE trial.things(id int PRIMARY KEY, name text); INSERT INTO trial.things VALUES (1, 'one')`); err != nil {
		t.Fatal(err)
	}
	if err := s.GrantDebezium(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.PutConnector(ctx, "trial", s.MariaDBConnector("trial", "trial", nil)); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitConnector(ctx, "trial"); err != nil {
		t.Fatal(err)
	}
	waitForSubject(ctx, t, s, "trial.trial.things-value")
	if err := s.DeleteConnector(ctx, "trial"); err != nil {
		t.Fatal(err)
	}
}

// waitForSubject waits until the connector has registered a schema, through the root that ServeRegistry opens.
func waitForSubject(ctx context.Context, t *testing.T, s *Stack, subject string) {
	t.Helper()
	address, stop, err := s.ServeRegistry()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	url := fmt.Sprintf("http://%s/subjects/%s/versions/latest", address, subject)
	for answers(ctx, url) != nil {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			t.Fatalf("no subject %s: %v", subject, err)
		}
	}
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	var answer struct{ Schema string }
	if err := json.Unmarshal(body.Bytes(), &answer); err != nil || !strings.Contains(answer.Schema, `"name":"before"`) {
		t.Fatalf("the schema of %s is %s, %v", subject, body.Bytes(), err)
	}
}

// TestWaves: every service is stopped, none twice.
func TestWaves(t *testing.T) {
	t.Parallel()
	var all []Service
	for _, wave := range waves {
		all = append(all, wave...)
	}
	slices.Sort(all)
	want := Services()
	slices.Sort(want)
	if !slices.Equal(all, want) {
		t.Errorf("stopped are %v, there are %v", all, want)
	}
}
