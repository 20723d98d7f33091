package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stamped writes a record of a time.
func (c *cluster) stamped(t *testing.T, partition int32, value string, at time.Time) {
	t.Helper()
	w, err := kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.RecordPartitioner(kgo.ManualPartitioner())) // it knows of partitions that are new
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Partition: partition, Value: []byte(value), Timestamp: at}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// TestStartMillis: a source begins at a time, or at one before its first run; that is not moved by a later run, nor does it leave out
// what stands in partitions that have come since.
func TestStartMillis(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, millis := range map[string]int64{"a time": now.Add(-time.Hour).UnixMilli(), "before now": -time.Hour.Milliseconds()} {
		c := newCluster(t, 2, "t")
		c.stamped(t, 0, "old", now.Add(-3*time.Hour))
		c.stamped(t, 0, "new", now.Add(-time.Minute))
		c.stamped(t, 1, "old there", now.Add(-2*time.Hour))
		cfg := c.config("t")
		cfg.StartMillis = millis
		s, stop, _ := start(t, cfg, nil)
		s.until(t, name, func() bool { return len(s.rows) == 1 && len(s.next) == 2 })
		stop()
		if s.rows[0] != "new +1" || s.next[0] != 2 || s.next[1] != 1 {
			t.Errorf("%s: got %v, read up to %v", name, s.rows, s.next)
		}
		if _, err := c.adm.CreatePartitions(context.Background(), 1, "t"); err != nil {
			t.Fatal(err)
		}
		came := now.Add(-30 * time.Minute)
		if millis < 0 {
			came = now.Add(-2 * time.Hour) // the server was away for longer than the hour
		}
		c.stamped(t, 2, "came", came)
		c.stamped(t, 1, "late", now)
		from := maps.Clone(s.next)
		s, stop, _ = start(t, cfg, from)
		s.until(t, name+", again", func() bool { return len(s.rows) == 2 })
		stop()
		slices.Sort(s.rows)
		if got := strings.Join(s.rows, ", "); got != "came +1, late +1" {
			t.Errorf("%s, again from %s: got %s", name, fmt.Sprint(from), got)
		}
	}
}

// TestStartOfWhatIsLeft: offset 0 is the beginning, also when records were deleted there; at any other offset the record must be there,
// but only before the source has begun.
func TestStartOfWhatIsLeft(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.write(t, "t", 0, "a", "b", "c", "d")
	if err := c.fake.DeleteRecords("t", 0, 2); err != nil {
		t.Fatal(err)
	}
	for first, want := range map[int64]string{0: "c +1, d +1", 2: "c +1, d +1", 3: "d +1"} {
		cfg := c.config("t")
		cfg.StartOffsets = map[int32]int64{0: first}
		s, stop, _ := start(t, cfg, nil)
		s.until(t, fmt.Sprintf("from %d", first), func() bool { return s.next[0] == 4 && len(s.rows) > 0 })
		stop()
		if got := strings.Join(s.rows, ", "); got != want {
			t.Errorf("from %d: got %s", first, got)
		}
	}
	cfg := c.config("t")
	cfg.StartOffsets = map[int32]int64{0: 1}
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := src.Describe(t.Context()); err == nil {
		t.Error("a record that was deleted was not missed")
	}
	src.Begun()
	if _, _, err := src.Describe(t.Context()); err != nil {
		t.Errorf("of a source that has begun: %v", err)
	}
}
