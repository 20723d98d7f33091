package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources"
)

// sink takes batches until a file was read to its end.
type sink struct {
	rows int
	stop context.CancelFunc
}

func (*sink) Report(sources.State) {}

func (s *sink) Push(_ context.Context, b *sources.Batch) error {
	if s.rows += len(b.Updates); s.rows >= benchRows {
		s.stop()
	}
	return nil
}

const benchRows = 100_000

// BenchmarkRead is what a line costs: read, taken apart, decoded and packed.
func BenchmarkRead(b *testing.B) {
	cols := repr.RowDesc{{Name: "id", Type: repr.TypeOf(repr.KindInt8)}, {Name: "name", Type: repr.TypeOf(repr.KindText)}, {Name: "price", Type: repr.TypeOf(repr.KindNumeric)}}
	for _, test := range []struct {
		name string
		cfg  Config
		line string
	}{
		{"text", Config{Format: FormatText}, "%d,a name of some length,12.50\n"},
		{"csv", Config{Format: FormatCSV, Columns: cols}, "%d,a name of some length,12.50\n"},
		{"json", Config{Format: FormatJSON, Columns: cols}, "{\"id\": %d, \"name\": \"a name of some length\", \"price\": 12.50}\n"},
	} {
		b.Run(test.name, func(b *testing.B) {
			var text strings.Builder
			for i := range benchRows {
				fmt.Fprintf(&text, test.line, i)
			}
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a"), []byte(text.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			cfg := test.cfg
			cfg.Root, cfg.Pattern, cfg.Clock = dir, "a", clock.System{}
			for b.Loop() {
				ctx, cancel := context.WithCancel(b.Context())
				out := &sink{stop: cancel}
				if err := New(cfg).Run(ctx, nil, out); out.rows != benchRows {
					b.Fatal(out.rows, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/line")
		})
	}
}
