package slt

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The kinds of records.
type kind int

const (
	statement kind = iota
	query
	halt
	hashThreshold
)

// record is one step of a file.
type record struct {
	line int // of its first word, from 1
	kind kind
	sql  string
	// skipIf and onlyIf are engines.
	skipIf, onlyIf []string

	fails bool   // of a statement: it must fail
	match string // of a statement that fails: a SQLSTATE or a pattern; empty: any error

	types string // of a query: a letter for each column
	sort  string // nosort, rowsort or valuesort
	label string
	want  []string // the lines below ----
	// from and to are the lines of want in the file, from 0, to excluded.
	from, to int

	threshold int
}

// File is a parsed script.
type File struct {
	Path    string
	lines   []string
	records []*record
}

// Read parses the file at path.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	return Parse(path, string(text))
}

// Parse parses a script.
func Parse(path, text string) (*File, error) {
	f := &File{Path: path, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
	p := &parser{file: f}
	for p.at < len(f.lines) {
		line := p.at + 1
		if err := p.record(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
	return f, nil
}

// parser walks the lines of a file.
type parser struct {
	file           *File
	at             int
	skipIf, onlyIf []string
}

// record reads one record, or skips a line that is none.
func (p *parser) record() error {
	line := strings.TrimSpace(p.file.lines[p.at])
	words := strings.Fields(line)
	if len(words) == 0 || line[0] == '#' {
		p.at++
		return nil
	}
	r := &record{line: p.at + 1, skipIf: p.skipIf, onlyIf: p.onlyIf}
	p.at++
	switch {
	case words[0] == "skipif" && len(words) >= 2:
		p.skipIf = append(p.skipIf, words[1])
		return nil
	case words[0] == "onlyif" && len(words) >= 2:
		p.onlyIf = append(p.onlyIf, words[1])
		return nil
	case words[0] == "halt":
		r.kind = halt
	case words[0] == "hash-threshold" && len(words) == 2:
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return fmt.Errorf("hash-threshold %q is no number", words[1])
		}
		r.kind, r.threshold = hashThreshold, n
	case words[0] == "statement" && len(words) >= 2:
		if err := p.statement(r, words, line); err != nil {
			return err
		}
	case words[0] == "query" && len(words) >= 2:
		if err := p.query(r, words); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q begins no record", line)
	}
	p.skipIf, p.onlyIf = nil, nil
	p.file.records = append(p.file.records, r)
	return nil
}

func (p *parser) statement(r *record, words []string, line string) error {
	switch words[1] {
	case "ok":
	case "error":
		r.fails = true
		_, match, _ := strings.Cut(line, "error")
		r.match = strings.TrimSpace(match)
	default:
		return fmt.Errorf("a statement is ok or error, not %q", words[1])
	}
	r.sql = p.body()
	return nil
}

func (p *parser) query(r *record, words []string) error {
	r.kind, r.types, r.sort = query, words[1], "nosort"
	if strings.Trim(r.types, "ITR") != "" {
		return fmt.Errorf("the types %q are not of the letters I, T and R", r.types)
	}
	if len(words) > 2 {
		r.sort = words[2]
	}
	if len(words) > 3 {
		r.label = words[3]
	}
	if r.sort != "nosort" && r.sort != "rowsort" && r.sort != "valuesort" {
		return fmt.Errorf("%q is no order of an answer", r.sort)
	}
	r.sql = p.body()
	if p.at < len(p.file.lines) && strings.HasPrefix(p.file.lines[p.at], "----") {
		p.at++
	}
	r.from = p.at
	for p.at < len(p.file.lines) && p.file.lines[p.at] != "" {
		p.at++
	}
	r.to = p.at
	r.want = p.file.lines[r.from:r.to]
	return nil
}

// body is the lines up to an empty one, or to ----.
func (p *parser) body() string {
	from := p.at
	for p.at < len(p.file.lines) && p.file.lines[p.at] != "" && !strings.HasPrefix(p.file.lines[p.at], "----") {
		p.at++
	}
	return strings.Join(p.file.lines[from:p.at], "\n")
}

// rewritten is the text of the file with the answers that the records hold now.
func (f *File) rewritten() string {
	var out []string
	at := 0
	for _, r := range f.records {
		if r.kind != query {
			continue
		}
		out = append(out, f.lines[at:r.from]...)
		if r.from == 0 || !strings.HasPrefix(f.lines[r.from-1], "----") {
			out = append(out, "----")
		}
		out = append(out, r.want...)
		at = r.to
	}
	return strings.Join(append(out, f.lines[at:]...), "\n") + "\n"
}

// wanted says whether a record is for an engine.
func (r *record) wanted(engine string) bool {
	for _, e := range r.skipIf {
		if e == engine {
			return false
		}
	}
	for _, e := range r.onlyIf {
		if e != engine {
			return false
		}
	}
	return true
}
