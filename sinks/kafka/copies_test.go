package kafka

import (
	"strings"
	"testing"

	"millrace/repr"
)

// runOf is a configuration of a run on data that had the runs before it.
func (w *world) runOf(restored repr.Time, name string, before ...string) Config {
	cfg := w.config(JSON, nil)
	cfg.Writer, cfg.Restored = name, restored
	known := map[string]bool{name: true}
	for _, b := range before {
		known[b] = true
	}
	cfg.Known = func(writer string) bool { return known[writer] }
	return cfg
}

// TestCopiedData: a server on a copy of the data takes the topic over; the one before it stops and says so, and does not take
// the topic back when it is started anew. What follows from the copy is exact.
func TestCopiedData(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	first := w.run(w.runOf(0, "one"))
	first.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	first.written(1)
	copied := w.run(w.runOf(1, "copy", "one"))
	copied.send(tick(1, view{}, map[string]int64{string(row(1, "a", 1)): 1}))
	copied.send(tick(3, v, map[string]int64{string(row(2, "b", 2)): 1}))
	copied.written(3)
	first.send(tick(2, view{}, map[string]int64{string(row(9, "z", 9)): 1}))
	for name, r := range map[string]*running{"running": first, "restarted": w.run(w.runOf(2, "two", "one"))} {
		if err := r.end(); err == nil || !strings.Contains(err.Error(), "another server has taken over topic") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	copied.send(tick(4, v, map[string]int64{string(row(3, "c", 3)): 1}))
	copied.finish()
	w.expect(JSON, v)
}

// TestOlderData: data that are older than the topic do not go on with it.
func TestOlderData(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	first := w.run(w.runOf(0, "one"))
	first.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	first.send(tick(5, v, map[string]int64{string(row(2, "b", 1)): 1}))
	first.finish()
	older := w.run(w.runOf(4, "two", "one"))
	if err := older.end(); err == nil || !strings.Contains(err.Error(), "holds changes up to time 5, and the data of this server end at 4") {
		t.Errorf("got %v", err)
	}
	w.expect(JSON, v)
}
