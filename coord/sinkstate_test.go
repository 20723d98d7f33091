package coord

import (
	"log/slog"
	"testing"

	"millrace/sinks"
)

// TestFailedSinkKeepsItsCounts: what a sink has written stays written when it fails.
func TestFailedSinkKeepsItsCounts(t *testing.T) {
	t.Parallel()
	r := &sinkRun{c: &Coordinator{opts: Options{Log: slog.New(slog.DiscardHandler)}}}
	r.report(sinks.State{Status: "running", Records: 7, Dropped: 2})
	r.report(sinks.State{Status: failedSink, Error: "the topic is gone", Hint: "drop the sink"})
	if st := r.current(); st.Records != 7 || st.Dropped != 2 || st.Status != failedSink || st.Error == "" || st.Hint == "" {
		t.Errorf("got %+v", st)
	}
	r.report(sinks.State{Status: "running", Records: 9, Dropped: 2})
	if st := r.current(); st.Records != 9 || st.Error != "" {
		t.Errorf("got %+v", st)
	}
}
