package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"millrace/bench/server"
)

// single compares one INSERT with one fsync of as many bytes in the same folder.
func (o options) single(ctx context.Context) (err error) {
	s, err := server.Start(ctx, o.binary, o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if _, err := s.DB.Exec(ctx, "CREATE TABLE t (id bigint NOT NULL, name text NOT NULL)"); err != nil {
		return err
	}
	const times = 300
	var inserts, syncs []time.Duration
	f, err := os.Create(filepath.Join(s.Dir, "raw"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(1 << 20); err != nil {
		return err
	}
	record := make([]byte, 100)
	for i := range times {
		began := time.Now()
		if _, err := s.DB.Exec(ctx, "INSERT INTO t VALUES ($1, 'a name of some length')", i); err != nil {
			return err
		}
		inserts = append(inserts, time.Since(began))
		began = time.Now()
		if _, err := f.WriteAt(record, int64(i*len(record))); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		syncs = append(syncs, time.Since(began))
	}
	slices.Sort(inserts)
	slices.Sort(syncs)
	insert, raw := millis(inserts[times/2]), millis(syncs[times/2])
	figure{"one insert beyond a write and an fsync, ms", insert - raw, 1, false}.print("median_ms=%.2f p90_ms=%.2f fsync_median_ms=%.2f fsync_p90_ms=%.2f",
		insert, millis(inserts[times*9/10]), raw, millis(syncs[times*9/10]))
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
