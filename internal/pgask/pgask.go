// Package pgask asks a real PostgreSQL 15 for the answers of golden tests, so that what the tests hold our
// functions to was said by PostgreSQL and not by us.
//
// It is used only while golden files are rewritten: GOLDEN=update MILLRACE_POSTGRES='host=… port=… user=…'
// go test ./repr/... ./sql/fn. Without MILLRACE_POSTGRES an update writes our own answers, and the diff shows
// where they differ. The database must be UTF8 with the collation C.UTF-8 and the time zone UTC; psql does the asking.
package pgask

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"millrace/internal/golden"
)

// Asking says whether answers are to come from PostgreSQL.
func Asking() bool { return golden.Updating() && os.Getenv("MILLRACE_POSTGRES") != "" }

// Expr is PostgreSQL's answer to one expression: "value :: type", or the error as Error writes it.
// Settings are statements that run before.
func Expr(t testing.TB, expr string, settings ...string) string {
	t.Helper()
	return Query(t, `SELECT CASE WHEN num_nulls(v) = 1 THEN 'NULL' ELSE replace(format('%s', v), E'\n', '\n') END || ' :: ' || pg_typeof(v) FROM (SELECT `+
		expr+` AS v OFFSET 0) AS t`, settings...)
}

// Query is the output of one query without decoration, or its error as Error writes it.
func Query(t testing.TB, query string, settings ...string) string {
	t.Helper()
	args := []string{
		"-X", "-A", "-t", "-q", "-v", "VERBOSITY=verbose", "-v", "ON_ERROR_STOP=1", "-P", "null=NULL",
		"-d", os.Getenv("MILLRACE_POSTGRES"),
	}
	for _, s := range append(settings, query) {
		args = append(args, "-c", s)
	}
	out, err := exec.Command("psql", args...).CombinedOutput()
	if err == nil {
		return strings.TrimSuffix(string(out), "\n")
	}
	if m := errorLine.FindSubmatch(out); m != nil {
		return Error(string(m[1]), string(m[2]), field(out, "DETAIL"), field(out, "HINT"))
	}
	t.Fatalf("psql: %v\n%s", err, out)
	return ""
}

var errorLine = regexp.MustCompile(`(?m)^(?:psql:.*: )?ERROR:  (\w{5}): (.*)$`)

func field(out []byte, name string) string {
	m := regexp.MustCompile(`(?m)^` + name + `:  (.*)$`).FindSubmatch(out)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// Error is how golden answers write an error.
func Error(code, message, detail, hint string) string {
	s := "ERROR " + code + ": " + message
	if detail != "" {
		s += " | DETAIL: " + detail
	}
	if hint != "" {
		s += " | HINT: " + hint
	}
	return s
}
