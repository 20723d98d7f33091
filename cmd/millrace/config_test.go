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

// TestMemoryLimit: sizes and shares, and what is no size that a server could live with, such as a number of gigabytes without a unit.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"4GiB": 4 << 30, "64MiB": 64 << 20, "1.5GB": 1_500_000_000, "268435456": 256 << 20,
		"12": 0, "12kB": 0, "0": 0, "-1GiB": 0, "101%": 0, "0%": 0, "0.000001%": 0, "lots": 0, "4 gigs": 0} {
		got, err := (&config{MemoryLimit: text}).memoryBytes()
		if err == nil != (want > 0) || want > 0 && got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
}
