package main

import (
	"flag"
	"io"
	"slices"
	"testing"
)

// TestOperand: the argument that is no flag may stand in front of the flags and behind them.
func TestOperand(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args  []string
		name  string
		flags []string
	}{
		{nil, "", nil},
		{[]string{"dump.sql"}, "dump.sql", nil},
		{[]string{"-"}, "-", nil},
		{[]string{"dump.sql", "--offline"}, "dump.sql", []string{"--offline"}},
		{[]string{"--offline", "dump.sql"}, "dump.sql", []string{"--offline"}},
		{[]string{"--data-dir", "d", "--offline", "-"}, "-", []string{"--data-dir", "d", "--offline"}},
		{[]string{"--offline", "dump.sql", "--data-dir", "d"}, "dump.sql", []string{"--offline", "--data-dir", "d"}},
		{[]string{"--data-dir", "d"}, "", []string{"--data-dir", "d"}},
		{[]string{"--nonsense", "dump.sql"}, "", []string{"--nonsense", "dump.sql"}},
		{[]string{"--help"}, "", []string{"--help"}},
	} {
		fs := flag.NewFlagSet("x", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		var c config
		c.flags(fs)
		fs.Bool("offline", false, "")
		if name, flags := operand(fs, tc.args); name != tc.name || !slices.Equal(flags, tc.flags) {
			t.Errorf("%q: %q and %q", tc.args, name, flags)
		}
	}
}
