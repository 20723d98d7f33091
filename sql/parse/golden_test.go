package parse

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"millrace/internal/golden"
	"millrace/repr"
	"millrace/sql/ast"
)

// TestGolden shows the tree of every form, and how it is written back.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.RunDir(t, "testdata/golden", func(*testing.T) func(*testing.T, golden.Case) string { return answer })
}

func answer(t *testing.T, c golden.Case) string {
	switch c.Cmd {
	case "expr":
		e, err := ParseExpr(c.Input)
		if err != nil {
			return describe(err)
		}
		return dump(e, false) + "\n" + ast.Format(e)
	case "stmt", "positions":
		list, err := Parse(c.Input)
		if err != nil {
			return describe(err)
		}
		var out []string
		for _, p := range list {
			out = append(out, dump(p.Stmt, c.Cmd == "positions"))
			if c.Cmd == "stmt" {
				out = append(out, ast.Format(p.Stmt))
			}
		}
		return strings.Join(out, "\n")
	case "error":
		_, err := Parse(c.Input)
		return describe(err)
	}
	t.Fatalf("%s: unknown command %s", c.Pos(), c.Cmd)
	return ""
}

// describe shows an error as a client sees it.
func describe(err error) string {
	if err == nil {
		return "accepted"
	}
	var e *repr.Error
	if !errors.As(err, &e) {
		return "not an error of ours: " + err.Error()
	}
	return fmt.Sprintf("%s at %d: %s", e.Code, e.Position, e.Message)
}
