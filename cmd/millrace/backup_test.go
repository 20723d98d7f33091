package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestBackupUnderLoad: a backup that is made while rows are written opens as a data directory, is sound, and holds everything
// that was acknowledged before it began.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, filepath.Join(dir, "data"), "--log-segment", "64KiB")
	p.must("CREATE TABLE t (n int, pad text)")
	p.must("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(n) AS total FROM t")
	var acknowledged atomic.Int64
	stop := make(chan struct{})
	ended := make(chan error, 1)
	c := p.connect()
	go func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if _, err := c.Exec(context.Background(), "INSERT INTO t SELECT "+strconv.Itoa(n)+", md5(g::text) FROM generate_series(1, 20) AS g"); err != nil {
				ended <- err
				return
			}
			acknowledged.Store(int64(n))
		}
	}()
	var copies []string
	var least []int64
	for i := range 4 {
		time.Sleep(200 * time.Millisecond)
		to := filepath.Join(dir, "copy"+strconv.Itoa(i))
		least = append(least, acknowledged.Load())
		run(t, "backup", to, "--http-listen", p.web)
		copies = append(copies, to)
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for i, to := range copies {
		if out := run(t, "check", "--deep", "--data-dir", to); strings.Contains(out, "PROBLEM") || !strings.Contains(out, "decode") {
			t.Errorf("check of copy %d:\n%s", i, out)
		}
	}
	last := len(copies) - 1
	q := startProcess(t, copies[last])
	var n, total int64
	if err := q.connect().QueryRow(t.Context(), "SELECT n, total FROM v").Scan(&n, &total); err != nil {
		t.Fatal(err)
	}
	if n < 20*least[last] || n%20 != 0 || total != (n/20)*(n/20+1)/2*20 {
		t.Errorf("the copy has %d rows with the sum %d, %d were acknowledged", n, total, 20*least[last])
	}
	if out, err := millrace("backup", copies[0], "--http-listen", p.web).CombinedOutput(); err == nil || !strings.Contains(string(out), "is there already") {
		t.Errorf("a second backup to the same folder: %v %s", err, out)
	}
	if out := run(t, "check", "--data-dir", filepath.Join(dir, "data")); !strings.Contains(out, "locked by another process: process "+strconv.Itoa(p.cmd.Process.Pid)) {
		t.Errorf("check beside a server:\n%s", out)
	}
	if out, err := millrace("serve", "--data-dir", filepath.Join(dir, "data"), "--sql-listen", freeAddr(t), "--http-listen", freeAddr(t)).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "process "+strconv.Itoa(p.cmd.Process.Pid)+"; stop it, or give this one another --data-dir") {
		t.Errorf("a second server: %v %s", err, out)
	}
}

// TestCheckFindsDamage: one flipped bit in any file is found, and named.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(lines, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, dir, "--log-segment", "16KiB", "--retain-history", "1ms", "--tick-interval", "20ms", "--file-sources", filepath.Dir(lines))
	p.must("CREATE TABLE t (n int, pad text)")
	p.must("CREATE SOURCE lines FROM FILE '" + lines + "' FORMAT TEXT") // remembers what is no row
	p.must("CREATE CONNECTION nowhere TO KAFKA (BROKER '127.0.0.1:1') WITH (VALIDATE = false)")
	for range 20 {
		p.must("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 300) AS g")
	}
	time.Sleep(300 * time.Millisecond)
	if code, _ := p.end(os.Interrupt, waitForEnd); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	out := run(t, "check", "--deep", "--connect=false", "--data-dir", dir)
	if !strings.Contains(out, "run-") || !strings.Contains(out, "log-") || !strings.Contains(out, "decode") {
		t.Fatalf("nothing is folded:\n%s", out)
	}
	if out, err := millrace("check", "--data-dir", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "PROBLEM  connection nowhere: cannot reach") {
		t.Errorf("a broker that does not answer: %v\n%s", err, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == "LOCK" || strings.HasPrefix(e.Name(), "log-") {
			continue // a damaged end of the log is what a crash leaves
		}
		b[len(b)/2] ^= 4
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := millrace("check", "--connect=false", "--data-dir", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), e.Name()) {
			t.Errorf("%s is damaged: %v\n%s", e.Name(), err, out)
		}
		b[len(b)/2] ^= 4
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamageSaysWhatToDo: a start on a damaged folder, and a check of it, end with the file, what is wrong and what to do.
func TestDamageSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, dir, "--retain-history", "1ms", "--tick-interval", "20ms")
	p.must("CREATE TABLE t (n int)")
	p.must("INSERT INTO t SELECT generate_series(1, 1000)")
	time.Sleep(300 * time.Millisecond)
	if code, _ := p.end(os.Interrupt, waitForEnd); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "log-*"))
	runs, _ := filepath.Glob(filepath.Join(dir, "run-*"))
	if len(logs) != 1 || len(runs) == 0 {
		t.Fatalf("the folder has %v and %v", logs, runs)
	}
	for _, name := range append(logs, runs...) {
		if err := os.Rename(name, name+"-away"); err != nil {
			t.Fatal(err)
		}
		cmd := millrace("serve", "--data-dir", dir, "--sql-listen", freeAddr(t), "--http-listen", freeAddr(t))
		giveUp := time.AfterFunc(waitForEnd, func() { _ = cmd.Process.Kill() })
		out, err := cmd.CombinedOutput()
		giveUp.Stop()
		if err == nil || !strings.Contains(string(out), name+" is damaged at offset 0: the file is missing") || !strings.Contains(string(out), "\nHINT: nothing was changed. millrace check --data-dir "+dir) {
			t.Errorf("a start: %v\n%s", err, out)
		}
		if out, err := millrace("check", "--data-dir", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "the file is missing") {
			t.Errorf("a check: %v\n%s", err, out)
		}
		if err := os.Rename(name+"-away", name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "LOCK")); err != nil {
		t.Fatal(err)
	}
	run(t, "check", "--data-dir", dir)
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); err == nil {
		t.Error("a check writes to the folder")
	}
}
