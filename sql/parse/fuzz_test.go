package parse

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sql/ast"
)

// FuzzParse checks that no text panics, that every error is one that a client can be shown, and that what
// is written back parses and is then written the same way.
func FuzzParse(f *testing.F) {
	_, texts := clientStatements(f)
	for _, file := range corpusTexts(f) {
		list, err := Parse(file[1])
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
	f.Fuzz(func(t *testing.T, text string) { checkStable(t, text) })
}

// checkStable checks that an error is one that a client can be shown, and that what is written back parses
// and is then written the same way. It says whether the text was accepted.
func checkStable(t *testing.T, text string) bool {
	t.Helper()
	list, err := Parse(text)
	if err != nil {
		var e *repr.Error
		if !errors.As(err, &e) || len(e.Code) != 5 || e.Code == repr.CodeInternal {
			t.Errorf("%q: %v", text, err)
		}
		return false
	}
	for _, p := range list {
		first := ast.Format(p.Stmt)
		again, err := Parse(first)
		if err != nil || len(again) != 1 {
			t.Errorf("%q\nis written as %q\nwhich is %d statements, %v", p.Text, first, len(again), err)
			return true
		}
		if second := ast.Format(again[0].Stmt); second != first {
			t.Errorf("%q\nis written as %q\nand then as %q", p.Text, first, second)
		}
		if want, got := shape(p.Stmt), shape(again[0].Stmt); want != got {
			t.Errorf("%q\nis written as %q\n- %s\n+ %s", p.Text, first, want, got)
		}
	}
	return true
}

// TestMutations parses texts made of the corpora by taking out, doubling, swapping and replacing tokens,
// which reaches further into the grammar than changed bytes do.
func TestMutations(t *testing.T) {
	t.Parallel()
	_, texts := clientStatements(t)
	for _, file := range corpusTexts(t) {
		list, err := Parse(file[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			texts = append(texts, p.Text)
		}
	}
	texts = append(texts, goldenInputs(t)...)
	var words [][]string
	var all []string
	for _, text := range texts {
		toks, err := lex(text)
		if err != nil || len(toks) > 120 {
			continue
		}
		var w []string
		for _, tok := range toks[:len(toks)-1] {
			w = append(w, text[tok.start:tok.end])
		}
		words, all = append(words, w), append(all, w...)
	}
	r := rand.New(rand.NewPCG(7, 11))
	accepted := 0
	for range mutations {
		if checkStable(t, strings.Join(mutate(r, words[r.IntN(len(words))], all), " ")) {
			accepted++
		}
		if t.Failed() {
			return
		}
	}
	if accepted < mutations/50 {
		t.Errorf("only %d of %d mutations were accepted", accepted, mutations)
	}
}

// mutations is how many texts TestMutations tries.
const mutations = 20000

// mutate changes a few tokens of a statement.
func mutate(r *rand.Rand, from, all []string) []string {
	w := append([]string{}, from...)
	for range 1 + r.IntN(3) {
		if len(w) == 0 {
			break
		}
		i, j := r.IntN(len(w)), r.IntN(len(w))
		switch r.IntN(5) {
		case 0:
			w = append(w[:i], w[i+1:]...)
		case 1:
			w = append(w[:i], append([]string{all[r.IntN(len(all))]}, w[i:]...)...)
		case 2:
			w[i], w[j] = w[j], w[i]
		case 3:
			w[i] = all[r.IntN(len(all))]
		case 4:
			i, j = min(i, j), max(i, j)
			w = append(w[:j], append(append([]string{}, w[i:j]...), w[j:]...)...)
		}
	}
	return w
}

// goldenInputs are the statements and expressions of the golden files.
func goldenInputs(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\n\n") {
			head, _, ok := strings.Cut(part, "\n----")
			command, input, _ := strings.Cut(head, "\n")
			if ok && command == "expr" {
				input = "SELECT " + input
			}
			if ok {
				out = append(out, input)
			}
		}
	}
	return out
}
