package coord

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/repr"
	"millrace/sinks"
)

// taker is a sink that takes what comes, and hands it to who asks.
type taker struct{ to chan<- sinks.Tick }

func (taker) Check(context.Context) *repr.Error { return nil }

func (k taker) Run(ctx context.Context, ticks <-chan sinks.Tick, report func(sinks.State)) error {
	report(sinks.State{Status: "running"})
	for {
		select {
		case tick, ok := <-ticks:
			if !ok {
				return nil
			}
			if k.to != nil {
				k.to <- tick
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// TestSinkIntoAFolder: what the statement says reaches the connector, only below the folder that the server allows; a server that is started
// without one says of the sink why it does not run.
func TestSinkIntoAFolder(t *testing.T) {
	t.Parallel()
	var made []ObjectSink
	opts := quiet()
	opts.FileSinks = "/srv/lake"
	opts.ObjectSink = func(o ObjectSink) (SinkConnector, error) {
		made = append(made, o)
		return taker{}, nil
	}
	m := newMachine(t, opts)
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (a int, day date)")
	cl.must("CREATE SINK f FROM t INTO FILE './orders/all/' (PARTITION BY (day), RUN INTERVAL '5 seconds')")
	cl.must("CREATE SINK g FROM t INTO FILE 'rows' FORMAT PARQUET ENVELOPE NONE (FORCE)")
	if len(made) != 2 {
		t.Fatalf("%d sinks were made", len(made))
	}
	f, g := made[0], made[1]
	if f.Folder != "/srv/lake" || f.Prefix != "orders/all" || len(f.Partition) != 1 || f.Partition[0] != 1 || !f.Changes || f.Run.Interval != 5*time.Second {
		t.Errorf("the first is %+v", f)
	}
	if g.Prefix != "rows" || g.Changes || !g.Force || g.Run.Interval != time.Minute || g.Name == f.Name {
		t.Errorf("the second is %+v", g)
	}
	for statement, want := range map[string]string{
		"CREATE SINK x FROM t INTO FILE '../up'":                 "invalid folder",
		"CREATE SINK x FROM t INTO FILE '/etc'":                  "invalid folder",
		"CREATE SINK x FROM t INTO FILE 'orders//all'":           `folder orders/all is written by sink "f" already`,
		"CREATE SINK x FROM t INTO FILE 'a' (BUCKET 'b')":        "BUCKET",
		"CREATE SINK x FROM t INTO FILE 'a' FORMAT JSON":         "PARQUET",
		"CREATE SINK x FROM t INTO FILE 'a' KEY (a)":             "KEY",
		"CREATE SINK x FROM t INTO FILE 'a' ENVELOPE NONE":       "FORCE",
		"CREATE SINK x FROM t INTO FILE 'a' (PARTITION BY (no))": `column "no"`,
	} {
		if _, err := cl.run(t.Context(), statement); err == nil || !strings.Contains(err.Error()+err.Hint, want) {
			t.Errorf("%s says %v, want %q", statement, err, want)
		}
	}
	if spec := m.c.leadsTo(m.c.Catalog().Find([]string{"f"}, []string{"public"})); spec != nil {
		t.Errorf("a check would try a connection to %+v", spec)
	}
	m.opts.FileSinks = ""
	m.crash()
	cl = connect(t, m.c)
	const why = "|failed|sinks may not write files of this server|start it with --file-sinks and the folder below which they may"
	cl.soon("SELECT name, status, error, hint FROM mz_internal.mz_sink_statuses ORDER BY 1", "f"+why+"\ng"+why)
}

// TestAlteredSinkGoesOn: a sink that starts again because it was altered is given all since its last commit, however short history is:
// into files it could not write a new content over the old one.
func TestAlteredSinkGoesOn(t *testing.T) {
	t.Parallel()
	ticks := make(chan sinks.Tick, 100)
	opts := quiet()
	opts.RetainHistory = time.Millisecond
	opts.Sink = func(string, sinks.Options) SinkConnector { return taker{to: ticks} }
	cl := connect(t, start(t, opts))
	cl.must("CREATE TABLE t (a int NOT NULL)")
	cl.must("INSERT INTO t VALUES (0)")
	cl.must("CREATE SINK k FROM t INTO FILE 'lake' (RUN INTERVAL '1 hour')")
	first := <-ticks
	for i := range 5 {
		cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d)", i+1))
		<-ticks
	}
	cl.must("ALTER SINK k SET (RUN INTERVAL = '2 hours')")
	if again := <-ticks; again.Time != first.Time || len(again.Changes) != 1 {
		t.Fatalf("it begins with %d changes at %d, and had committed nothing since %d", len(again.Changes), again.Time, first.Time)
	}
	for range 5 {
		<-ticks
	}
}

// TestSinkOfRowsStays: rows that were written for good are not those of another relation, and changes stay changes.
func TestSinkOfRowsStays(t *testing.T) {
	t.Parallel()
	opts := quiet()
	opts.Sink = func(string, sinks.Options) SinkConnector { return taker{} }
	opts.FileSinks = "/srv/lake"
	cl := connect(t, start(t, opts))
	cl.must(`CREATE SOURCE c FROM LOAD GENERATOR COUNTER (UP TO 3);
		CREATE MATERIALIZED VIEW sums AS SELECT sum(counter)::bigint AS counter FROM c;
		CREATE MATERIALIZED VIEW more AS SELECT max(counter) AS counter FROM c;
		CREATE CONNECTION k TO KAFKA (BROKER 'localhost:1') WITH (VALIDATE = false);
		CREATE SINK topic FROM c INTO KAFKA CONNECTION k (TOPIC 'grown') FORMAT JSON ENVELOPE NONE;
		CREATE SINK rows FROM c INTO FILE 'rows';
		CREATE SINK changes FROM sums INTO FILE 'changes';
		CREATE SINK forced FROM c INTO FILE 'forced' ENVELOPE NONE (FORCE)`)
	for statement, want := range map[string]string{
		"ALTER SINK topic SET FROM more":   "takes back",
		"ALTER SINK rows SET FROM more":    "The files hold rows",
		"ALTER SINK changes SET FROM c":    "would be rows",
		"ALTER SINK changes SET FROM more": "",
		"ALTER SINK forced SET FROM more":  "",
	} {
		_, err := cl.run(t.Context(), statement)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s says %v", statement, err)
		case want != "" && (err == nil || err.Code != repr.CodeFeatureNotSupported || !strings.Contains(err.Detail, want) || err.Hint == ""):
			t.Errorf("%s says %+v, want %q", statement, err, want)
		}
	}
}
