package file

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plainLines is the slow way: all at once, a character at a time.
func plainLines(text string, quotes bool) (records []string, rest string) {
	open, from := false, 0
	for i := range len(text) {
		switch {
		case text[i] == '"' && quotes:
			open = !open
		case text[i] == '\n' && !open:
			records, from = append(records, text[from:i+1]), i+1
		}
	}
	return records, text[from:]
}

// TestLines: however the text comes, its records are the same, and none of its bytes is lost.
func TestLines(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		var b strings.Builder
		for range rng.IntN(40) {
			b.WriteString([]string{"a", "\n", `"`, "\r\n", "bc", `""`}[rng.IntN(6)])
		}
		text, quotes := b.String(), rng.IntN(2) == 0
		l := lines{quotes: quotes}
		var got []string
		for from := 0; from < len(text); {
			to := from + 1 + rng.IntN(len(text)-from)
			l.add([]byte(text[from:to]))
			from = to
			for {
				record, ok := l.next()
				if !ok {
					break
				}
				got = append(got, string(bytes.Clone(record)))
			}
		}
		want, rest := plainLines(text, quotes)
		if waiting := l.waiting(); !slices.Equal(got, want) || waiting != len(rest) || string(l.rest()) != rest || l.passed != int64(len(text)) {
			t.Fatalf("%q (quotes %v): %q and %d waiting, want %q and %q", text, quotes, got, waiting, want, rest)
		}
	}
}
