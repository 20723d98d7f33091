package kafka

import (
	"testing"

	"millrace/sinks"
)

// TestIdle: a sink without changes says now and then how far it is, so that what is older need not be kept for it.
func TestIdle(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	r := w.run(w.config(JSON, nil))
	r.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	if st := r.written(1); st.Recorded != 1 {
		t.Errorf("after the first change it goes on from %d", st.Recorded)
	}
	r.send(sinks.Tick{Time: 5000})
	if st := r.written(5000); st.Recorded != 1 {
		t.Errorf("a time without changes was recorded: it goes on from %d", st.Recorded)
	}
	r.send(sinks.Tick{Time: 1 + sinks.IdleProgress})
	if st := r.written(1 + sinks.IdleProgress); st.Recorded != 1+sinks.IdleProgress || st.Records != 1 {
		t.Errorf("after a long time it goes on from %d, with %d records", st.Recorded, st.Records)
	}
	r.finish()
	w.expect(JSON, v)
}
