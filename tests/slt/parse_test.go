package slt

import (
	"slices"
	"strings"
	"testing"
)

// A file that says what is not so fails, each of its records for itself, in both modes.
func TestWrongFileFails(t *testing.T) {
	t.Parallel()
	want := []string{"23", "29", "43", "49", "53", "59", "62", "75"}
	for _, views := range []bool{false, true} {
		f, err := Read("testdata/wrong.slt")
		if err != nil {
			t.Fatal(err)
		}
		result, err := Run(t.Context(), server(t, 1), f, Options{Engine: Millrace, Views: views})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("views: %t: %s\n%s", views, result, strings.Join(result.Failures, "\n"))
		var lines []string
		for _, f := range result.Failures {
			lines = append(lines, strings.Split(f, ":")[1])
		}
		if !slices.Equal(lines, want) {
			t.Errorf("views: %t: the records of the lines %v fail, want %v", views, lines, want)
		}
	}
}

// What is no script is refused with its line.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"query X\nSELECT 1\n----\n1\n":         `x:1: the types "X"`,
		"query I up\nSELECT 1\n----\n1\n":      `x:1: "up" is no order`,
		"\nstatement maybe\nSELECT 1\n":        "x:2: a statement is ok or error",
		"question I\nSELECT 1\n":               `x:1: "question I" begins no record`,
		"hash-threshold many\n":                `x:1: hash-threshold "many" is no number`,
		"statement ok\nSELECT 1\n\nSELECT 2\n": `x:4: "SELECT 2" begins no record`,
	} {
		if _, err := Parse("x", text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// Rewriting changes the answers alone.
func TestRewritten(t *testing.T) {
	t.Parallel()
	const text = "# A comment.\nquery I nosort\nSELECT 1\n----\n2\n3\n\n# Another.\nquery I\nSELECT 2\n\nhalt\n"
	f, err := Parse("x", text)
	if err != nil {
		t.Fatal(err)
	}
	f.records[0].want = []string{"1"}
	f.records[1].want = []string{"2"}
	const want = "# A comment.\nquery I nosort\nSELECT 1\n----\n1\n\n# Another.\nquery I\nSELECT 2\n----\n2\n\nhalt\n"
	if got := f.rewritten(); got != want {
		t.Errorf("got\n%s", got)
	}
}
