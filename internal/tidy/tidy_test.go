package tidy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/golden"
)

// TestRepository is the check itself.
func TestRepository(t *testing.T) {
	t.Parallel()
	found, err := Check("../..", repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// broken are rules for the tree in testdata/broken, with limits that its small files can break.
var broken = Rules{
	Module:  "example",
	Folders: []string{"low", "mid", "beside", "high", "docs", "util", "keeper", "other"},
	Ranks:   []Rank{{"low", 0}, {"keeper", 0}, {"mid", 1}, {"beside", 1}, {"mid/upper", 2}, {"high", 3}, {"util", 3}},
	Doors:   []Door{{From: "high", Target: "low", To: []string{"high/allowed"}}},
	Modules: []Module{
		{Path: "example.org/tool", In: []string{"mid"}, Tests: []string{"high"}},
		{Path: "example.org/tool/extra", In: []string{"high"}},
	},
	Timekeepers: []string{"keeper"},
	Panickers:   []string{"keeper"},
	BadNames:    []string{"util"},
	Limits:      Limits{FileLines: 40, FunctionLines: 5, Parameters: 2, Results: 1, Nesting: 2},
	Exceptions: []Exception{
		{Rule: "size", Path: "mid/shape.go", Name: "accepted", Reason: "a table that reads best whole"},
		{Rule: "size", Path: "mid/shape.go", Name: "gone", Reason: "was long once"},
		{Rule: "init", Path: "low"},
	},
}

func TestEveryRuleFinds(t *testing.T) {
	t.Parallel()
	found, err := Check("testdata/broken", broken)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	rules := make(map[string]bool)
	for _, f := range found {
		b.WriteString(f.String() + "\n")
		rules[f.Rule] = true
	}
	golden.File(t, "testdata/broken.golden", b.String())
	for _, r := range ruleTable {
		if !rules[r.name] {
			t.Errorf("rule %s finds nothing in testdata/broken", r.name)
		}
	}
}

func TestUnparsableSourceIsAnError(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "x.go"), []byte("package low; func {"), 0o644); err != nil {
		t.Fatal(err)
	}
	if found, err := Check(root, broken); err == nil {
		t.Fatalf("got %v and no error", found)
	}
}

func TestAnchor(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]string{
		"What we promise": "what-we-promise", "1. One `sentence`": "1-one-sentence", "Über: a_b-c!": "über-a_b-c",
	} {
		if got := anchor(title); got != want {
			t.Errorf("anchor(%q) = %q, want %q", title, got, want)
		}
	}
}
