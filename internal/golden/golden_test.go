package golden

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	Run(t, "testdata/commands", func(t *testing.T, c Case) string {
		switch c.Cmd {
		case "echo":
			return c.Input
		case "repeat":
			return strings.Repeat(c.Input+"\n", c.Int(t, "times", 1))
		case "args":
			return c.Value("word", "none") + " " + c.Value("list", "none")
		case "nothing":
			return ""
		case "dashes":
			return "----\nbelow"
		}
		t.Fatalf("unknown command %q", c.Cmd)
		return ""
	})
}

func TestFormatIsInverseOfParse(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/commands")
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse("commands", string(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.format(); got != string(text) {
		t.Fatalf("formatting changed the file:\n%s", Diff(string(text), got))
	}
}

// TestAnswersSurvive is the contract: whatever an answer holds, it is read back as it was written.
func TestAnswersSurvive(t *testing.T) {
	t.Parallel()
	answers := []string{
		"", "a\n", "a\nb\n", "\nstarts empty\n", "a\n\nb\n", "a\n\n\nb\n", "----\n", "----\n----\na\n",
		"# looks like a comment\n", "a\n----\n", "a\n----\nb\n", " \n",
	}
	for _, first := range answers {
		for _, second := range answers {
			d := document{cases: []Case{
				{head: "# why\nfirst\nin\n", Want: first},
				{head: "second key=(a, b)\n", Want: second},
			}, tail: "# the end\n"}
			got, err := parse("x", d.format())
			if err != nil {
				t.Fatalf("%q then %q: %v\n%s", first, second, err, d.format())
			}
			if len(got.cases) != 2 || got.cases[0].Want != first || got.cases[1].Want != second || got.tail != d.tail {
				t.Fatalf("%q then %q became %+v", first, second, got)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cmd\ninput\n":                 "x:1: no line ---- follows",
		"# why\n\ncmd a=(b\n----\nc\n": `x:3: parentheses do not match in "cmd a=(b"`,
		"cmd\n----\n----\na\n":         "x:1: the answer lacks its closing pair of ----",
	} {
		_, err := parse("x", text)
		if err == nil || err.Error() != want {
			t.Errorf("parse(%q): got error %v, want %s", text, err, want)
		}
	}
}

func TestParseCommand(t *testing.T) {
	t.Parallel()
	cmd, args, err := parseCommand("load  quick n=3 cols=(a, b,c) f=g(x)")
	if err != nil {
		t.Fatal(err)
	}
	want := []Arg{
		{Key: "quick"}, {Key: "n", Values: []string{"3"}},
		{Key: "cols", Values: []string{"a", "b", "c"}}, {Key: "f", Values: []string{"g(x)"}},
	}
	if cmd != "load" || !reflect.DeepEqual(args, want) {
		t.Fatalf("got %q %v", cmd, args)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	if got, want := Diff("a\nb\nc\n", "a\nx\nc\nd\n"), "  a\n- b\n+ x\n  c\n+ d\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	long := strings.Repeat("same\n", 2*maxDiffLines)
	if got, want := Diff(long+"a\n", long+"b\n"), "- a\n+ b\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWriteCreatesFolders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "file")
	write(t, path, "text\n")
	if Updating() {
		return
	}
	File(t, path, "text\n")
}
