package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	benchtpch "millrace/bench/tpch"
	"millrace/coord"
	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources/generator"
	"millrace/sources/generator/tpch"
)

// serverBench is all queries at once as materialized views of one server, which is driven by SQL but not over the wire.
type serverBench struct {
	*tpchBench
	coord   *coord.Coordinator
	session *coord.Session
}

// runServer creates the tables and the views, loads and refreshes them by statements, and prints what the whole took and
// what each view holds.
func (b *tpchBench) runServer(ctx context.Context, scale float64, seed int64, queries []benchtpch.Query) error {
	g, err := tpch.New(scale, seed)
	if err != nil {
		return err
	}
	s := &serverBench{tpchBench: b, coord: coord.New(coord.Options{Workers: b.workers, TickInterval: time.Hour})}
	defer s.coord.Close()
	session, rerr := s.coord.NewSession(coord.SessionOptions{User: coord.DefaultUser, Database: coord.DefaultDatabase,
		OnNotice: func(coord.Notice) {}, OnParam: func(string, string) {}})
	if rerr != nil {
		return rerr
	}
	s.session = session
	defer session.Close()
	if err := s.create(ctx, queries); err != nil {
		return err
	}
	if err := s.load(ctx, g); err != nil {
		return err
	}
	if err := s.refresh(ctx, g, scale); err != nil {
		return err
	}
	return s.report(ctx, queries)
}

func (s *serverBench) create(ctx context.Context, queries []benchtpch.Query) error {
	for _, t := range tpch.Tables {
		if err := s.exec(ctx, generator.CreateTable(t, false)); err != nil {
			return err
		}
	}
	began := clock.System{}.Now()
	for _, q := range queries {
		if err := s.exec(ctx, "CREATE MATERIALIZED VIEW "+q.Name+" AS "+q.SQL()); err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
	}
	fmt.Printf("MILLRACE tpch server views=%d create_ms=%.1f\n", len(queries), 1e3*clock.System{}.Now().Sub(began).Seconds())
	return nil
}

// statementRows keeps statements shorter than a statement may be.
const statementRows = 3000

// transact makes changes in one transaction, which is one tick.
func (s *serverBench) transact(ctx context.Context, changes []generator.Change) error {
	texts := append([]string{"BEGIN"}, generator.Statements(tpch.Tables, changes, statementRows)...)
	for _, text := range append(texts, "COMMIT") {
		if err := s.exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// load inserts the database, a tick for each batch.
func (s *serverBench) load(ctx context.Context, g *tpch.Generator) error {
	began, cpu := clock.System{}.Now(), cpuSeconds()
	var part []generator.Change
	rows := 0
	flush := func() error {
		slices.SortStableFunc(part, func(a, b generator.Change) int { return a.Table - b.Table })
		if err := s.transact(ctx, part); err != nil {
			return err
		}
		rows += len(part)
		part = part[:0]
		return nil
	}
	for c := range g.Load() {
		if part = append(part, c); len(part) < s.batch {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	if err := flush(); err != nil {
		return err
	}
	fmt.Printf("MILLRACE tpch server load rows=%d sec=%.2f cpu_s=%.2f rss_mb=%d\n", rows,
		clock.System{}.Now().Sub(began).Seconds(), cpuSeconds()-cpu, residentMB())
	return nil
}

// refresh makes each refresh a transaction.
func (s *serverBench) refresh(ctx context.Context, g *tpch.Generator, scale float64) error {
	var took []time.Duration
	cpu := cpuSeconds()
	for range s.refreshes {
		changes := g.Refresh(int(1500*scale), int(10*scale)+1)
		began := clock.System{}.Now()
		if err := s.transact(ctx, changes); err != nil {
			return err
		}
		took = append(took, clock.System{}.Now().Sub(began))
	}
	if len(took) == 0 {
		return nil
	}
	cpu = cpuSeconds() - cpu
	slices.Sort(took)
	fmt.Printf("MILLRACE tpch server refresh ms=%.1f worst_ms=%.1f cpu_ms=%.1f\n", 1e3*took[len(took)/2].Seconds(),
		1e3*took[len(took)-1].Seconds(), 1e3*cpu/float64(len(took)))
	return nil
}

// report prints what each table and view holds and how long its operators ran, and what the process holds.
func (s *serverBench) report(ctx context.Context, queries []benchtpch.Query) error {
	rows, err := s.query(ctx, `SELECT m.name, m.rows, m.bytes, m.operator_bytes, coalesce(o.ms, 0)::bigint
		FROM mz_internal.mz_object_memory m LEFT JOIN (
			SELECT object_id, sum(elapsed_ms) AS ms FROM mz_internal.mz_operator_stats GROUP BY object_id) o ON m.id = o.object_id`)
	if err != nil {
		return err
	}
	var sum [3]int64
	byName := map[string][]repr.Datum{}
	for _, r := range rows {
		byName[r[0].Str()] = r
		for i := range sum {
			sum[i] += r[i+2].Int()
		}
	}
	for _, q := range queries {
		if r := byName[q.Name]; r != nil {
			fmt.Printf("MILLRACE tpch server %s rows=%d answer_mb=%.1f operators_mb=%.1f operators_ms=%d\n", q.Name, r[1].Int(),
				float64(r[2].Int())/(1<<20), float64(r[3].Int())/(1<<20), r[4].Int())
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("MILLRACE tpch server collections_mb=%.1f operators_mb=%.1f operators_ms=%d heap_mb=%d rss_mb=%d\n",
		float64(sum[0])/(1<<20), float64(sum[1])/(1<<20), sum[2], m.HeapAlloc>>20, residentMB())
	return nil
}

func (s *serverBench) exec(ctx context.Context, text string) error {
	_, err := s.query(ctx, text)
	if err != nil {
		return fmt.Errorf("%w: %s", err, text[:min(len(text), 200)])
	}
	return nil
}

// query runs one statement and gives its rows.
func (s *serverBench) query(ctx context.Context, text string) ([][]repr.Datum, error) {
	stmts, err := s.session.Split(text)
	if err != nil {
		return nil, err
	}
	prepared, err := s.session.Prepare(ctx, stmts[0], nil)
	if err != nil {
		return nil, err
	}
	res, err := s.session.Execute(ctx, prepared, nil)
	if err != nil {
		return nil, err
	}
	if res.Rows == nil {
		return nil, nil
	}
	defer res.Rows.Close()
	var out [][]repr.Datum
	for {
		row, ok, err := res.Rows.Next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		values := repr.DecodeRow(nil, bytes.Clone(row))
		out = append(out, values)
	}
}
