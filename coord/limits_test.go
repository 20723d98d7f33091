package coord

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestLimitsAreListed holds the table of docs/operations.md to the limits.
func TestLimitsAreListed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range limits {
		line := "| " + l.what + " |"
		for _, memory := range []int64{512 << 20, 4 << 30, 16 << 30} {
			line += fmt.Sprintf(" %d MiB |", l.of(memory)>>20)
		}
		if !strings.Contains(string(page), line+"\n") {
			t.Errorf("docs/operations.md lacks\n%s", line)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, l := range limits {
		if got := l.of(1 << 20); got != l.least {
			t.Errorf("%s: %d bytes with next to no memory, want %d", l.what, got, l.least)
		}
		if got := l.of(1 << 50); l.most > 0 && got != l.most || l.of(0) != l.most {
			t.Errorf("%s: %d bytes with all memory, want %d", l.what, got, l.most)
		}
	}
	if n := batchesAhead(1 << 20); n < 4 {
		t.Errorf("%d batches may wait with next to no memory", n)
	}
}
