package sql_test

import (
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/golden"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/opt"
	"millrace/sql/parse"
	"millrace/sql/plan"
	"millrace/sql/rel"
)

// catalog holds the tables that the golden files ask about.
type catalog map[string]*plan.Item

func (c catalog) Resolve(parts []string, _ []string) (*plan.Item, *repr.Error) {
	name := parts[len(parts)-1]
	if item, ok := c[name]; ok {
		return item, nil
	}
	return nil, repr.NewError(repr.CodeUndefinedTable, `relation "`+name+`" does not exist`)
}

// shop are customers, their orders, and the items of those.
func shop() catalog {
	c := catalog{}
	table := func(name string, cols ...repr.Column) {
		c[name] = &plan.Item{ID: uint64(len(c) + 1), Schema: "public", Name: name, Desc: cols}
	}
	column := func(name string, k repr.Kind) repr.Column { return repr.Column{Name: name, Type: repr.TypeOf(k)} }
	key := func(name string) repr.Column {
		return repr.Column{Name: name, Type: repr.TypeOf(repr.KindInt8), NotNull: true}
	}
	table("customers", key("id"), column("name", repr.KindText), column("city", repr.KindText), column("vip", repr.KindBool))
	table("orders", key("id"), column("customer", repr.KindInt8), column("total", repr.KindNumeric), column("note", repr.KindText))
	table("items", key("order_id"), column("sku", repr.KindText), column("price", repr.KindInt8), column("qty", repr.KindInt8))
	table("events", key("id"), column("customer", repr.KindInt8), column("at", repr.KindTimestampTZ),
		column("local", repr.KindTimestamp), column("ms", repr.KindInt8), column("life", repr.KindInterval))
	return c
}

// bind plans the query of a golden case.
func bind(t *testing.T, text string) rel.Rel {
	t.Helper()
	parsed, err := parse.Parse(text)
	if err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	query, ok := parsed[0].Stmt.(*ast.Query)
	if !ok {
		t.Fatalf("%q is %T", text, parsed[0].Stmt)
	}
	env := &plan.Env{Catalog: shop(), Path: []string{"public"}, Eval: &expr.Env{}}
	bound, failure := plan.QueryAsView(env, query, nil, true)
	if failure != nil {
		t.Fatalf("bind %q: %v", text, failure)
	}
	return bound.Rel
}

// TestRules shows, for every rule, plans before and after it. What comes before in the table has been applied.
func TestRules(t *testing.T) {
	t.Parallel()
	for i, rule := range append(append([]opt.Rule{}, opt.Rules...), opt.Final...) {
		before := opt.Rules[:min(i, len(opt.Rules))]
		golden.Run(t, filepath.Join("opt", "testdata", rule.Name), func(t *testing.T, c golden.Case) string {
			r, err := opt.Decorrelate(bind(t, c.Input))
			if err != nil {
				t.Fatal(err)
			}
			ctx := &opt.Context{Env: &expr.Env{}}
			for _, b := range before {
				r = b.Apply(ctx, r)
			}
			after := rule.Apply(ctx, r)
			return rel.Format(r) + "=>\n" + rel.Format(after)
		})
	}
}

// TestDecorrelation shows plans as bound and without subqueries.
func TestDecorrelation(t *testing.T) {
	t.Parallel()
	golden.Run(t, filepath.Join("opt", "testdata", "decorrelate"), func(t *testing.T, c golden.Case) string {
		r := bind(t, c.Input)
		out, err := opt.Decorrelate(r)
		if err != nil {
			return err.Code + " " + err.Message
		}
		return rel.Format(r) + "=>\n" + rel.Format(out)
	})
}

// TestExplain shows queries at every stage.
func TestExplain(t *testing.T) {
	t.Parallel()
	stages := map[string]sql.Stage{"raw": sql.StageRaw, "decorrelated": sql.StageDecorrelated,
		"optimized": sql.StageOptimized, "physical": sql.StagePhysical, "dataflow": sql.StageDataflow}
	golden.Run(t, filepath.Join("testdata", "explain"), func(t *testing.T, c golden.Case) string {
		compiled, err := sql.Compile(&expr.Env{}, bind(t, c.Input))
		if err != nil {
			return err.Code + " " + err.Message
		}
		stage, ok := stages[c.Value("stage", "optimized")]
		if !ok {
			t.Fatalf("no stage %q", c.Value("stage", ""))
		}
		return strings.TrimRight(compiled.Explain(stage), "\n")
	})
}
