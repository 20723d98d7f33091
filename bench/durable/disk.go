package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"millrace/bench/server"
	"millrace/repr"
)

// weigh compares the size of the data directory, once all is folded, with that of the rows as they are packed.
func (o options) weigh(ctx context.Context) (err error) {
	s, err := server.Start(ctx, o.binary, o.dir, "--retain-history", "100ms", "--log-segment", "2MiB")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if _, err := s.DB.Exec(ctx, "CREATE TABLE t (id bigint NOT NULL, v bigint NOT NULL, pad text NOT NULL)"); err != nil {
		return err
	}
	packed := 0
	for at := 0; at < o.rows; at += 10_000 {
		n, err := fill(ctx, s, at, min(10_000, o.rows-at))
		if err != nil {
			return err
		}
		packed += n
	}
	if _, err := s.DB.Exec(ctx, "DELETE FROM t WHERE id % 10 = 0"); err != nil {
		return err
	}
	packed -= packed / 10
	size, err := settled(ctx, s)
	figure{"disk to packed rows, a tenth of them deleted", float64(size) / float64(packed), 1.5, false}.print("rows=%d packed_mb=%.1f disk_mb=%.1f",
		o.rows-o.rows/10, float64(packed)/1e6, float64(size)/1e6)
	return err
}

// fill inserts rows that compress badly, and says how long they are as packed.
func fill(ctx context.Context, s *server.Server, at, n int) (packed int, err error) {
	var row []byte
	digest := repr.Text(strings.Repeat("0", 32))
	for i := range n {
		id := int64(at + i)
		row = repr.Append(repr.Append(repr.Append(row[:0], repr.Int8(id)), repr.Int8(id*7919)), digest)
		packed += len(row)
	}
	_, err = s.DB.Exec(ctx, "INSERT INTO t SELECT $1 + i, ($1 + i) * 7919, md5(($1::bigint + i)::text) FROM generate_series(0::bigint, $2) i",
		int64(at), int64(n-1))
	return packed, err
}

// settled is the size of the data directory once it no longer shrinks.
func settled(ctx context.Context, s *server.Server) (int64, error) {
	last := int64(-1)
	for range 60 {
		size, err := sizeOf(s.Dir)
		if err != nil || size == last {
			return size, err
		}
		last = size
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return last, nil
}

func sizeOf(dir string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was folded meanwhile
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
