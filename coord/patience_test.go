package coord

import (
	"slices"
	"testing"
)

// TestPatience: the same text is told after a second, then after twice as long each time, and another one at once.
func TestPatience(t *testing.T) {
	t.Parallel()
	var p patience
	var told []int
	for second := 1; second <= 200; second++ {
		if p.due("a") {
			told = append(told, second)
		}
	}
	if want := []int{1, 2, 4, 8, 16, 32, 64, 124, 184}; !slices.Equal(told, want) {
		t.Errorf("told after %v seconds, want %v", told, want)
	}
	for i, next := range []struct {
		text string
		want bool
	}{{"b", true}, {"b", true}, {"b", false}, {"a", true}} {
		if got := p.due(next.text); got != next.want {
			t.Errorf("text %d, %q, is told: %t", i, next.text, got)
		}
	}
}
