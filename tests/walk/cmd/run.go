package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"millrace/tests/stack"
	"millrace/tests/walk"
)

// options are the flags of run.
type options struct {
	dialect, sql, http string
	stay               bool
}

// run starts the servers of an example, runs it, and stops them.
func run(ctx context.Context, args []string) (err error) {
	var o options
	fs := flag.NewFlagSet("examples/run NAME", flag.ContinueOnError)
	fs.StringVar(&o.dialect, "dialect", "today", "today or 2021")
	fs.BoolVar(&o.stay, "stay", false, "start the servers, run nothing, and wait for ctrl-C: for pasting from the README")
	fs.StringVar(&o.sql, "sql-listen", "127.0.0.1:6875", "where millrace serves SQL")
	fs.StringVar(&o.http, "http-listen", "127.0.0.1:6874", "where millrace serves HTTP")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	example, err := walk.Find(fs.Arg(0))
	if err != nil {
		return err
	}
	servers, err := stack.New(stack.Config{Fresh: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Down()) }()
	if err := servers.Start(ctx, example.Services...); err != nil {
		return err
	}
	registry, stop, err := servers.ServeRegistry()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return o.beside(ctx, example, &walk.Place{Root: ".", SQL: o.sql, HTTP: o.http, Registry: registry, Stack: servers, Out: os.Stdout})
}

// beside starts millrace beside the other servers, runs the example or waits, and stops it.
func (o *options) beside(ctx context.Context, example walk.Example, place *walk.Place) (err error) {
	if place.Scratch, err = os.MkdirTemp("", "millrace-example-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(place.Scratch)) }()
	end, err := serve(ctx, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if !o.stay {
		return place.Run(ctx, example, o.dialect)
	}
	if err := place.Prepare(ctx, example); err != nil {
		return err
	}
	fmt.Printf("The servers are up until ctrl-C. In another terminal, in the root of the repository:\n\n")
	for _, v := range place.Env(example) {
		fmt.Printf("export %s\n", v)
	}
	fmt.Printf("\nBlocks of SQL go to psql $MILLRACE, those of another database to psql $POSTGRES or mariadb -u root $MARIADB.\n")
	<-ctx.Done()
	return nil
}

// serve starts millrace with an empty data folder; end stops it.
func serve(ctx context.Context, place *walk.Place) (end func() error, err error) {
	cmd := exec.Command("bin/millrace", "serve", "--data-dir", filepath.Join(place.Scratch, "data"), "--sql-listen", place.SQL, "--http-listen", place.HTTP,
		"--host-aliases", walk.Aliases(place.Stack, place.Registry), "--log-level", "warn")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ctrl-C is for us, who stop it last
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start millrace: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	end = func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		if errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
		return errors.Join(err, <-ended)
	}
	for {
		if resp, err := http.Get("http://" + place.HTTP + "/readyz"); err == nil {
			return end, resp.Body.Close()
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("millrace ended: %w", errors.Join(err, errors.New("it said why above")))
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), end())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
