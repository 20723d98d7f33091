package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/bench/server"
)

// job is what is to be done, and how to see that it was.
type job struct {
	records, bytes int
	before         []string // statements that do not count
	run            []string // statements that do
	done           string   // a query that counts the records that are through
	totals         string   // a query for the answer as a text; empty for none
	want           string   // what it is to be
	undo           []string // statements after which the same can be done again; nil: it cannot
	after          []string // statements that clean up

	flink *flinkJob // nil: Flink does not do it
}

// once does a job on a new server, and then once more on the same one, which has the memory by then.
func (b *bench) once(ctx context.Context, binary string, p *part, j *job) (c cost, err error) {
	s, err := server.Start(ctx, binary, "")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if err := execute(ctx, s.DB, j.before); err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, execute(ctx, s.DB, j.after)) }()
	profiled := make(chan error, 1)
	if b.profile == "" {
		profiled <- nil
	} else {
		go func() { profiled <- profile(s.Web, b.profile) }()
		time.Sleep(200 * time.Millisecond)
	}
	do := func() error {
		if err := execute(ctx, s.DB, j.run); err != nil {
			return err
		}
		return await(ctx, s.DB, j)
	}
	c, err = b.weigh(p, s.PID(), do)
	if err == nil && j.undo != nil {
		if err = execute(ctx, s.DB, j.undo); err == nil {
			var again cost
			again, err = b.weigh(p, s.PID(), do)
			c.again = again.ours
		}
	}
	return c, errors.Join(err, <-profiled)
}

// weigh measures what a process of ours and the server of a part take meanwhile.
func (b *bench) weigh(p *part, pid int, do func() error) (c cost, err error) {
	theirs, ok := b.stack.PID(p.services[0])
	if !ok {
		return c, fmt.Errorf("%s does not run", p.services[0])
	}
	pids := []int{pid, theirs}
	var before, after [2]time.Duration
	for i := range pids {
		if before[i], err = server.Processor(pids[i]); err != nil {
			return c, err
		}
	}
	began := time.Now()
	if err := do(); err != nil {
		return c, err
	}
	c.clock = time.Since(began)
	for i := range pids {
		if after[i], err = server.Processor(pids[i]); err != nil {
			return c, err
		}
	}
	c.ours, c.theirs = after[0]-before[0], after[1]-before[1]
	return c, nil
}

func execute(ctx context.Context, db *pgx.Conn, statements []string) error {
	for _, text := range statements {
		if _, err := db.Exec(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// await waits until all records are through, and sees that the answer is right.
func await(ctx context.Context, db *pgx.Conn, j *job) error {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var n int
		if err := db.QueryRow(ctx, j.done).Scan(&n); err != nil {
			return fmt.Errorf("%s: %w", j.done, err)
		}
		if n >= j.records {
			break
		}
		if time.Since(began) > 10*time.Minute {
			return fmt.Errorf("%d of %d records after ten minutes", n, j.records)
		}
	}
	if j.totals == "" {
		return nil
	}
	var got string
	if err := db.QueryRow(ctx, j.totals).Scan(&got); err != nil {
		return fmt.Errorf("%s: %w", j.totals, err)
	}
	if got != j.want {
		return fmt.Errorf("the answer is %s, not %s", got, j.want)
	}
	return nil
}

// profile writes the profile of the seconds that come.
func profile(web, file string) (err error) {
	resp, err := http.Get("http://" + web + "/debug/pprof/profile?seconds=8")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	return errors.Join(err, out.Close())
}
