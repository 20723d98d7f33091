package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/coord"
	"millrace/internal/journal"
	"millrace/internal/sim"
	"millrace/repr"
	read "millrace/sources/parquet"
)

// lake is a server on a machine that may crash, and the folder that its sinks write.
type lake struct {
	t    *testing.T
	dir  string
	disk *sim.Disk
	j    *journal.Journal
	c    *coord.Coordinator
	s    *coord.Session
}

func newLake(t *testing.T) *lake {
	t.Helper()
	l := &lake{t: t, dir: t.TempDir(), disk: sim.NewDisk(1)}
	l.start()
	t.Cleanup(l.stop)
	return l
}

func (l *lake) start() {
	l.t.Helper()
	var err error
	if l.j, err = journal.Open(journal.Options{FS: l.disk, Dir: "data"}); err != nil {
		l.t.Fatal(err)
	}
	l.c, err = coord.Open(coord.Options{TickInterval: 5 * time.Millisecond, RetainHistory: 20 * time.Millisecond, SubscriberBytes: 8 << 10, Journal: l.j,
		FileSinks: l.dir, ObjectSink: objectSink})
	if err != nil {
		l.t.Fatal(err)
	}
	s, rerr := l.c.NewSession(coord.SessionOptions{User: coord.DefaultUser, Database: coord.DefaultDatabase,
		OnNotice: func(coord.Notice) {}, OnParam: func(string, string) {}})
	if rerr != nil {
		l.t.Fatal(rerr)
	}
	l.s = s
}

func (l *lake) stop() {
	l.s.Close()
	l.c.Close()
	_ = l.j.Close() // it may have crashed
}

func (l *lake) crash() {
	l.t.Helper()
	l.disk.Crash()
	l.stop()
	l.disk.Restart()
	l.start()
}

// run runs a statement and gives its rows.
func (l *lake) run(text string) (out [][]repr.Datum) {
	l.t.Helper()
	ctx := l.t.Context()
	stmts, err := l.s.Split(text)
	if err != nil {
		l.t.Fatalf("%s: %v", text, err)
	}
	for _, st := range stmts {
		prepared, err := l.s.Prepare(ctx, st, nil)
		var res *coord.Result
		if err == nil {
			res, err = l.s.Execute(ctx, prepared, nil)
		}
		if err == nil && res.Rows != nil {
			out, err = all(ctx, res.Rows)
		}
		if err != nil {
			l.t.Fatalf("%s: %v", text, err)
		}
	}
	return out
}

func all(ctx context.Context, rows coord.Rows) (out [][]repr.Datum, err *repr.Error) {
	defer rows.Close()
	for {
		row, ok, err := rows.Next(ctx)
		if err != nil || !ok {
			return out, err
		}
		out = append(out, repr.DecodeRow(nil, slices.Clone(row)))
	}
}

// view is the content of a relation of two whole numbers, in lines.
func (l *lake) view(name string) map[string]int64 {
	l.t.Helper()
	out := map[string]int64{}
	for _, row := range l.run("SELECT id, q FROM " + name) {
		out[fmt.Sprint(row[0].Int(), row[1].Int())]++
	}
	return out
}

// files is what the files below a folder add up to.
func (l *lake) files(folder string) (map[string]int64, error) {
	out := map[string]int64{}
	err := filepath.WalkDir(filepath.Join(l.dir, folder), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		table, err := read.Open(in, nil, 0)
		if err != nil {
			return err
		}
		defer func() { _ = table.Close() }() // it is read only
		for {
			rows, err := table.Next(1000)
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, r := range rows {
				d := repr.DecodeRow(nil, r.Row)
				line := fmt.Sprint(d[0].Int(), d[1].Int())
				if out[line] += d[3].Int(); out[line] == 0 {
					delete(out, line)
				}
			}
		}
	})
	return out, err
}

// awaits waits until the files of a folder are a view, and the sink runs.
func (l *lake) awaits(what, folder, view string) {
	l.t.Helper()
	want := l.view(view)
	var got map[string]int64
	var status string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var err error
		row := l.run("SELECT status || ' ' || coalesce(error, '') FROM mz_internal.mz_sink_statuses WHERE name = 's'")
		status = string(row[0][0].Bytes())
		if got, err = l.files(folder); err == nil && maps.Equal(got, want) && status == "running " {
			return
		}
	}
	l.t.Fatalf("%s: the sink is %s; the files have %d rows, the view has %d", what, status, len(got), len(want))
}

// TestSinkIntoFilesHeals: a sink into files that was not given all changes goes on by itself, and its files add up to the view: behind more
// changes than may wait for it, behind an error of its view with which it was altered, behind a crash in both, and when it goes over to
// another view.
func TestSinkIntoFilesHeals(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.run(`CREATE TABLE t (id int, d int); CREATE MATERIALIZED VIEW v AS SELECT id, 1000 / d AS q FROM t;
		CREATE MATERIALIZED VIEW w AS SELECT id, max(d) AS q FROM t GROUP BY id`)
	l.run("INSERT INTO t SELECT g, g FROM generate_series(1, 50) g")
	l.run("CREATE SINK s FROM v INTO FILE 'out' (RUN INTERVAL '10 ms')")
	l.awaits("the first rows", "out", "v")
	l.run("INSERT INTO t SELECT g % 700, 1 + g % 30 FROM generate_series(1, 5000) g")
	l.awaits("more at once than may wait", "out", "v")
	for round := range 4 {
		l.run("INSERT INTO t VALUES (1, 0)")
		l.run("DELETE FROM t WHERE id % 5 = 3")
		l.run(fmt.Sprintf("ALTER SINK s SET (RUN INTERVAL '%d ms')", 5+round))
		if round%2 == 1 {
			l.crash()
		}
		l.run(fmt.Sprintf("INSERT INTO t SELECT g, %d FROM generate_series(1, %d) g", 3+round, 10+3000*(round/2)))
		l.run("DELETE FROM t WHERE d = 0")
		l.awaits(fmt.Sprintf("an error of the view in round %d", round), "out", "v")
	}
	for round, view := range []string{"w", "v", "w"} {
		l.run("ALTER SINK s SET FROM " + view)
		if round > 0 {
			l.crash()
		}
		l.run(fmt.Sprintf("DELETE FROM t WHERE id %% 7 = %d", round))
		l.awaits("the view "+view, "out", view)
	}
}
