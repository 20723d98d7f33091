package plan

import (
	"slices"
	"testing"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/parse"
	"millrace/sql/rel"
)

const shop = `CREATE TABLE t (a int NOT NULL, b text, PRIMARY KEY (a)); CREATE VIEW v AS SELECT a FROM t WHERE a > 1`

func parseOne(t testing.TB, text string) ast.Statement {
	t.Helper()
	stmts, err := parse.Parse(text)
	if err != nil || len(stmts) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	return stmts[0].Stmt
}

func TestBindParameters(t *testing.T) {
	t.Parallel()
	c := newMemCatalog(t)
	c.run(t, shop)
	q := parseOne(t, "SELECT $2 || now()::text FROM t WHERE a = $1 AND EXISTS (SELECT 1 FROM t WHERE b = $2) LIMIT $3").(*ast.Query)
	bound, err := Query(c.env(), q)
	if err != nil {
		t.Fatal(err)
	}
	if want := []repr.Type{repr.TypeOf(repr.KindInt4), repr.TypeOf(repr.KindText), repr.TypeOf(repr.KindInt8)}; !slices.Equal(bound.Params, want) {
		t.Errorf("parameters %v", bound.Params)
	}
	if bound.Volatility != expr.Stable {
		t.Errorf("volatility %d", bound.Volatility)
	}
	run := bound.Bind([]repr.Datum{repr.Int4(7), repr.Text("x"), repr.Int8(3)}, c.env().Eval)
	visitRel(run.Rel, func(s expr.Scalar, _ int) {
		switch n := s.(type) {
		case *expr.Param:
			t.Errorf("parameter %d is left", n.N)
		case *expr.Call:
			if n.Fn.Name == "now" {
				t.Error("now() is left")
			}
		}
	})
	if got := rel.FormatScalar(run.Limit, nil); got != "3" {
		t.Errorf("limit %s", got)
	}
	if got := rel.FormatScalar(bound.Limit, nil); got != "$3" {
		t.Errorf("the bound query changed: limit %s", got)
	}
}

func TestConstExpr(t *testing.T) {
	t.Parallel()
	env := newMemCatalog(t).env()
	cases := []struct {
		text string
		want repr.Datum
		kind repr.Kind
		code string
	}{
		{"1 + 2", repr.Int8(3), repr.KindInt8, ""},
		{"'12'", repr.Int8(12), repr.KindInt8, ""},
		{"upper('a') || 'b'", repr.Text("Ab"), repr.KindText, ""},
		{"NULL", repr.Null, repr.KindText, ""},
		{"1 / 0", repr.Null, repr.KindInt8, repr.CodeDivisionByZero},
		{"a", repr.Null, repr.KindInt8, repr.CodeUndefinedColumn},
		{"(SELECT 1)", repr.Null, repr.KindInt8, repr.CodeFeatureNotSupported},
		{"$1", repr.Null, repr.KindInt8, repr.CodeFeatureNotSupported},
		{"count(*)", repr.Null, repr.KindInt8, repr.CodeGrouping},
		{"true", repr.Null, repr.KindDate, repr.CodeCannotCoerce},
	}
	for _, c := range cases {
		e, err := parse.ParseExpr(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got, rerr := ConstExpr(env, e, repr.TypeOf(c.kind))
		if code := ""; rerr != nil {
			code = rerr.Code
			if code != c.code {
				t.Errorf("%s: %s %v", c.text, code, rerr)
			}
			continue
		}
		if c.code != "" || got.Kind() != c.want.Kind() || !got.Equal(c.want) {
			t.Errorf("%s: got %v", c.text, got)
		}
	}
}

func TestRelation(t *testing.T) {
	t.Parallel()
	c := newMemCatalog(t)
	c.run(t, shop)
	bound, item, err := Relation(c.env(), ast.NewName("public", "v"))
	if err != nil || item.Name != "v" || len(bound.Cols) != 1 {
		t.Fatalf("%v %v", bound, err)
	}
	if want := []uint64{2, 1}; !slices.Equal(bound.Depends, want) {
		t.Errorf("depends on %v", bound.Depends)
	}
	if _, _, err := Relation(c.env(), ast.NewName("nope")); err == nil || err.Code != repr.CodeUndefinedTable {
		t.Errorf("got %v", err)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	n := parseOne(t, `CREATE TABLE x (a int UNIQUE, b varchar(3) NOT NULL, c numeric(5,2), d text[], PRIMARY KEY (b, c))`).(*ast.CreateTable)
	cols, keys, err := Columns(n.Columns, n.Constraints)
	if err != nil {
		t.Fatal(err)
	}
	want := repr.RowDesc{
		{Name: "a", Type: repr.TypeOf(repr.KindInt4)},
		{Name: "b", Type: repr.Type{Kind: repr.KindVarchar, Mod: 7}, NotNull: true},
		{Name: "c", Type: repr.Type{Kind: repr.KindNumeric, Mod: 5<<16 + 2 + 4}, NotNull: true},
		{Name: "d", Type: repr.ArrayOf(repr.KindText)},
	}
	if !slices.Equal(cols, want) {
		t.Errorf("columns %v", cols)
	}
	if len(keys) != 2 || !slices.Equal(keys[0], []int{1, 2}) || !slices.Equal(keys[1], []int{0}) {
		t.Errorf("keys %v", keys)
	}
	for text, code := range map[string]string{
		"CREATE TABLE x (a int, a int)":              "42701",
		"CREATE TABLE x (a nosuch)":                  repr.CodeUndefinedObject,
		"CREATE TABLE x (a int, PRIMARY KEY (nope))": repr.CodeUndefinedColumn,
	} {
		n := parseOne(t, text).(*ast.CreateTable)
		if _, _, err := Columns(n.Columns, n.Constraints); err == nil || err.Code != code {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDefaultAndKeys(t *testing.T) {
	t.Parallel()
	c := newMemCatalog(t)
	c.run(t, shop)
	col := repr.Column{Name: "a", Type: repr.TypeOf(repr.KindInt4)}
	for text, code := range map[string]string{
		"1 + 1": "", "'7'": "", "'x'": repr.CodeInvalidText, "'2020-01-01'::date": repr.CodeDatatypeMismatch,
		"(SELECT 1)": repr.CodeFeatureNotSupported,
	} {
		e, err := parse.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		if rerr := Default(c.env(), e, col); (rerr == nil) != (code == "") || rerr != nil && rerr.Code != code {
			t.Errorf("%s: %v", text, rerr)
		}
	}
	for text, code := range map[string]string{
		"CREATE INDEX i ON t (a, upper(b))":            "",
		"CREATE INDEX i ON t ((a + 1))":                "",
		"CREATE INDEX i ON t (nope)":                   repr.CodeUndefinedColumn,
		"CREATE INDEX i ON t (now())":                  "42P17",
		"CREATE INDEX i ON t ((b::json))":              repr.CodeUndefinedFunction,
		"CREATE INDEX i ON t (count(a))":               repr.CodeGrouping,
		"CREATE INDEX i ON t ((SELECT max(a) FROM t))": repr.CodeFeatureNotSupported,
	} {
		stmts, err := parse.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		_, rerr := Keys(c.env(), c.items[0], stmts[0].Stmt.(*ast.CreateIndex).Keys)
		if (rerr == nil) != (code == "") || rerr != nil && rerr.Code != code {
			t.Errorf("%s: %v", text, rerr)
		}
	}
}

func TestSideBySide(t *testing.T) {
	t.Parallel()
	count := func(n int) setCall {
		return setCall{args: []expr.Scalar{&expr.Const{}}, fn: &expr.TableFunc{Cols: repr.RowDesc{{Name: "n", NotNull: true}},
			Eval: func(_ *expr.Env, args []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
				row := make([]repr.Datum, 1)
				for i := range n {
					row[0] = repr.Int8(args[0].Int() + int64(i))
					if !emit(row) {
						return nil
					}
				}
				return nil
			}}}
	}
	zip := sideBySide([]setCall{count(2), count(0), count(3)})
	if len(zip.args) != 3 || len(zip.fn.Cols) != 3 || zip.fn.Cols[0].NotNull {
		t.Fatalf("%+v", zip)
	}
	var got [][]repr.Datum
	err := zip.fn.Eval(nil, []repr.Datum{repr.Int8(10), repr.Int8(20), repr.Int8(30)}, func(row []repr.Datum) bool {
		got = append(got, slices.Clone(row))
		return len(got) < 3
	})
	want := [][]repr.Datum{{repr.Int8(10), repr.Null, repr.Int8(30)}, {repr.Int8(11), repr.Null, repr.Int8(31)}, {repr.Null, repr.Null, repr.Int8(32)}}
	if err != nil || !slices.EqualFunc(got, want, func(a, b []repr.Datum) bool { return slices.EqualFunc(a, b, repr.Datum.Equal) }) {
		t.Errorf("got %v %v", got, err)
	}
}

// Deep and wide statements are bound within bounds, whatever their shape.
func BenchmarkQuery(b *testing.B) {
	c := newMemCatalog(b)
	c.run(b, shop)
	for name, text := range map[string]string{
		"small": "SELECT a, b FROM t WHERE a = 1",
		"joins": "SELECT t.b, count(*) FROM t JOIN t AS x USING (a) LEFT JOIN t AS y ON y.a = x.a WHERE EXISTS (SELECT 1 FROM v WHERE v.a = t.a) GROUP BY t.b ORDER BY 2 DESC LIMIT 10",
	} {
		q := parseOne(b, text).(*ast.Query)
		b.Run(name, func(b *testing.B) {
			env := c.env()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Query(env, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	c := newMemCatalog(t)
	c.run(t, shop)
	bound, err := Subscription(c.env(), parseOne(t, "SELECT a, a FROM t ORDER BY b LIMIT $1").(*ast.Query))
	if err != nil || len(bound.Cols) != 2 || bound.Hidden != 0 || bound.Order != nil || bound.Limit != nil || len(bound.Params) != 1 {
		t.Errorf("%+v %v", bound, err)
	}
	if _, err := Subscription(c.env(), parseOne(t, "SELECT now() FROM t").(*ast.Query)); err == nil || err.Code != repr.CodeFeatureNotSupported {
		t.Errorf("got %v", err)
	}
}
