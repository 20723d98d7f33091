package tidy

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

var (
	inlineLink    = regexp.MustCompile(`\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)`)
	referenceLink = regexp.MustCompile(`^\s{0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?`)
	codeSpan      = regexp.MustCompile("`[^`]*`")
	heading       = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*\s*$`)
	linkText      = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// checkLinks: a link from a document into the tree leads to a file, and to a heading if it names one.
func (t *tree) checkLinks() {
	headings := make(map[string]map[string]bool)
	for _, doc := range t.docs {
		lines, err := t.prose(doc)
		if err != nil {
			t.report("link", doc, 0, "cannot be read: %v", err)
			continue
		}
		for i, line := range lines {
			t.checkLine(Finding{Rule: "link", Path: doc, Line: i + 1}, line, headings)
		}
	}
}

func (t *tree) checkLine(place Finding, line string, headings map[string]map[string]bool) {
	for _, target := range targets(line) {
		if place.Message = t.follow(place.Path, target, headings); place.Message != "" {
			t.found = append(t.found, place)
		}
	}
}

// prose returns the lines of a document, with those of code blocks left empty.
func (t *tree) prose(doc string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(doc)))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	fence := ""
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		opens := strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~")
		switch {
		case fence == "" && opens:
			fence = trimmed[:3]
			lines[i] = ""
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
			lines[i] = ""
		}
	}
	return lines, nil
}

func targets(line string) []string {
	if m := referenceLink.FindStringSubmatch(line); m != nil {
		return []string{m[1]}
	}
	var found []string
	for _, m := range inlineLink.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
		found = append(found, m[1])
	}
	return found
}

// follow returns what is wrong with a link, or nothing.
func (t *tree) follow(doc, target string, headings map[string]map[string]bool) string {
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Sprintf("link %s cannot be parsed", target)
	}
	if u.Scheme != "" || u.Host != "" {
		return ""
	}
	file := doc
	if u.Path != "" {
		file = path.Join(path.Dir(doc), u.Path)
	}
	if strings.HasPrefix(u.Path, "/") || strings.HasPrefix(file, "..") {
		return fmt.Sprintf("link %s leaves the tree", target)
	}
	if _, err := os.Stat(filepath.Join(t.root, filepath.FromSlash(file))); err != nil {
		return fmt.Sprintf("link %s leads nowhere", target)
	}
	if u.Fragment == "" || path.Ext(file) != ".md" {
		return ""
	}
	known, ok := headings[file]
	if !ok {
		known = t.headings(file)
		headings[file] = known
	}
	if !known[u.Fragment] {
		return fmt.Sprintf("link %s names no heading of %s", target, file)
	}
	return ""
}

// headings returns the anchors of a document as the usual renderers make them from its headings.
func (t *tree) headings(doc string) map[string]bool {
	anchors := make(map[string]bool)
	lines, err := t.prose(doc)
	if err != nil {
		return anchors
	}
	for _, line := range lines {
		m := heading.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := anchor(linkText.ReplaceAllString(m[1], "$1"))
		unique := name
		for i := 1; anchors[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", name, i)
		}
		anchors[unique] = true
	}
	return anchors
}

func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
