package kafka

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"millrace/repr"
	"millrace/sinks"
)

// BenchmarkSink writes ticks of 10,000 rows to a real broker, whose address is in MILLRACE_KAFKA, and gives the records for each
// second of this process's processor time: the broker's is not in it.
func BenchmarkSink(b *testing.B) {
	addr := os.Getenv("MILLRACE_KAFKA")
	if addr == "" {
		b.Skip("no broker: set MILLRACE_KAFKA=host:port")
	}
	for _, c := range []struct {
		name     string
		envelope Envelope
		key      []int
	}{{"debezium", Debezium, []int{0}}, {"upsert", Upsert, []int{0}}, {"rows", Append, nil}} {
		b.Run(c.name, func(b *testing.B) {
			name := fmt.Sprintf("bench-%s-%d", c.name, time.Now().UnixNano())
			s, err := New(Config{Brokers: []string{addr}, Topic: name, Format: JSON, Cols: columns, Key: c.key, Envelope: c.envelope, Snapshot: true,
				TransactionalID: name, ProgressTopic: name + "-progress", Partitions: 1, Replication: 1})
			if err != nil {
				b.Fatal(err)
			}
			const rows = 10_000
			var ready []sinks.Tick
			for t := range 20 {
				tick := sinks.Tick{Time: repr.Time(t + 1)}
				for i := range rows {
					tick.Changes = append(tick.Changes, sinks.Change{Row: row(t*rows+i, "somebody with a name of usual length", i), Diff: 1})
				}
				ready = append(ready, tick)
			}
			ticks := make(chan sinks.Tick, 16)
			before := processor(b)
			b.ResetTimer()
			go func() {
				for i := range b.N {
					next := ready[i%len(ready)]
					next.Time = repr.Time(i + 1)
					ticks <- next
				}
				close(ticks)
			}()
			var last sinks.State
			if err := s.Run(b.Context(), ticks, func(st sinks.State) { last = st }); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if last.Records != int64(b.N*rows) {
				b.Fatalf("%d records", last.Records)
			}
			b.ReportMetric(float64(last.Records)/(processor(b)-before).Seconds(), "records/cpu-s")
		})
	}
}

// processor is the processor time that this process has taken.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
