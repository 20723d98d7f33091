package tidy

import (
	"go/ast"
	"regexp"
	"strings"
)

// proof is a test that a document names, such as `coord: TestWriteSkew`; one without its package is of the package before it.
var proof = regexp.MustCompile("`(?:([\\w/]+): )?((?:Test|Fuzz|Benchmark)[A-Z]\\w*)\\$?`")

// checkProofs: a test that a document names is there, so that a promise does not outlive what holds it. Decisions are of their day.
func (t *tree) checkProofs() {
	tests := t.tests()
	for _, doc := range t.docs {
		if strings.Contains(doc, "decisions/") {
			continue
		}
		if lines, err := t.prose(doc); err == nil { // else checkLinks says so
			t.checkNamed(doc, lines, tests)
		}
	}
}

// tests are the tests of the tree: their folder and name.
func (t *tree) tests() map[string]bool {
	tests := map[string]bool{}
	for _, f := range t.files {
		if !f.test {
			continue
		}
		f.functions(func(fn *ast.FuncDecl) {
			tests[f.dir+": "+fn.Name.Name] = true
		})
	}
	return tests
}

func (t *tree) checkNamed(doc string, lines []string, tests map[string]bool) {
	folder := ""
	for i, line := range lines {
		for _, m := range proof.FindAllStringSubmatch(line, -1) {
			if m[1] != "" {
				folder = m[1]
			}
			if folder != "" && !tests[folder+": "+m[2]] {
				t.found = append(t.found, Finding{Rule: "proof", Path: doc, Line: i + 1, Message: "there is no " + m[2] + " in " + folder})
			}
		}
	}
}
