package main

import (
	"bufio"
	"context"
	_ "embed" // the program that Flink runs
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// flinkJob is what Flink is told to do the same: a table t of a topic, and a query of k, n and v over it.
type flinkJob struct{ topic, columns, format, query string }

// flinkProgram runs queries in one virtual machine; java compiles it as it runs it.
//
//go:embed flink/Ingest.java
var flinkProgram []byte

// flinkTakes has Flink do a job to see that its answer is ours, which warms it up, and then as often as ours. What it takes to start a job
// that reads nothing is left out.
func (b *bench) flinkTakes(ctx context.Context, p *part, j *job) (costs []cost, err error) {
	jars, err := b.stack.Flink(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "millrace-flink-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "Ingest.java")
	if err := os.WriteFile(program, flinkProgram, 0o644); err != nil {
		return nil, err
	}
	table := fmt.Sprintf("CREATE TABLE t (%s) WITH ('connector'='kafka','topic'='%s','properties.bootstrap.servers'='%s','scan.startup.mode'='earliest-offset',"+
		"'scan.bounded.mode'='latest-offset',%s)", j.flink.columns, j.flink.topic, b.stack.KafkaAddr, j.flink.format)
	f, err := startFlink(dir, jars, program, table, j.flink.query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	got, err := f.do("check")
	if err == nil && got != j.want {
		err = fmt.Errorf("the answer of Flink is %s, not %s", got, j.want)
	}
	var start cost
	for i := -2; i < b.times && err == nil; i++ {
		word := "run" // the first warms up what the check has not
		if i == -1 {
			word = "start"
		}
		var c cost
		c, err = b.weigh(p, f.cmd.Process.Pid, func() error { _, err := f.do(word); return err })
		switch i {
		case -2:
		case -1:
			start = c
		default:
			costs = append(costs, cost{ours: c.ours - start.ours, theirs: c.theirs - start.theirs, clock: c.clock - start.clock})
		}
	}
	return costs, err
}

// flink is the running program: it takes a word a line, and answers with a line when it is done.
type flink struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startFlink(dir, jars, program, table, query string) (*flink, error) {
	args := []string{"-Xmx3g", "-XX:+UseG1GC", "-Djava.io.tmpdir=" + dir}
	for _, pkg := range []string{"java.base/java.util", "java.base/java.lang", "java.base/java.nio"} {
		args = append(args, "--add-opens="+pkg+"=ALL-UNNAMED")
	}
	cmd := exec.Command("java", append(args, "-cp", jars, program, table, query)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(os.TempDir(), "millrace-flink.log"))
	if err != nil {
		return nil, err
	}
	cmd.Stderr = log
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start(), log.Close()); err != nil {
		return nil, fmt.Errorf("start Flink: %w", err)
	}
	return &flink{cmd, in, bufio.NewReader(out)}, nil
}

// do gives a word and waits for the answer, between what else the program prints.
func (f *flink) do(word string) (string, error) {
	if _, err := fmt.Fprintln(f.in, word); err != nil {
		return "", err
	}
	for {
		line, err := f.out.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("read the answer of Flink, whose words are in %s: %w", filepath.Join(os.TempDir(), "millrace-flink.log"), err)
		}
		if after, ok := strings.CutPrefix(line, "ANSWER "); ok {
			return strings.TrimSpace(after), nil
		}
	}
}

func (f *flink) stop() error {
	err := f.in.Close() // that ends it
	done := make(chan error, 1)
	go func() { done <- f.cmd.Wait() }()
	select {
	case e := <-done:
		return errors.Join(err, e)
	case <-time.After(20 * time.Second):
		return errors.Join(err, f.cmd.Process.Kill(), <-done)
	}
}

// fresh is a name that nothing has yet.
func fresh() string { return fmt.Sprint(time.Now().UnixNano()) }
