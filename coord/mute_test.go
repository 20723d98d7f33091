package coord

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/repr"
	"millrace/sources"
)

// echo is a source of one partition that gives some numbers, and then as many as it is told; a mute one never says anything.
type echo struct {
	first int64
	mute  func() bool
}

func (e *echo) Schemas() (value, key string) { return "", "" }

func (e *echo) Grows() bool { return false }

func (e *echo) Describe(context.Context) (repr.RowDesc, [][]int, error) {
	return repr.RowDesc{{Name: "n", Type: repr.TypeOf(repr.KindInt8)}}, nil, nil
}

func (e *echo) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	if !e.mute() {
		out.Report(sources.State{Status: "running"})
		b := &sources.Batch{Progress: []sources.Progress{{Next: e.first, High: e.first}}}
		for n := from[0]; n < e.first; n++ {
			b.Updates = append(b.Updates, sources.Update{Row: repr.AppendRow(nil, []repr.Datum{repr.Int8(n)}), Diff: 1})
		}
		if err := out.Push(ctx, b); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestMuteSource: after a start a source that has not read what there was at first, and does not answer, keeps back those who read
// what is computed from it, and says so; all else is ready, also what was made after it.
func TestMuteSource(t *testing.T) {
	mute := false
	opts := Options{TickInterval: 500 * time.Millisecond}
	opts.Source = func(topic string) sources.Described {
		return &echo{first: 5, mute: func() bool { return mute && topic == "slow" }}
	}
	lifeOf(t, opts, func(t *testing.T, m *machine) {
		mute = true
		cl := connect(t, m.c)
		cl.must("CREATE TABLE t (n bigint)")
		cl.must("INSERT INTO t VALUES (1), (2)")
		cl.must("CREATE SOURCE slow FROM KAFKA BROKER 'b:9092' TOPIC 'slow' FORMAT JSON")
		cl.must("CREATE SOURCE quick FROM KAFKA BROKER 'b:9092' TOPIC 'quick' FORMAT JSON")
		cl.must("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM quick, t")
		_ = m.c.do(t.Context(), func() { // a view of a source that is stalled is made without waiting for it
			r := m.c.sources[m.c.Catalog().Find([]string{"slow"}, []string{"public"}).ID]
			r.state.Status = "stalled"
		})
		cl.must("CREATE MATERIALIZED VIEW behind AS SELECT count(*) AS n FROM slow")
		cl.must("CREATE MATERIALIZED VIEW beside AS SELECT n * 2 AS n FROM counted")
		m.crash()
		synctest.Wait()
		cl = connect(t, m.c)
		same(t, "what is ready", cl.must("SELECT name, hydrated, status FROM mz_internal.mz_hydration_statuses ORDER BY 1"),
			"behind|f|waiting", "beside|t|running", "counted|t|running")
		if got := cl.one("SELECT progress FROM mz_internal.mz_hydration_statuses WHERE name = 'behind'"); !strings.HasPrefix(got, "for slow (Kafka slow: ") {
			t.Errorf("it waits %s", got)
		}
		same(t, "beside", cl.must("SELECT n FROM beside"), "20")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := cl.run(ctx, "SELECT n FROM behind"); err == nil {
			t.Error("it is read before its source has read anything")
		}
		if len(cl.notices) == 0 || cl.notices[0].Code != "MR001" || !strings.HasPrefix(cl.notices[0].Message, "waiting for slow (Kafka slow: ") {
			t.Errorf("who waits is told %+v", cl.notices)
		}
		mute = false
		m.crash()
		synctest.Wait()
		same(t, "when it answers", connect(t, m.c).must("SELECT n FROM behind"), fmt.Sprint(5))
	})
}
