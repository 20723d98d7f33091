package parquet

import (
	"fmt"
	"testing"

	"millrace/internal/folder"
	"millrace/repr"
	"millrace/sinks"
)

// BenchmarkCompare: what it takes to compare files of a million rows of about 30 bytes with a content that is a thousandth different.
func BenchmarkCompare(b *testing.B) {
	const rows = 1_000_000
	cfg := Config{Store: folder.New(b.TempDir()), Prefix: "out", Cols: append(pairs[:2:2], repr.Column{Name: "total", Type: repr.TypeOf(repr.KindInt8)}), Name: "n", Changes: true}
	content := func(more int64) []sinks.Change {
		out := make([]sinks.Change, rows)
		for i := range out {
			n := int64(i)
			if i%1000 == 0 {
				n += more
			}
			out[i] = sinks.Change{Row: repr.AppendRow(nil, []repr.Datum{repr.Int4(int32(i)), repr.Text(fmt.Sprintf("2020-04-%02d", i%30)), repr.Int8(n)}), Diff: 1}
		}
		return out
	}
	s, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	if _, err := s.target.Open(ctx); err != nil {
		b.Fatal(err)
	}
	if _, err := s.target.Write(ctx, sinks.Group{Ticks: []sinks.Tick{{Time: 1, Changes: content(0)}}, To: 1}); err != nil {
		b.Fatal(err)
	}
	now := sinks.Tick{Time: 2, Changes: content(1)}
	b.ReportAllocs()
	for b.Loop() {
		changes, err := s.target.difference(ctx, 1, now)
		if err != nil || len(changes) != rows/1000*2 {
			b.Fatal(len(changes), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
