package jsonb

import (
	"errors"
	"strings"
	"testing"

	"millrace/internal/golden"
	"millrace/internal/pgask"
)

// TestNormalForm holds the parser to PostgreSQL's answers, errors included, one text a line.
func TestNormalForm(t *testing.T) {
	t.Parallel()
	golden.Run(t, "testdata/normal", func(t *testing.T, c golden.Case) string {
		var out strings.Builder
		for line := range strings.SplitSeq(c.Input, "\n") {
			out.WriteString(normalLine(t, c.Cmd, line) + "\n")
		}
		return out.String()
	})
}

func normalLine(t *testing.T, cmd, line string) string {
	if pgask.Asking() {
		return pgask.Query(t, "SELECT $$"+line+"$$::"+cmd)
	}
	var got []byte
	var err error
	switch cmd {
	case "json":
		got, err = []byte(line), Valid([]byte(line))
	case "jsonb":
		got, err = Normalize(nil, []byte(line))
	default:
		t.Fatalf("unknown command %q", cmd)
	}
	var e *Error
	if errors.As(err, &e) {
		return pgask.Error(e.Code, e.Message, e.Detail, "")
	}
	return string(got)
}

// TestOrder sorts the lines of a case by their sort form.
func TestOrder(t *testing.T) {
	t.Parallel()
	golden.Run(t, "testdata/order", func(t *testing.T, c golden.Case) string {
		lines := strings.Split(c.Input, "\n")
		if pgask.Asking() {
			return pgask.Query(t, "SELECT v FROM (VALUES ($$"+strings.Join(lines, "$$::jsonb),($$")+"$$::jsonb)) AS t(v) ORDER BY v")
		}
		sortLines(lines)
		return strings.Join(lines, "\n")
	})
}
