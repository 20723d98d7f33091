package parse

import (
	"errors"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sql/ast"
)

func TestParseType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"int":                         "int4",
		"STRING":                      "text",
		"double precision":            "float8",
		"timestamp with time zone[]":  "timestamptz[]",
		"numeric(10,2)":               "numeric(10, 2)",
		"character varying(5)":        "varchar(5)",
		"pg_catalog.int4":             "pg_catalog.int4",
		`"My Type"(1)`:                `"My Type"(1)`,
		"interval day to second(2)":   "interval DAY TO SECOND(2)",
		"int array[4]":                "int4[]",
		"setof text":                  "SETOF text",
		"time (3) without time zone ": "time(3)",
	} {
		got, err := ParseType(text)
		if err != nil {
			t.Errorf("%s: %s", text, describe(err))
			continue
		}
		if ast.Format(got) != want {
			t.Errorf("%s: got %s, want %s", text, ast.Format(got), want)
		}
	}
	for _, text := range []string{"", "select", "int int", "numeric(", "int[", "1"} {
		if _, err := ParseType(text); err == nil {
			t.Errorf("%q is accepted as a type", text)
		}
	}
}

func TestParseExprRefusesMore(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a, b", "a b", "a) + (b", "a; b", "a AS b", "*", "DEFAULT", "SELECT 1"} {
		if _, err := ParseExpr(text); err == nil {
			t.Errorf("%q is accepted as an expression", text)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	list, err := Parse("SELECT $2, $1; INSERT INTO t VALUES ($3 + 1); BEGIN")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 3, 0} {
		if list[i].NumParams != want {
			t.Errorf("statement %d has %d parameters, want %d", i+1, list[i].NumParams, want)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	list, err := Parse(" ;; SELECT ';' ; -- ;\n/* ; */ SELECT 2 /* end */ ;; ")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range list {
		texts = append(texts, p.Text)
	}
	if got := strings.Join(texts, "|"); got != "SELECT ';'|SELECT 2" {
		t.Errorf("got %s", got)
	}
}

func TestIdentifiersAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 40)
	e, err := ParseExpr(`"` + long + `"`)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.(*ast.ColumnRef).Column(); got != strings.Repeat("é", 31) {
		t.Errorf("got %d bytes", len(got))
	}
}

// TestLimits checks that what is too large is refused with its SQLSTATE, and what is large isn't.
func TestLimits(t *testing.T) {
	t.Parallel()
	rows := strings.TrimSuffix(strings.Repeat("(1, 'two', 3.0, NULL), ", 20000), ", ")
	for _, c := range []struct{ name, sql, code string }{
		{"long", "SELECT '" + strings.Repeat("x", maxTextBytes) + "'", "54000"},
		{"parentheses", "SELECT " + strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500), "54001"},
		{"subqueries", strings.Repeat("SELECT (", 201) + "1" + strings.Repeat(")", 201), "54001"},
		{"brackets", "SELECT ARRAY" + strings.Repeat("[", 300) + strings.Repeat("]", 300), "54001"},
		{"cases", "SELECT " + strings.Repeat("CASE WHEN ", 300), "54001"},
		{"not", "SELECT " + strings.Repeat("NOT ", 100000) + "a", "54001"},
		{"minus", "SELECT " + strings.Repeat("- ", 100000) + "1", "54001"},
		{"sum", "SELECT 1" + strings.Repeat("+1", 100000), "54001"},
		{"concat", "SELECT 'a'" + strings.Repeat("||'a'", 100000), "54001"},
		{"prefix", "SELECT " + strings.Repeat("~ ", 100000) + "1", "54001"},
		{"unions", "SELECT 1" + strings.Repeat(" UNION SELECT 1", 10000), "54001"},
		{"joins", "SELECT 1 FROM a" + strings.Repeat(" JOIN a ON true", 10000), "54001"},
		{"deep enough", "SELECT " + strings.Repeat("(", 150) + "1" + strings.Repeat(")", 150), ""},
		{"many rows", "INSERT INTO t VALUES " + rows, ""},
		{"many ands", "SELECT a" + strings.Repeat(" AND a", 50000), ""},
		{"many in", "SELECT a IN (1" + strings.Repeat(", 1", 50000) + ")", ""},
		{"long sum", "SELECT 1" + strings.Repeat("+1", 1000), ""},
		{"bad bytes", "SELECT '\xff'", "22021"},
	} {
		_, err := Parse(c.sql)
		code := ""
		var e *repr.Error
		if errors.As(err, &e) {
			code = e.Code
		}
		if code != c.code {
			t.Errorf("%s: got %q (%.80s), want %q", c.name, code, describe(err), c.code)
		}
	}
}
