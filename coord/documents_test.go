package coord

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"millrace/sql/parse"
)

// prompt is what stands before a statement in a session that a document shows.
var prompt = regexp.MustCompile(`(?m)^(?:materialize)?=> ((?s:.*?);)\s*$`)

// leftOut is a mark that something is left out, outside of quotes.
var leftOut = regexp.MustCompile(`^(?:[^'…]|'[^']*')*…`)

// TestDocumentsParse: every statement of the documents can be pasted: it parses. Those with something left out cannot.
func TestDocumentsParse(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	statements := 0
	for _, name := range append(files, "../README.md", "../bench/README.md", "../examples/README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range statementsOf(string(text)) {
			if leftOut.MatchString(sql) {
				continue
			}
			parsed, err := parse.Parse(sql)
			if err != nil {
				t.Errorf("%s: %v\n%s", filepath.Base(name), err, sql)
			}
			statements += len(parsed)
		}
	}
	if statements < 80 {
		t.Errorf("only %d statements were found", statements)
	}
}

// statementsOf are the blocks of SQL of a document, and the statements behind the prompts of its other blocks.
func statementsOf(text string) (out []string) {
	for i, block := range strings.Split(text, "\n```") {
		if i%2 == 0 {
			continue
		}
		language, body, _ := strings.Cut(block, "\n")
		if language == "sql" {
			out = append(out, body)
			continue
		}
		for _, m := range prompt.FindAllStringSubmatch(body, -1) {
			out = append(out, m[1])
		}
	}
	return out
}
