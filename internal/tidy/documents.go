package tidy

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// decisions is the folder of what was decided, one document each, and their list.
const decisions = "docs/decisions"

// place is a file or folder that a document names as one names it in the tree, from its top, as `coord/tick.go`.
var place = regexp.MustCompile("`([\\w-]+)(/[\\w./-]*)`")

// checkPlaces: a file or folder that a document names is there. Decisions, and lists of changes, are of their day.
func (t *tree) checkPlaces() {
	for _, doc := range t.docs {
		if under(doc, decisions) || path.Base(doc) == "CHANGELOG.md" {
			continue
		}
		lines, err := t.prose(doc)
		if err != nil {
			continue // checkLinks says so
		}
		for i, line := range lines {
			if name := t.missing(line); name != "" {
				t.found = append(t.found, Finding{Rule: "place", Path: doc, Line: i + 1, Message: "there is no " + name})
			}
		}
	}
}

// missing is the first file or folder that a line names and that is not there, "" when all are.
func (t *tree) missing(line string) string {
	for _, m := range place.FindAllStringSubmatch(line, -1) {
		name := m[1] + m[2]
		if !slices.Contains(t.rules.Folders, m[1]) {
			continue
		}
		if _, err := os.Stat(filepath.Join(t.root, filepath.FromSlash(name))); err != nil {
			return name
		}
	}
	return ""
}

// checkDecisions: the list of decisions has each of them once, those of a part of the list in the order of their numbers.
func (t *tree) checkDecisions() {
	list := decisions + "/README.md"
	lines, err := t.prose(list)
	if err != nil {
		return // there are none
	}
	listed, last := map[string]int{}, ""
	for i, line := range lines {
		if strings.HasPrefix(line, "#") {
			last = ""
		}
		found := targets(line)
		if !strings.HasPrefix(line, "- [") || len(found) == 0 {
			continue
		}
		listed[found[0]]++
		if found[0] < last {
			t.found = append(t.found, Finding{Rule: "decision", Path: list, Line: i + 1, Message: found[0] + " stands behind " + last})
		}
		last = found[0]
	}
	for _, doc := range t.docs {
		if n := listed[path.Base(doc)]; path.Dir(doc) == decisions && doc != list && n != 1 {
			t.found = append(t.found, Finding{Rule: "decision", Path: doc, Message: fmt.Sprintf("stands %d times in the list of decisions", n)})
		}
	}
}
