package golden

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const separator = "----"

// Case is one question of a golden file and the answer the file gives.
type Case struct {
	// Path and Line tell where the command stands.
	Path string
	Line int
	// Cmd is the first word of the command line, Args the rest of it in order.
	Cmd  string
	Args []Arg
	// Input is what stands between the command and the dashes, without the last line feed.
	Input string
	// Want is the answer of the file: empty, or ending in one line feed.
	Want string

	head string // the lines before the dashes as written, comments and spacing included
}

// Arg is one word of a command line: `key`, `key=value` or `key=(value, value)`.
type Arg struct {
	Key    string
	Values []string
}

// Pos is the place of the case as editors understand it.
func (c Case) Pos() string { return c.Path + ":" + strconv.Itoa(c.Line) }

// Has tells whether the command line has the argument key.
func (c Case) Has(key string) bool {
	_, ok := c.find(key)
	return ok
}

// Value is the value of the argument key, or otherwise when the command line lacks it.
func (c Case) Value(key, otherwise string) string {
	if a, ok := c.find(key); ok && len(a.Values) > 0 {
		return strings.Join(a.Values, ",")
	}
	return otherwise
}

// Int is the value of the argument key as a number, or otherwise when the command line lacks it. A value that
// is not a number fails the test.
func (c Case) Int(t testing.TB, key string, otherwise int) int {
	t.Helper()
	text := c.Value(key, "")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %s=%s is not a number", c.Pos(), key, text)
	}
	return n
}

func (c Case) find(key string) (Arg, bool) {
	for _, a := range c.Args {
		if a.Key == key {
			return a, true
		}
	}
	return Arg{}, false
}

func (c Case) name() string { return fmt.Sprintf("line %d %s", c.Line, c.Cmd) }

// document is a parsed golden file.
type document struct {
	cases []Case
	tail  string // what follows the last answer: comments only
}

// format writes the document back: what it did not parse as an answer comes out as it was.
func (d document) format() string {
	var b strings.Builder
	for i, c := range d.cases {
		b.WriteString(c.head)
		b.WriteString(separator + "\n")
		if needsFence(c.Want) {
			fence := fenceFor(c.Want) + "\n"
			b.WriteString(fence + c.Want + fence + fence)
		} else {
			b.WriteString(c.Want)
		}
		if i < len(d.cases)-1 || d.tail != "" {
			b.WriteString("\n")
		}
	}
	b.WriteString(d.tail)
	return b.String()
}

// needsFence tells whether an answer needs the long form.
func needsFence(answer string) bool {
	first, _, _ := strings.Cut(answer, "\n")
	return strings.HasPrefix(answer, "\n") || strings.Contains(answer, "\n\n") || isFence(first)
}

// isFence tells whether a line may open the long form: dashes only, at least as many as the separator.
func isFence(line string) bool {
	return len(line) >= len(separator) && strings.Trim(line, "-") == ""
}

// fenceFor is the shortest line of dashes that the answer does not hold.
func fenceFor(answer string) string {
	fence := separator
	for slices.Contains(strings.Split(answer, "\n"), fence) {
		fence += "-"
	}
	return fence
}

// scanner walks over the lines of a golden file.
type scanner struct {
	path  string
	lines []string
	at    int
}

func parse(path, text string) (document, error) {
	text = strings.TrimSuffix(text, "\n")
	s := &scanner{path: path, lines: strings.Split(text, "\n")}
	var d document
	for {
		start := s.at
		s.skipComments()
		if s.at == len(s.lines) {
			d.tail = join(s.lines[start:s.at])
			if strings.TrimSpace(d.tail) == "" {
				d.tail = ""
			}
			return d, nil
		}
		c, err := s.scanCase(start)
		if err != nil {
			return document{}, err
		}
		d.cases = append(d.cases, c)
	}
}

func (s *scanner) skipComments() {
	for s.at < len(s.lines) {
		line := strings.TrimSpace(s.lines[s.at])
		if line != "" && !strings.HasPrefix(line, "#") {
			return
		}
		s.at++
	}
}

func (s *scanner) scanCase(start int) (Case, error) {
	c := Case{Path: s.path, Line: s.at + 1}
	cmd, args, err := parseCommand(s.lines[s.at])
	if err != nil {
		return Case{}, fmt.Errorf("%s: %w", c.Pos(), err)
	}
	c.Cmd, c.Args = cmd, args
	s.at++
	first := s.at
	for s.at < len(s.lines) && s.lines[s.at] != separator {
		s.at++
	}
	if s.at == len(s.lines) {
		return Case{}, fmt.Errorf("%s: no line %s follows", c.Pos(), separator)
	}
	c.Input = strings.Join(s.lines[first:s.at], "\n")
	c.head = join(s.lines[start:s.at])
	s.at++
	c.Want, err = s.scanAnswer()
	if err != nil {
		return Case{}, fmt.Errorf("%s: %w", c.Pos(), err)
	}
	return c, nil
}

func (s *scanner) scanAnswer() (string, error) {
	if s.at == len(s.lines) || !isFence(s.lines[s.at]) {
		first := s.at
		for s.at < len(s.lines) && s.lines[s.at] != "" {
			s.at++
		}
		answer := join(s.lines[first:s.at])
		s.skipBlank()
		return answer, nil
	}
	fence := s.lines[s.at]
	s.at++
	first := s.at
	for ; s.at+1 < len(s.lines); s.at++ {
		if s.lines[s.at] == fence && s.lines[s.at+1] == fence {
			answer := join(s.lines[first:s.at])
			s.at += 2
			s.skipBlank()
			return answer, nil
		}
	}
	return "", fmt.Errorf("the answer lacks its closing pair of %s", fence)
}

// skipBlank passes the one empty line that ends an answer.
func (s *scanner) skipBlank() {
	if s.at < len(s.lines) && s.lines[s.at] == "" {
		s.at++
	}
}

func join(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// parseCommand splits a command line into its first word and its arguments.
func parseCommand(line string) (string, []Arg, error) {
	words, err := splitWords(line)
	if err != nil {
		return "", nil, err
	}
	args := make([]Arg, 0, len(words)-1)
	for _, w := range words[1:] {
		args = append(args, parseArg(w))
	}
	return words[0], args, nil
}

func parseArg(word string) Arg {
	key, value, found := strings.Cut(word, "=")
	if !found {
		return Arg{Key: word}
	}
	inner, ok := strings.CutPrefix(value, "(")
	if !ok || !strings.HasSuffix(inner, ")") {
		return Arg{Key: key, Values: []string{value}}
	}
	a := Arg{Key: key}
	for v := range strings.SplitSeq(strings.TrimSuffix(inner, ")"), ",") {
		a.Values = append(a.Values, strings.TrimSpace(v))
	}
	return a
}

// splitWords splits at spaces that are not inside parentheses.
func splitWords(line string) ([]string, error) {
	var words []string
	depth, start := 0, -1
	for i, r := range line + " " {
		if r == ' ' && depth == 0 {
			if start >= 0 {
				words = append(words, line[start:i])
			}
			start = -1
			continue
		}
		if start < 0 {
			start = i
		}
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
	}
	if depth != 0 || start >= 0 {
		return nil, fmt.Errorf("parentheses do not match in %q", line)
	}
	return words, nil
}
