package parse

import "testing"

// BenchmarkParse parses all statements of each corpus; the figure is per corpus.
func BenchmarkParse(b *testing.B) {
	for _, file := range corpusTexts(b) {
		b.Run(file[0], func(b *testing.B) {
			b.SetBytes(int64(len(file[1])))
			for b.Loop() {
				if _, err := Parse(file[1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
