package parse

import (
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/sql/ast"
)

// asTokens parses a text without reading rows of constants in one piece.
func asTokens(text string) ([]Parsed, error) {
	l := &lexer{src: text, char: 1, plain: true}
	toks, err := l.all()
	if err != nil {
		return nil, err
	}
	return parseTokens(text, toks)
}

// sameWithConstants checks that a text is read in the same way with and without rows in one piece, to the positions, and says
// how many of its statements had them.
func sameWithConstants(t *testing.T, text string) int {
	t.Helper()
	got, gotErr := Parse(text)
	want, wantErr := asTokens(text)
	if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
		t.Fatalf("%q: got %v, want %v", text, gotErr, wantErr)
	}
	if len(got) != len(want) {
		t.Fatalf("%q: %d statements, want %d", text, len(got), len(want))
	}
	n := 0
	for i := range got {
		if ins, ok := got[i].Stmt.(*ast.Insert); ok && ins.Constants != nil {
			n++
		}
		g, w := dump(got[i].Stmt, true), dump(want[i].Stmt, true)
		if g != w || got[i].Text != want[i].Text || got[i].Offset != want[i].Offset {
			t.Fatalf("%q: got\n%s %q\nwant\n%s %q", text, g, got[i].Text, w, want[i].Text)
		}
	}
	return n
}

func TestConstantsAreReadInOnePiece(t *testing.T) {
	t.Parallel()
	for text, pieces := range map[string]int{
		"INSERT INTO t VALUES (1)":                                           1,
		"insert into t values (1, 'a''b', NULL), (-2, E'\\n', true) ; ":      1,
		"INSERT INTO s.t (a, \"B\") VALUES (1.5e3, $$x$$), (.5, U&'\\0061')": 1,
		"INSERT INTO t AS x (a) VALUES\n (false) ,\n (TRUE)":                 1,
		"INSERT INTO t VALUES ('a'\n'b'), ('ä'), (-.5)":                      1,
		"INSERT INTO t VALUES /* a */ (1 -- b\n)":                            1,
		"INSERT INTO é VALUES ('é', 1), ('é', 2);INSERT INTO t VALUES (3)":   2,
		"SELECT 1; INSERT INTO t VALUES (1); VALUES (2)":                     1,
		"INSERT INTO values VALUES (1)":                                      1,
		"INSERT INTO t (a) VALUES (1);;":                                     1,
		"INSERT INTO t VALUES (- 1)":                                         0,
		"INSERT INTO t VALUES (+1)":                                          0,
		"INSERT INTO t VALUES (1 + 2)":                                       0,
		"INSERT INTO t VALUES (1::text)":                                     0,
		"INSERT INTO t VALUES (DEFAULT)":                                     0,
		"INSERT INTO t VALUES ($1)":                                          0,
		"INSERT INTO t VALUES (1) RETURNING a":                               0,
		"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING":                    0,
		"INSERT INTO t VALUES (1) ORDER BY 1":                                0,
		"INSERT INTO t VALUES (1), (1, 2)":                                   0,
		"INSERT INTO t VALUES (1):: text":                                    0,
		"INSERT INTO t VALUES (1) (2)":                                       0,
		"INSERT INTO t VALUES (1),":                                          0,
		"INSERT INTO t VALUES (1,)":                                          0,
		"INSERT INTO t VALUES ()":                                            0,
		"INSERT INTO t VALUES (1":                                            0,
		"INSERT INTO t VALUES (1a)":                                          0,
		"INSERT INTO t VALUES ('a":                                           0,
		"INSERT INTO t VALUES (B'01')":                                       0,
		"INSERT INTO t VALUES":                                               0,
		"INSERT INTO t (VALUES (1))":                                         0,
		"INSERT INTO t (a) (VALUES (1)":                                      0,
		"INSERT INTO t (values) VALUES (1)":                                  0,
		"INSERT INTO t (a b) VALUES (1)":                                     0,
		"INSERT INTO t (a,) VALUES (1)":                                      0,
		"INSERT INTO t (a), b VALUES (1)":                                    0,
		"INSERT INTO t. VALUES (1)":                                          0,
		"INSERT INTO t AS values (1)":                                        0,
		"INSERT INTO t AS VALUES (1)":                                        0,
		"INSERT INTO select VALUES (1)":                                      0,
		"INSERT INTO a.b.c.d.e VALUES (1)":                                   0,
		"INSERT INTO VALUES (1)":                                             0,
		"INSERT INTO values (1)":                                             0,
		"INSERT INTO t x VALUES (1)":                                         0,
		"INSERT INTO t OVERRIDING USER VALUE VALUES (1)":                     0,
		"INSERT INTO t WITH x AS (VALUES (1)) VALUES (1)":                    0,
		"WITH x AS (VALUES (1)) INSERT INTO t VALUES (1)":                    0,
		"INSERT INTO t SELECT * FROM (VALUES (1)) v":                         0,
		"PREPARE p AS INSERT INTO t VALUES (1)":                              0,
		"EXPLAIN INSERT INTO t VALUES (1)":                                   0,
	} {
		if got := sameWithConstants(t, text); got != pieces {
			t.Errorf("%s: %d statements have constants, want %d", text, got, pieces)
		}
	}
}

// insertWords are what random INSERTs are made of.
var insertWords = []string{"INSERT", "INTO", "t", "\"T\"", ".", "AS", "(", ")", "(", ")", ",", ",", "VALUES", "VALUES", "1", "-2", "- 3", "+4", "1.5", ".5e-3",
	"'a'", "'b''c'", "'d' \n 'e'", "E'\\t'", "$$f$$", "U&'\\0061'", "NULL", "TRUE", "false", "DEFAULT", "$1", "--x\n", "/* y */", ";", "é", "'ä'", "RETURNING",
	"WITH", "SELECT", "5x", "'", "\\", "::", "0x1F", "1e", "X'1'", "-", "a"}

// randomInsert is an INSERT of constants, as a rule with a few words added, dropped or changed.
func randomInsert(r *rand.Rand) string {
	words := []string{"INSERT", "INTO", "t"}
	if r.IntN(2) == 0 {
		words = append(words, "(", "a", ",", "b", ")")
	}
	words = append(words, "VALUES")
	for i := range 1 + r.IntN(3) {
		if i > 0 {
			words = append(words, ",")
		}
		words = append(words, "(", insertWords[14+r.IntN(15)], ",", insertWords[14+r.IntN(15)], ")")
	}
	for range r.IntN(3) {
		at, word := r.IntN(len(words)), insertWords[r.IntN(len(insertWords))]
		switch r.IntN(3) {
		case 0:
			words[at] = word
		case 1:
			words = append(words[:at], words[at+1:]...)
		default:
			words = append(words[:at:at], append([]string{word}, words[at:]...)...)
		}
		if len(words) == 0 {
			break
		}
	}
	return strings.Join(words, []string{" ", " ", "", "\n"}[r.IntN(4)])
}

func TestConstantsAreReadAsTokensAre(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	pieces := 0
	for range 30_000 {
		pieces += sameWithConstants(t, randomInsert(r))
	}
	if pieces < 2000 {
		t.Errorf("only %d statements were read in one piece", pieces)
	}
}

// FuzzConstants reads any text in both ways.
func FuzzConstants(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(randomInsert(r))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := scan(text); err != nil {
			return
		}
		sameWithConstants(t, text)
	})
}
