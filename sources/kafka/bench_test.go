package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sources"
)

// nowhere takes batches and forgets them.
type nowhere struct{}

func (nowhere) Push(context.Context, *sources.Batch) error { return nil }
func (nowhere) Report(sources.State)                       {}

// BenchmarkTake is what a record costs behind the client: decoded, through its envelope, into a batch. Values have 300 bytes.
func BenchmarkTake(b *testing.B) {
	const click = `{"recordType":"click","sid":%8d,"timestamp":1673512817.517501,"url":"https://news.example/world/2023/01/12/a-long-title",` +
		`"useragent":"Mozilla/5.0 (X11; Linux x86_64)","statesVisited":["TX","CA"],"isSubscriber":0,"latitude":"52.52","longitude":"13.40","country_code":"DE","tz":"Europe/Paris"}`
	text := repr.TypeOf(repr.KindText)
	cols := repr.RowDesc{{Name: "recordType", Type: text}, {Name: "sid", Type: repr.TypeOf(repr.KindInt8)}, {Name: "timestamp", Type: repr.TypeOf(repr.KindFloat8)},
		{Name: "url", Type: text}, {Name: "isSubscriber", Type: repr.TypeOf(repr.KindInt4)}, {Name: "latitude", Type: repr.TypeOf(repr.KindFloat8)}, {Name: "country_code", Type: text}}
	for _, tc := range []struct {
		name string
		cfg  Config
	}{
		{"BYTES", Config{ValueFormat: FormatBytes}},
		{"TEXT", Config{ValueFormat: FormatText}},
		{"JSON", Config{ValueFormat: FormatJSON}},
		{"JSON columns", Config{ValueFormat: FormatJSON, ValueShape: Shape{Columns: cols}}},
		{"JSON columns UPSERT", Config{ValueFormat: FormatJSON, ValueShape: Shape{Columns: cols}, KeyFormat: FormatText, Envelope: EnvelopeUpsert}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			tc.cfg.Broker, tc.cfg.Topic = broker.Options{Brokers: []string{"nowhere"}}, "t"
			src, err := New(tc.cfg)
			if err != nil {
				b.Fatal(err)
			}
			if err := src.build(context.Background()); err != nil {
				b.Fatal(err)
			}
			r := &reader{Source: src, out: nowhere{}, next: map[int32]int64{}, topic: broker.Topic{Partitions: []int32{0}}}
			r.reset()
			records := make([]*kgo.Record, 10000)
			for i := range records {
				records[i] = &kgo.Record{Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, click, i), Offset: int64(i), Timestamp: time.UnixMilli(1)}
			}
			b.SetBytes(int64(len(records[0].Value)))
			for i := 0; b.Loop(); i++ {
				if err := r.take(context.Background(), records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
