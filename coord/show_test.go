package coord

import "testing"

// TestShowLike: names are matched as LIKE does it.
func TestShowLike(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text, pattern string
		want          bool
	}{
		{"", "", true}, {"a", "", false}, {"", "%", true}, {"", "_", false},
		{"o_ms", `o\_%`, true}, {"oxms", `o\_%`, false}, {"oxms", "o_%", true},
		{"50%", `50\%`, true}, {"500", `50\%`, false}, {`a\b`, `a\\b`, true}, {"ab", `a\`, false},
		{"größe", "gr__e", true}, {"größe", "gr%e", true}, {"größe", "gr_e", false},
	} {
		if got := like(tc.text, tc.pattern); got != tc.want {
			t.Errorf("%q LIKE %q is %t", tc.text, tc.pattern, got)
		}
	}
}
