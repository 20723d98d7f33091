package coord

import (
	"context"
	"strconv"
	"testing"
	"time"

	"millrace/repr"
	"millrace/sources"
)

// filling is a source of one partition that holds some numbers when it is first read, and gives them in the batches that it is told.
type filling struct {
	echo
	next chan int64 // up to which number a batch goes
}

func (f *filling) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	out.Report(sources.State{Status: "running"})
	at := from[0]
	for {
		b := &sources.Batch{}
		select {
		case to := <-f.next:
			for ; at < to; at++ {
				b.Updates = append(b.Updates, sources.Update{Row: repr.AppendRow(nil, []repr.Datum{repr.Int8(at)}), Diff: 1})
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		b.Records, b.Progress = int64(len(b.Updates)), []sources.Progress{{Next: at, High: max(at, f.first)}}
		if err := out.Push(ctx, b); err != nil {
			return err
		}
	}
}

// newFilling is such a source of ten numbers, and a server with it that keeps history.
func newFilling(t *testing.T) (*filling, *Coordinator) {
	f := &filling{echo: echo{first: 10}, next: make(chan int64)}
	opts := quiet()
	opts.Source = func(string) sources.Described { return f }
	opts.RetainHistory = time.Hour
	return f, newMachine(t, opts).c
}

// TestHistoryBeginsWithContent: a source keeps no history while its first content comes, which nobody is shown, also when it is told to
// keep much; from then on it does, and what a time showed it shows again.
func TestHistoryBeginsWithContent(t *testing.T) {
	t.Parallel()
	f, c := newFilling(t)
	cl := connect(t, c)
	cl.must("CREATE SOURCE s FROM KAFKA BROKER 'b:9092' TOPIC 's' FORMAT JSON WITH (RETAIN HISTORY FOR '1 day')")
	const kept = "SELECT ticks FROM mz_internal.mz_object_history WHERE name = 's'"
	const received = "SELECT max(messages_received) FROM mz_internal.mz_source_statistics WHERE name = 's'"
	for _, to := range []int64{2, 5, 9} {
		f.next <- to
		comesTo(t, cl, received, strconv.FormatInt(to, 10))
		comesTo(t, cl, kept, "0")
	}
	f.next <- 10
	if got := cl.one("SELECT count(*) FROM s"); got != "10" {
		t.Fatalf("%s rows, want 10", got)
	}
	then := cl.one("SELECT mz_now()::bigint FROM s LIMIT 1")
	f.next <- 12
	comesTo(t, cl, "SELECT count(*) FROM s", "12")
	comesTo(t, cl, kept, "1")
	if got := cl.one("SELECT count(*) FROM s AS OF " + then); got != "10" {
		t.Errorf("%s rows as of the first content, want 10", got)
	}
}

// TestHistoryOfWhatWasShown: what was shown of a source that had stopped before its first content was complete is shown again.
func TestHistoryOfWhatWasShown(t *testing.T) {
	t.Parallel()
	f, c := newFilling(t)
	cl := connect(t, c)
	cl.must("CREATE SOURCE s FROM KAFKA BROKER 'b:9092' TOPIC 's' FORMAT JSON")
	report := func(status string) {
		_ = c.do(t.Context(), func() {
			for _, r := range c.sources {
				r.Report(sources.State{Status: status, Error: "the broker is away"})
			}
		})
	}
	f.next <- 4
	report("stalled")
	comesTo(t, cl, "SELECT count(*) FROM s", "4")
	then := cl.one("SELECT mz_now()::bigint FROM s LIMIT 1")
	report("running")
	f.next <- 10
	if got := cl.one("SELECT count(*) FROM s"); got != "10" {
		t.Fatalf("%s rows, want 10", got)
	}
	if got := cl.one("SELECT count(*) FROM s AS OF " + then); got != "4" {
		t.Errorf("%s rows as of the time when it had stopped, want 4", got)
	}
}
