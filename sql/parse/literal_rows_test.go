package parse

import (
	"strings"
	"testing"
)

// Rows of constants are read as the library reads them, to the position; what is not that is left to it.
func TestLiteralRowsAreAsTheLibraryReadsThem(t *testing.T) {
	t.Parallel()
	for text, ours := range map[string]bool{
		"VALUES (1)": true,
		"values (1, 'a''b', NULL), (-2, E'\\n', true)": true,
		"VALUES (1.5e3, $$x$$), (.5, U&'\\0061')":      true,
		"VALUES\n (false) ,\n (TRUE)":                  true,
		"VALUES ('a'\n'b')":                            true,
		"VALUES (- 1, -1.5)":                           true,
		"VALUES (+1)":                                  false,
		"VALUES (- -1)":                                false,
		"VALUES (1 + 2)":                               false,
		"VALUES (1::text)":                             false,
		"VALUES ((1))":                                 false,
		"VALUES (date '2020-01-01')":                   false,
		"VALUES (1) ORDER BY 1":                        false,
		"VALUES (1) UNION VALUES (2)":                  false,
		"VALUES (1), (1, 2)":                           false,
		"VALUES ()":                                    false,
		"VALUES (1,)":                                  false,
		"VALUES (1) (2)":                               false,
		"VALUES (1),":                                  false,
		"VALUES (1":                                    false,
		"VALUES (b)":                                   false,
		"VALUES":                                       false,
		"(VALUES (1))":                                 false,
		"VALUES (B'01')":                               false,
	} {
		p, err := parserOf(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got := p.literalRows(0, p.end())
		if (got != nil) != ours {
			t.Errorf("%s: read as constants: %v, want %v", text, got != nil, ours)
		}
		if got == nil {
			continue
		}
		want := p.libraryQuery(0, p.end())
		if p.err != nil || dump(got, true) != dump(want, true) {
			t.Errorf("%s (%v): got\n%s\nwant\n%s", text, p.err, dump(got, true), dump(want, true))
		}
	}
}

// BenchmarkInsert reads an INSERT of a thousand rows; the figure is per statement.
func BenchmarkInsert(b *testing.B) {
	text := "INSERT INTO t VALUES " + strings.Repeat("(1, 'some text', -2.50, NULL, '2020-01-01'), ", 999) + "(2, '', 0, 'x', NULL)"
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
