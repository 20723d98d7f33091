package postgres

import (
	"context"
	"fmt"
	"testing"

	"millrace/repr"
	"millrace/sources"
)

// nowhere takes what a source has to say.
type nowhere struct{ rows int }

func (n *nowhere) Push(_ context.Context, b *sources.Batch) error {
	for i := range b.Parts {
		n.rows += len(b.Parts[i].Updates)
	}
	return nil
}

func (*nowhere) Report(sources.State) {}

// BenchmarkCopy is the first content of a table of six columns: an operation is a row.
func BenchmarkCopy(b *testing.B) {
	for _, byKey := range []bool{true, false} {
		b.Run(map[bool]string{true: "key", false: "full"}[byKey], func(b *testing.B) {
			kinds := []repr.Kind{repr.KindInt8, repr.KindInt4, repr.KindText, repr.KindNumeric, repr.KindTimestamp, repr.KindBool}
			u := &upstream{Schema: "public", Name: "t", identity: "f"}
			if byKey {
				u.Key = []int16{1}
			}
			var cols repr.RowDesc
			for i, k := range kinds {
				u.Columns = append(u.Columns, upstreamed{Name: k.String(), Number: int16(i + 1)})
				cols = append(cols, repr.Column{Name: k.String(), Type: repr.TypeOf(k)})
			}
			s, err := New(Config{Publication: "p"})
			if err != nil {
				b.Fatal(err)
			}
			out := &nowhere{}
			r := &reader{Source: s, out: out}
			r.reset()
			w := &copied{ctx: b.Context(), f: &filling{reader: r}, t: newTable(1, u, cols)}
			w.begin(true)
			var lines [1000][]byte
			for i := range lines {
				lines[i] = fmt.Appendf(nil, "%d\t%d\tcustomer number %d\t%d.%02d\t2024-03-05 12:34:56.789\tt\n", i, i*7, i, i, i%100)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				line := lines[i%len(lines)]
				if i >= len(lines) { // keys do not repeat
					line = append(fmt.Appendf(line[:0:0], "%d", i), lines[i%len(lines)][len(fmt.Sprint(i%len(lines))):]...)
				}
				if _, err := w.Write(line); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(out.rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
