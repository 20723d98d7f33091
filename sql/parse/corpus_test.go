package parse

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"millrace/internal/golden"
	"millrace/sql/ast"
)

// statementBorder parts the statements that were captured of the clients.
var statementBorder = regexp.MustCompile(`(?m)^(?:--.*|####.*)$`)

// clientStatements are the texts that clients send, by client and number.
func clientStatements(t testing.TB) (names, texts []string) {
	t.Helper()
	paths, err := filepath.Glob("testdata/clients/*.sql")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no texts of clients (%v)", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		client := strings.TrimSuffix(filepath.Base(path), ".sql")
		for i, s := range statementBorder.Split(string(text), -1) {
			if s = strings.TrimSpace(s); s != "" {
				names = append(names, fmt.Sprintf("%s %d", client, i))
				texts = append(texts, s)
			}
		}
	}
	return names, texts
}

// corpusTexts are the names and texts of whole files of statements.
func corpusTexts(t testing.TB) [][2]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/corpus/*.sql")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpus (%v)", err)
	}
	var out [][2]string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, [2]string{filepath.Base(path), string(text)})
	}
	return out
}

// TestClients parses what real clients send. At least 95 of 100 SELECTs must parse, and the golden file
// names every text that doesn't.
func TestClients(t *testing.T) {
	t.Parallel()
	names, texts := clientStatements(t)
	var refused strings.Builder
	selects, good := 0, 0
	for i, text := range texts {
		list, err := Parse(text)
		isSelect := regexp.MustCompile(`(?is)^\s*(/\*.*?\*/\s*)?(select|with)\b`).MatchString(text)
		if isSelect {
			selects++
		}
		if err != nil {
			fmt.Fprintf(&refused, "%s: %s\n", names[i], describe(err))
			continue
		}
		if isSelect {
			good++
		}
		for _, p := range list {
			roundTrip(t, names[i], p)
		}
	}
	if selects < 80 || good*100 < selects*95 {
		t.Errorf("%d of %d SELECTs parse", good, selects)
	}
	fmt.Fprintf(&refused, "%d of %d texts are refused\n", strings.Count(refused.String(), "\n"), len(texts))
	golden.File(t, "testdata/clients.refused", refused.String())
}

// TestCorpus parses whole files of statements, each of which must be accepted and survive a round trip.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, file := range corpusTexts(t) {
		name, text := file[0], file[1]
		list, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %s", name, describe(err))
		}
		if len(list) < 30 {
			t.Errorf("%s: only %d statements", name, len(list))
		}
		for i, p := range list {
			if text[p.Offset:p.Offset+len(p.Text)] != p.Text {
				t.Errorf("%s %d: the offset %d is not that of %q", name, i+1, p.Offset, p.Text)
			}
			roundTrip(t, fmt.Sprintf("%s %d", name, i+1), p)
		}
	}
}

// roundTrip checks that what Format writes parses to the same tree.
func roundTrip(t testing.TB, name string, p Parsed) {
	t.Helper()
	text := ast.Format(p.Stmt)
	again, err := Parse(text)
	if err != nil {
		t.Errorf("%s: %s\nis written as %s\nwhich is refused: %s", name, p.Text, text, describe(err))
		return
	}
	if len(again) != 1 {
		t.Errorf("%s: %s\nis written as %d statements: %s", name, p.Text, len(again), text)
		return
	}
	want, got := shape(p.Stmt), shape(again[0].Stmt)
	if want != got {
		t.Errorf("%s: %s\nis written as %s\n- %s\n+ %s", name, p.Text, text, want, got)
	}
}

// shape is the dump of a statement without the text that PREPARE keeps as it was typed.
func shape(s ast.Statement) string {
	if p, ok := s.(*ast.Prepare); ok {
		c := *p
		c.Text = ""
		return dump(&c, false)
	}
	return dump(s, false)
}
