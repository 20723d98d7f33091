package walk

import (
	"regexp"
	"slices"
	"strings"
)

// Block is a piece of a README that is run.
type Block struct {
	Line     int    // where it begins
	Language string // sql or sh
	On       string // today, 2021, or a key of shells; empty: in both dialects
	Text     string
	Answer   string // what it must print
	Checked  bool   // whether there is an answer
}

// shell is a program that runs blocks.
type shell struct {
	prompt string
	script string // what bash runs with the block as its input; empty: the block is the script
}

// shells are by language and place.
var shells = map[string]shell{
	"sh":           {prompt: "$ "},
	"sql":          {"=> ", `psql -X -q -v ON_ERROR_STOP=1 "$MILLRACE" -f -`},
	"sql postgres": {"postgres=> ", `psql -X -q -v ON_ERROR_STOP=1 "$POSTGRES" -f -`},
	"sql mariadb":  {"mariadb> ", `mariadb --no-defaults --table -u root "$MARIADB"`},
}

// shell is what runs the block.
func (b *Block) shell() (shell, bool) {
	if b.On == "" || b.dialect() {
		s, ok := shells[b.Language]
		return s, ok
	}
	s, ok := shells[b.Language+" "+b.On]
	return s, ok
}

// dialect tells whether the block belongs to one dialect only.
func (b *Block) dialect() bool { return slices.Contains(Dialects, b.On) }

// command is what runs the block, and its input.
func (b *Block) command() (args []string, input string) {
	s, _ := b.shell()
	args = []string{"bash", "-euo", "pipefail", "-c"}
	if s.script == "" {
		return append(args, b.Text), ""
	}
	return append(args, s.script), b.Text
}

// prompted is the block as it looks where it is typed.
func (b *Block) prompted() string {
	s, _ := b.shell()
	return s.prompt + strings.ReplaceAll(strings.TrimSpace(b.Text), "\n", "\n"+strings.Repeat(" ", len(s.prompt)))
}

// matches tells whether the block printed its answer.
func (b *Block) matches(got string) bool {
	want := regexp.QuoteMeta(plain(b.Answer))
	return regexp.MustCompile("^" + strings.ReplaceAll(want, "…", ".*") + "$").MatchString(plain(got))
}

// plain takes away what nobody sees: spaces at the ends of lines, and empty lines at the end.
func plain(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}
