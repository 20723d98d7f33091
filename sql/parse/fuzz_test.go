package parse

import (
	"errors"
	"testing"

	"millrace/repr"
	"millrace/sql/ast"
)

// FuzzParse checks that no text panics, that every error is one that a client can be shown, and that what
// is written back parses and is then written the same way.
func FuzzParse(f *testing.F) {
	_, texts := clientStatements(f)
	for _, text := range corpusTexts(f) {
		list, err := Parse(text)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range list {
			texts = append(texts, p.Text)
		}
	}
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse(text)
		if err != nil {
			var e *repr.Error
			if !errors.As(err, &e) || len(e.Code) != 5 || e.Code == repr.CodeInternal {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, p := range list {
			first := ast.Format(p.Stmt)
			again, err := Parse(first)
			if err != nil || len(again) != 1 {
				t.Fatalf("%q\nis written as %q\nwhich is %d statements, %v", p.Text, first, len(again), err)
			}
			if second := ast.Format(again[0].Stmt); second != first {
				t.Fatalf("%q\nis written as %q\nand then as %q", p.Text, first, second)
			}
		}
	})
}
