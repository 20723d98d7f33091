package walk

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const readme = "# a\n\n```sql today\nSELECT 1;\n```\n\n```text\n 1\n```\n\n```\nnot run\n```\n```sh\nls\n```\nwords\n\n```sql postgres\nSELECT 2;\n```\n"
	want := []Block{
		{Line: 3, Language: "sql", On: "today", Text: "SELECT 1;\n", Answer: " 1\n", Checked: true},
		{Line: 14, Language: "sh", Text: "ls\n"},
		{Line: 19, Language: "sql", On: "postgres", Text: "SELECT 2;\n"},
	}
	got, err := Parse(readme)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	for text, says := range map[string]string{
		"```sql\n":                            "line 1: the block does not end",
		"```text\n```\n":                      "line 1: the answer follows no block",
		"```sh\n```\nwords\n```text\n```\n":   "line 4: the answer follows no block",
		"```sql tomorrow\nSELECT 1;\n```\n\n": `line 1: "tomorrow" is neither`,
		"```sh postgres\nls\n```\n":           `line 1: "postgres" is neither`,
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	b := Block{Answer: " a | …\n(1 row)\n"}
	for got, want := range map[string]bool{
		" a | 17   \n(1 row)\n\n": true,
		" a | 17\nb\n(1 row)":     false,
		" b | 17\n(1 row)":        false,
		"":                        false,
	} {
		if b.matches(got) != want {
			t.Errorf("%q: %t", got, !want)
		}
	}
}

// changes begins what does not do the same when it is done again.
var changes = regexp.MustCompile(`(?m)^(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|examples/tool write|examples/tool connector)\b`)

// TestExamples: every folder of examples is an example with a README that can be run in both dialects, and the other way round.
func TestExamples(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	folders := 0
	for _, e := range entries {
		if e.IsDir() {
			folders++
		}
	}
	if folders != len(Examples) {
		t.Errorf("there are %d folders and %d examples", folders, len(Examples))
	}
	for _, e := range Examples {
		text, err := os.ReadFile(filepath.Join("../../examples", e.Name, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := Parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		checked := make(map[string]int)
		for _, b := range blocks {
			if b.Checked {
				checked["all"]++
			}
			if b.Checked && changes.MatchString(b.Text) {
				t.Errorf("%s, line %d: the block is repeated until it answers, and so must change nothing", e.Name, b.Line)
			}
			checked[b.On]++
		}
		if checked["all"] == 0 || checked["today"] == 0 || checked["2021"] == 0 {
			t.Errorf("%s checks nothing, or is not in both dialects: %v", e.Name, checked)
		}
	}
}
