package fn_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/golden"
	"millrace/internal/pgask"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/parse"
)

// TestGolden holds functions to PostgreSQL's answers, one expression a line. The commands:
//
//	eval    an expression: its value and type
//	table   a call in FROM: its rows
//	agg     an aggregate over rows given as f(type, …) | value, … | value, …
//	ours    as eval, for what PostgreSQL has not or answers by the machine
//	ourtable  as table, likewise
//
// Arguments of the command are settings. In expressions now() is 2021-04-26 18:17:39.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.RunDir(t, "testdata", func(*testing.T) func(*testing.T, golden.Case) string {
		return func(t *testing.T, c golden.Case) string {
			h := newHarness(c)
			var out strings.Builder
			for line := range strings.SplitSeq(c.Input, "\n") {
				out.WriteString(h.line(t, c.Cmd, line) + "\n")
			}
			return out.String()
		}
	})
}

// harness evaluates expressions in a session with the settings of a case.
type harness struct {
	env      *expr.Env
	settings map[string]string
}

func newHarness(c golden.Case) *harness {
	h := &harness{settings: map[string]string{}}
	for _, a := range c.Args {
		h.settings[a.Key] = strings.Join(a.Values, ",")
	}
	h.env = &expr.Env{
		Now: time.Date(2021, 4, 26, 18, 17, 39, 0, time.UTC), User: "materialize", Database: "materialize",
		LogicalNow: 1619461059000, SearchPath: []string{"public"}, Catalog: objects{},
		Setting: func(name string) (string, bool) {
			v, ok := h.settings[name]
			return v, ok
		},
	}
	return h
}

func (h *harness) sets() []string {
	var out []string
	for k, v := range h.settings {
		out = append(out, "SET "+k+" = '"+v+"'")
	}
	slices.Sort(out)
	return out
}

func errorText(err *repr.Error) string {
	return pgask.Error(err.Code, err.Message, err.Detail, err.Hint)
}

func (h *harness) line(t *testing.T, cmd, line string) string {
	t.Helper()
	switch cmd {
	case "ours":
		return h.eval(t, line)
	case "eval":
		if pgask.Asking() {
			return pgask.Expr(t, line, h.sets()...)
		}
		return h.eval(t, line)
	case "table":
		if pgask.Asking() {
			return lines(pgask.Query(t, "SELECT * FROM "+line, h.sets()...))
		}
		return h.table(t, line)
	case "ourtable":
		return h.table(t, line)
	case "agg":
		a := parseAgg(t, line)
		if pgask.Asking() {
			return pgask.Expr(t, "(SELECT "+a.call()+" FROM ("+a.values()+") AS t("+a.columns()+"))", h.sets()...)
		}
		return h.aggregate(t, a)
	}
	t.Fatalf("unknown command %q", cmd)
	return ""
}

// lines shows several rows on one line.
func lines(s string) string { return strings.ReplaceAll(s, "\n", " / ") }

// bind evaluates an expression and gives its type; a literal of no type is text.
func (h *harness) bind(t *testing.T, text string) (repr.Datum, repr.Type, *repr.Error) {
	t.Helper()
	x, err := parse.ParseExpr(text)
	if err != nil {
		return repr.Null, repr.Type{}, asError(t, text, err)
	}
	b := binder{t: t, env: h.env}
	v, e := b.bind(x)
	if v.typ.Kind == repr.KindNull {
		v.typ = repr.TypeOf(repr.KindText)
	}
	return v.d, v.typ, e
}

func asError(t *testing.T, text string, err error) *repr.Error {
	t.Helper()
	e, ok := err.(*repr.Error)
	if !ok {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func (h *harness) text(t repr.Type, d repr.Datum) string {
	if d.IsNull() {
		return "NULL"
	}
	o := &pgfmt.Options{RegName: func(k repr.Kind, oid uint32) (string, bool) {
		f, _ := fn.Cast(repr.TypeOf(k), repr.TypeOf(repr.KindText), fn.CastExplicit)
		name, err := f.Eval(h.env, []repr.Datum{repr.IntOf(k, int64(oid))})
		return name.Str(), err == nil
	}}
	if z, ok := h.settings["timezone"]; ok {
		o.TimeZone, _ = pgfmt.Zone(z)
	}
	return strings.ReplaceAll(string(pgfmt.AppendText(nil, t, d, o)), "\n", `\n`)
}

func (h *harness) eval(t *testing.T, text string) string {
	t.Helper()
	d, typ, err := h.bind(t, text)
	if err != nil {
		return errorText(err)
	}
	typ.Mod = -1
	return h.text(typ, d) + " :: " + typ.String()
}

// args evaluates expressions and casts them to types.
func (h *harness) args(t *testing.T, texts []string) ([]repr.Datum, []repr.Type, *repr.Error) {
	t.Helper()
	vals, types := make([]repr.Datum, len(texts)), make([]repr.Type, len(texts))
	for i, s := range texts {
		d, typ, err := h.bind(t, s)
		if err != nil {
			return nil, nil, err
		}
		if strings.HasPrefix(s, "'") && strings.HasSuffix(s, "'") || s == "NULL" {
			typ = repr.TypeOf(repr.KindNull)
		}
		vals[i], types[i] = d, typ
	}
	return vals, types, nil
}

func (h *harness) cast(t *testing.T, vals []repr.Datum, from, to []repr.Type) *repr.Error {
	t.Helper()
	for i := range vals {
		f, ok := fn.Cast(from[i], to[min(i, len(to)-1)], fn.CastImplicit)
		if !ok {
			t.Fatalf("no cast from %s to %s", from[i], to[i])
		}
		if f == nil || vals[i].IsNull() {
			continue
		}
		d, err := f.Eval(h.env, vals[i:i+1])
		if err != nil {
			return err
		}
		vals[i] = d
	}
	return nil
}

func (h *harness) table(t *testing.T, text string) string {
	t.Helper()
	open := strings.IndexByte(text, '(')
	vals, types, err := h.args(t, splitArgs(text[open+1:strings.LastIndexByte(text, ')')]))
	if err != nil {
		return errorText(err)
	}
	f, err := fn.ResolveTable(text[:open], types)
	if err != nil {
		return errorText(err)
	}
	if err := h.cast(t, vals, types, f.Args); err != nil {
		return errorText(err)
	}
	var rows []string
	err = f.Eval(h.env, vals, func(row []repr.Datum) bool {
		var cells []string
		for i, d := range row {
			cells = append(cells, h.text(f.Cols[i].Type, d))
		}
		rows = append(rows, strings.Join(cells, "|"))
		return true
	})
	if err != nil {
		return errorText(err)
	}
	return strings.Join(rows, " / ")
}

// splitArgs cuts at the commas that are not in parentheses, brackets or quotes.
func splitArgs(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	var out []string
	depth, start, quoted := 0, 0, false
	for i, c := range s + "," {
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return out
}

// objects is a catalog of two relations.
type objects struct{}

func (objects) RelationName(oid uint32) (schema, name string, ok bool) {
	switch oid {
	case 16384:
		return "public", "t", true
	case 16385:
		return "other", "Odd", true
	default:
		return "", "", false
	}
}

func (objects) RelationOID(name string) (uint32, bool) {
	switch name {
	case "t":
		return 16384, true
	case `other."Odd"`:
		return 16385, true
	default:
		return 0, false
	}
}

func (objects) ViewDef(oid uint32) (string, bool) { return "SELECT 1", oid == 16384 }

func (objects) IndexDef(oid uint32, column int) (string, bool) {
	if column > 0 {
		return "a", oid == 16384
	}
	return "CREATE INDEX i ON t (a)", oid == 16384
}

func (objects) SchemaName(oid uint32) (string, bool) { return "public", oid == 2200 }

func (objects) SchemaOID(name string) (uint32, bool) { return 2200, name == "public" }

func (objects) RoleName(oid uint32) (string, bool) { return "materialize", oid == 10 }

func (objects) Comment(oid uint32, column int) (string, bool) {
	return "a comment", oid == 16384 && column != 1
}
