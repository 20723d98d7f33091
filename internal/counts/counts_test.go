package counts

import "testing"

// TestOf: the variable decides.
func TestOf(t *testing.T) {
	for value, want := range map[string]int{"": 3, "1": 7} {
		t.Setenv("MILLRACE_RELEASE", value)
		if got := Of(3, 7); got != want {
			t.Errorf("with %q: %d, want %d", value, got, want)
		}
	}
}
