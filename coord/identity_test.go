package coord

import (
	"strings"
	"testing"
)

// TestIdentity: the name of the data stays, each run has a name of its own and knows those before it, and other data have
// another name.
func TestIdentity(t *testing.T) {
	t.Parallel()
	m, other := newMachine(t, quiet()), newMachine(t, quiet())
	name := m.c.identity.data
	if name == "" || name == other.c.identity.data {
		t.Fatalf("the names of two data directories are %q and %q", name, other.c.identity.data)
	}
	if sink := m.c.sinkName("out", 7); !strings.Contains(sink, name) || sink == other.c.sinkName("out", 7) {
		t.Errorf("the name of a sink is %q", sink)
	}
	runs := []string{m.c.identity.run}
	for range 3 {
		m.crash()
		if m.c.identity.data != name {
			t.Errorf("after a restart the data are called %q, before %q", m.c.identity.data, name)
		}
		runs = append(runs, m.c.identity.run)
	}
	for i, run := range runs {
		if i > 0 && run == runs[i-1] {
			t.Errorf("two runs are called %q", run)
		}
		if !m.c.identity.runs[run] {
			t.Errorf("run %d is forgotten", i)
		}
	}
	if m.c.identity.runs[other.c.identity.run] {
		t.Error("a run on other data is known")
	}
}
