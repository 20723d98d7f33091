package plan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/golden"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/parse"
	"millrace/sql/rel"
)

// memCatalog is a catalog made of CREATE statements.
type memCatalog struct {
	items []*Item
	path  []string
}

func (c *memCatalog) Resolve(parts []string, path []string) (*Item, *repr.Error) {
	schemas := append([]string{"pg_catalog"}, path...)
	if len(parts) > 1 {
		schemas = parts[len(parts)-2 : len(parts)-1]
	}
	for _, s := range schemas {
		for _, it := range c.items {
			if it.Schema == s && it.Name == parts[len(parts)-1] {
				return it, nil
			}
		}
	}
	return nil, repr.NewError(repr.CodeUndefinedTable, "relation \""+strings.Join(parts, ".")+"\" does not exist")
}

func (c *memCatalog) env() *Env {
	return &Env{Catalog: c, Path: c.path, Eval: &expr.Env{Now: time.Date(2021, 4, 26, 18, 0, 0, 0, time.UTC), User: "alice",
		Database: "shop", SearchPath: c.path, Catalog: c}}
}

// add runs one CREATE statement.
func (c *memCatalog) add(stmt ast.Statement) error {
	item := &Item{ID: uint64(len(c.items) + 1), OID: uint32(16384 + len(c.items)), Schema: "public"}
	name := func(n ast.Name) {
		item.Name = n.Last()
		if q := n.Qualifiers(); len(q) > 0 {
			item.Schema = q[len(q)-1]
		}
	}
	var err *repr.Error
	switch n := stmt.(type) {
	case *ast.CreateTable:
		name(n.Name)
		if item.Desc, item.Keys, err = Columns(n.Columns, n.Constraints); err != nil {
			return err
		}
		item.Defaults = make([]ast.Expr, len(n.Columns))
		for i, col := range n.Columns {
			for _, k := range col.Constraints {
				if k.Kind == ast.ConstraintDefault {
					item.Defaults[i] = k.Expr
				}
			}
		}
	case *ast.CreateView:
		name(n.Name)
		bound, err := QueryAsView(c.env(), n.Query, n.Columns, false)
		if err != nil {
			return err
		}
		item.Kind, item.View, item.ViewPath, item.Desc = ItemView, n.Query, c.path, bound.Cols
	case *ast.CreateMaterializedView:
		name(n.Name)
		bound, err := QueryAsView(c.env(), n.Query, n.Columns, true)
		if err != nil {
			return err
		}
		item.Kind, item.Desc = ItemMaterializedView, bound.Cols
	case *ast.CreateIndex:
		item.Name, item.Kind = n.Name, ItemIndex
	default:
		return fmt.Errorf("cannot add %T", stmt)
	}
	c.items = append(c.items, item)
	return nil
}

// The catalog functions find what the catalog has.

func (c *memCatalog) byOID(oid uint32) *Item {
	i := slices.IndexFunc(c.items, func(it *Item) bool { return it.OID == oid })
	if i < 0 {
		return nil
	}
	return c.items[i]
}

func (c *memCatalog) RelationName(oid uint32) (schema, name string, ok bool) {
	if it := c.byOID(oid); it != nil {
		return it.Schema, it.Name, true
	}
	return "", "", false
}

func (c *memCatalog) RelationOID(name string) (uint32, bool) {
	it, err := c.Resolve(strings.Split(name, "."), c.path)
	if err != nil {
		return 0, false
	}
	return it.OID, true
}

func (c *memCatalog) ViewDef(uint32) (string, bool)       { return "", false }
func (c *memCatalog) IndexDef(uint32, int) (string, bool) { return "", false }
func (c *memCatalog) SchemaName(uint32) (string, bool)    { return "", false }
func (c *memCatalog) SchemaOID(string) (uint32, bool)     { return 0, false }
func (c *memCatalog) RoleName(uint32) (string, bool)      { return "", false }
func (c *memCatalog) Comment(uint32, int) (string, bool)  { return "", false }

func newMemCatalog(t testing.TB, files ...string) *memCatalog {
	t.Helper()
	c := &memCatalog{path: []string{"public"}}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join("testdata", f))
		if err != nil {
			t.Fatal(err)
		}
		c.run(t, string(text))
	}
	return c
}

func (c *memCatalog) run(t testing.TB, text string) {
	t.Helper()
	stmts, err := parse.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stmts {
		if err := c.add(s.Stmt); err != nil {
			t.Fatalf("%s: %v", s.Text, err)
		}
	}
}

// TestGolden binds the statements of testdata/golden: a plan, or the error with its place.
func TestGolden(t *testing.T) {
	golden.RunDir(t, "testdata/golden", func(t *testing.T) func(*testing.T, golden.Case) string {
		c := newMemCatalog(t)
		return func(t *testing.T, g golden.Case) string { return c.answer(t, g) }
	})
}

func (c *memCatalog) answer(t *testing.T, g golden.Case) string {
	stmts, err := parse.Parse(g.Input)
	if err != nil {
		return errorText(err)
	}
	if g.Cmd == "create" {
		for _, s := range stmts {
			if err := c.add(s.Stmt); err != nil {
				return errorText(err)
			}
		}
		return ""
	}
	var b strings.Builder
	for i, s := range stmts {
		if i > 0 {
			b.WriteString("\n")
		}
		c.bind(t, &b, g, s.Stmt)
	}
	return b.String()
}

// bind writes what a statement is bound to: with the command "columns" its columns alone.
func (c *memCatalog) bind(t *testing.T, b *strings.Builder, g golden.Case, stmt ast.Statement) {
	bound, w, err := bindStatement(c.env(), stmt)
	if err != nil {
		b.WriteString(errorText(err))
		return
	}
	checkPlan(t, bound)
	writeColumns(b, bound)
	if g.Cmd != "columns" {
		b.WriteString(rel.Format(bound.Rel))
	}
	if w != nil && w.Returning != nil {
		b.WriteString("returning")
		for i, e := range w.Returning.Exprs {
			fmt.Fprintf(b, " %s=%s", w.Returning.Cols[i].Name, rel.FormatScalar(e, w.Table.Desc))
		}
		b.WriteString("\n")
	}
}

func bindStatement(env *Env, stmt ast.Statement) (*Bound, *Write, error) {
	var bound *Bound
	var w *Write
	var err *repr.Error
	switch n := stmt.(type) {
	case *ast.Query:
		bound, err = Query(env, n)
	case *ast.CreateView:
		bound, err = QueryAsView(env, n.Query, n.Columns, false)
	case *ast.CreateMaterializedView:
		bound, err = QueryAsView(env, n.Query, n.Columns, true)
	case *ast.Insert:
		w, err = Insert(env, n)
	case *ast.Update:
		w, err = Update(env, n)
	case *ast.Delete:
		w, err = Delete(env, n)
	case *ast.Prepare:
		for _, t := range n.Types {
			typ, err := Type(t)
			if err != nil {
				return nil, nil, err
			}
			env.ParamTypes = append(env.ParamTypes, typ)
		}
		return bindStatement(env, n.Statement)
	default:
		return nil, nil, fmt.Errorf("cannot bind %T", stmt)
	}
	if err != nil {
		return nil, nil, err
	}
	if w != nil {
		bound = w.Query
	}
	return bound, w, nil
}

func writeColumns(b *strings.Builder, q *Bound) {
	for i, c := range q.Cols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name + " " + c.Type.String())
	}
	b.WriteString("\n")
	if q.Hidden > 0 {
		fmt.Fprintf(b, "hidden %d\n", q.Hidden)
	}
	for _, o := range q.Order {
		fmt.Fprintf(b, "order #%d desc=%v nullsfirst=%v\n", o.Col, o.Desc, o.NullsFirst)
	}
	if q.Limit != nil {
		b.WriteString("limit " + rel.FormatScalar(q.Limit, nil) + "\n")
	}
	if q.Offset != nil {
		b.WriteString("offset " + rel.FormatScalar(q.Offset, nil) + "\n")
	}
	if len(q.Params) > 0 {
		fmt.Fprintf(b, "params %v\n", q.Params)
	}
	if q.Volatility != expr.Immutable {
		fmt.Fprintf(b, "volatility %d\n", q.Volatility)
	}
}

func errorText(err error) string {
	var e *repr.Error
	if !errors.As(err, &e) {
		return "error " + err.Error() + "\n"
	}
	out := fmt.Sprintf("error %s at %d: %s\n", e.Code, e.Position, e.Message)
	if e.Detail != "" {
		out += "detail: " + e.Detail + "\n"
	}
	if e.Hint != "" {
		out += "hint: " + e.Hint + "\n"
	}
	return out
}

// checkPlan fails on a plan that breaks the invariants of the package.
func checkPlan(t *testing.T, q *Bound) {
	t.Helper()
	if refs := rel.FreeOuter(q.Rel); len(refs) > 0 {
		t.Errorf("references leave the plan: %v", refs)
	}
	cols := q.Rel.Columns()
	if len(cols) != len(q.Cols)+q.Hidden {
		t.Errorf("%d columns in the plan, %d bound", len(cols), len(q.Cols)+q.Hidden)
	}
	for i, c := range q.Cols {
		if cols[i].Type != c.Type {
			t.Errorf("column %d is %v in the plan, bound as %v", i, cols[i].Type, c.Type)
		}
	}
	checkRel(t, q.Rel, nil)
}

// checkRel checks each expression of a plan against the rows it is over, those around it included.
func checkRel(t *testing.T, r rel.Rel, around []repr.RowDesc) {
	t.Helper()
	row := inputRow(r)
	for _, s := range rel.Scalars(r) {
		checkScalar(t, s, row, around)
	}
	if a, ok := r.(*rel.Apply); ok {
		checkRel(t, a.Left, around)
		checkRel(t, a.Right, append([]repr.RowDesc{a.Left.Columns()}, around...))
		return
	}
	for _, in := range rel.Children(r) {
		checkRel(t, in, around)
	}
}

// inputRow is the row that the expressions of a node are over.
func inputRow(r rel.Rel) repr.RowDesc {
	switch n := r.(type) {
	case *rel.Join:
		return append(slices.Clone(n.Left.Columns()), n.Right.Columns()...)
	case *rel.Apply:
		return append(slices.Clone(n.Left.Columns()), n.Right.Columns()...)
	}
	if in := rel.Children(r); len(in) > 0 {
		return in[0].Columns()
	}
	return nil
}

func checkScalar(t *testing.T, s expr.Scalar, row repr.RowDesc, around []repr.RowDesc) {
	t.Helper()
	expr.Walk(s, func(n expr.Scalar) bool {
		switch e := n.(type) {
		case *expr.Column:
			checkRef(t, e.Index, e.Typ, row)
		case *expr.Outer:
			if e.Level > len(around) {
				t.Errorf("level %d of %d rows around", e.Level, len(around))
				return false
			}
			checkRef(t, e.Index, e.Typ, around[e.Level-1])
		case *expr.Call:
			checkCall(t, e)
		case *expr.Subquery:
			checkRel(t, e.Query.(rel.Rel), append([]repr.RowDesc{row}, around...))
		}
		return true
	})
}

func checkRef(t *testing.T, i int, typ repr.Type, row repr.RowDesc) {
	t.Helper()
	if i >= len(row) {
		t.Errorf("column %d of a row with %d", i, len(row))
		return
	}
	if row[i].Type != typ {
		t.Errorf("column %d is taken for %v, but is %v", i, typ, row[i].Type)
	}
}

func checkCall(t *testing.T, e *expr.Call) {
	t.Helper()
	for i, a := range e.Args {
		if len(e.Fn.Args) == 0 || e.Fn.Args[0].Kind == repr.KindNull {
			return // takes anything
		}
		want := e.Fn.Args[min(i, len(e.Fn.Args)-1)]
		if got := a.Type(); !sameType(got, want) {
			t.Errorf("operand %d of %s is %v, wanted %v", i, e.Fn.Name, got, want)
		}
	}
}

// TestClients binds every query that real clients send. The golden file names those that are refused, and why.
func TestClients(t *testing.T) {
	t.Parallel()
	refusals(t, newMemCatalog(t, "pg_catalog.sql", "shop.sql"), "../parse/testdata/clients/*.sql", "testdata/clients.refused")
}

// TestAnalytics binds the queries that analytical and streaming engines are asked for.
func TestAnalytics(t *testing.T) {
	t.Parallel()
	refusals(t, newMemCatalog(t, "analytics.sql"), "../parse/testdata/corpus/analytics.sql", "testdata/analytics.refused")
}

// refusals binds all queries and writes of some files and compares the list of those that are refused.
func refusals(t *testing.T, c *memCatalog, pattern, answer string) {
	t.Helper()
	var refused strings.Builder
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file %s (%v)", pattern, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var stmts []parse.Parsed
		for _, one := range statementBorder.Split(string(text), -1) {
			if list, err := parse.Parse(one); err == nil { // package parse lists the others
				stmts = append(stmts, list...)
			}
		}
		total, bad := 0, 0
		for _, s := range stmts {
			if !binds(s.Stmt) {
				continue
			}
			total++
			bound, _, err := bindStatement(c.env(), s.Stmt)
			if err == nil {
				checkPlan(t, bound)
				continue
			}
			bad++
			refused.WriteString(shorten(s.Text) + "\n    " + strings.ReplaceAll(strings.TrimSpace(errorText(err)), "\n", "\n    ") + "\n")
		}
		fmt.Fprintf(&refused, "%s: %d of %d refused\n\n", filepath.Base(path), bad, total)
	}
	golden.File(t, answer, refused.String())
}

// statementBorder parts the statements that were captured of the clients.
var statementBorder = regexp.MustCompile(`(?m)^(?:--.*|####.*)$`)

// binds says whether a statement is a query or a write.
func binds(stmt ast.Statement) bool {
	switch stmt.(type) {
	case *ast.Query, *ast.Insert, *ast.Update, *ast.Delete:
		return true
	default:
		return false
	}
}

func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}
