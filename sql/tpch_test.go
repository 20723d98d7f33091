package sql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/golden"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/opt"
	"millrace/sql/parse"
	"millrace/sql/plan"
	"millrace/sql/rel"
)

// tpchTables are the tables of TPC-H, without keys.
const tpchTables = `
CREATE TABLE part (p_partkey int NOT NULL, p_name text NOT NULL, p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL,
  p_type varchar(25) NOT NULL, p_size int NOT NULL, p_container char(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL,
  p_comment varchar(23) NOT NULL);
CREATE TABLE supplier (s_suppkey int NOT NULL, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL, s_nationkey int NOT NULL,
  s_phone char(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL, s_comment varchar(101) NOT NULL);
CREATE TABLE partsupp (ps_partkey int NOT NULL, ps_suppkey int NOT NULL, ps_availqty int NOT NULL,
  ps_supplycost numeric(15,2) NOT NULL, ps_comment varchar(199) NOT NULL);
CREATE TABLE customer (c_custkey int NOT NULL, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, c_nationkey int NOT NULL,
  c_phone char(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL, c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL);
CREATE TABLE orders (o_orderkey int NOT NULL, o_custkey int NOT NULL, o_orderstatus char(1) NOT NULL,
  o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL,
  o_shippriority int NOT NULL, o_comment varchar(79) NOT NULL);
CREATE TABLE lineitem (l_orderkey int NOT NULL, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int NOT NULL,
  l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL,
  l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL,
  l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL,
  l_comment varchar(44) NOT NULL);
CREATE TABLE nation (n_nationkey int NOT NULL, n_name char(25) NOT NULL, n_regionkey int NOT NULL, n_comment varchar(152));
CREATE TABLE region (r_regionkey int NOT NULL, r_name char(25) NOT NULL, r_comment varchar(152));
`

// tpch is a catalog of the tables of TPC-H.
func tpch(tb testing.TB) catalog {
	tb.Helper()
	parsed, err := parse.Parse(tpchTables)
	if err != nil {
		tb.Fatal(err)
	}
	c := catalog{}
	for _, p := range parsed {
		st := p.Stmt.(*ast.CreateTable)
		desc, _, failure := plan.Columns(st.Columns, st.Constraints)
		if failure != nil {
			tb.Fatal(failure)
		}
		name := st.Name.Last()
		c[name] = &plan.Item{ID: uint64(len(c) + 1), Schema: "public", Name: name, Desc: desc}
	}
	return c
}

// bindIn plans a query against a catalog.
func bindIn(tb testing.TB, c catalog, text string) rel.Rel {
	tb.Helper()
	parsed, err := parse.Parse(text)
	if err != nil {
		tb.Fatalf("parse: %v\n%s", err, text)
	}
	env := &plan.Env{Catalog: c, Path: []string{"public"}, Eval: &expr.Env{}}
	bound, failure := plan.QueryAsView(env, parsed[0].Stmt.(*ast.Query), nil, true)
	if failure != nil {
		tb.Fatalf("bind: %v\n%s", failure, text)
	}
	return bound.Rel
}

// TestTPCH shows the plans of the 22 queries of TPC-H, with the validation parameters.
func TestTPCH(t *testing.T) {
	t.Parallel()
	c := tpch(t)
	paths, err := filepath.Glob(filepath.Join("testdata", "tpch", "*.sql"))
	if err != nil || len(paths) != 22 {
		t.Fatalf("%d queries (%v)", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		compiled, failure := sql.Compile(&expr.Env{}, bindIn(t, c, string(text)))
		if failure != nil {
			t.Errorf("%s: %v", path, failure)
			continue
		}
		golden.File(t, strings.TrimSuffix(path, ".sql")+".plan", compiled.Explain(sql.StageOptimized))
	}
}

// TestTPCHComesToRest counts the rounds until no rule changes a plan any more.
func TestTPCHComesToRest(t *testing.T) {
	t.Parallel()
	c := tpch(t)
	paths, _ := filepath.Glob(filepath.Join("testdata", "tpch", "*.sql"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, failure := opt.Decorrelate(bindIn(t, c, string(text)))
		if failure != nil {
			t.Fatal(failure)
		}
		ctx := &opt.Context{Env: &expr.Env{}}
		opt.Optimize(ctx, r)
		if ctx.Rounds() > 6 {
			t.Errorf("%s: %d rounds", path, ctx.Rounds())
		}
	}
}

// BenchmarkPlanTPCH is the way of each query from text to graph.
func BenchmarkPlanTPCH(b *testing.B) {
	c := tpch(b)
	for _, name := range []string{"q02", "q05", "q08", "q21"} {
		text, err := os.ReadFile(filepath.Join("testdata", "tpch", name+".sql"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sql.Compile(&expr.Env{}, bindIn(b, c, string(text))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
