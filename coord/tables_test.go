package coord

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sources"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// severalStub is a source of two tables of one number each, whose batches the test pushes. At its end it pushes one of its own, late.
type severalStub struct {
	began chan sources.Events

	mu  sync.Mutex // guards fed
	fed []uint64
}

func (*severalStub) Describe(context.Context) (repr.RowDesc, [][]int, error) { return nil, nil, nil }
func (*severalStub) Grows() bool                                             { return false }
func (*severalStub) Schemas() (value, key string)                            { return "", "" }
func (*severalStub) Starve(uint64)                                           {}

func (*severalStub) Offers(context.Context) ([]sources.Offer, error) {
	cols := repr.RowDesc{{Name: "n", Type: repr.TypeOf(repr.KindInt8)}}
	return []sources.Offer{{Schema: "public", Name: "a", Columns: cols}, {Schema: "public", Name: "b", Columns: cols}}, nil
}

func (s *severalStub) Feed(t sources.Table) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fed = append(s.fed, t.ID)
	return nil
}

func (s *severalStub) Run(ctx context.Context, _ map[int32]int64, out sources.Events) error {
	s.began <- out
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	late := &sources.Batch{}
	for _, id := range s.fed {
		late.Parts = append(late.Parts, sources.Part{Table: id, Updates: numbers(1, 1)})
	}
	_ = out.Push(context.WithoutCancel(ctx), late) // what was on its way goes nowhere
	return ctx.Err()
}

// fedByStub makes a source of the stub, and gives the tables by name and what takes their batches.
func fedByStub(t *testing.T, cl *client) (map[string]uint64, sources.Events) {
	t.Helper()
	stub := &severalStub{began: make(chan sources.Events, 1)}
	s, ctx := cl.s, t.Context()
	it, err := s.newItem(ast.Name{Parts: []string{"src"}}, catalog.Source, false)
	if err != nil {
		t.Fatal(err)
	}
	errs := &catalog.Item{Schema: it.Schema, Name: errorsName(it.Name), Kind: catalog.Source, Desc: sources.ErrorColumns, Hidden: true}
	tables, err := s.tablesOf(ctx, &ast.CreateSource{Tables: &ast.ForTables{All: true}}, it, stub)
	if err == nil {
		err = s.reserve(ctx, it)
	}
	if err != nil {
		t.Fatal(err)
	}
	errs.On = it.ID
	belongTo(it, tables)
	made := &openSource{connector: stub, place: "stub"}
	if err := s.add(ctx, it, func() *repr.Error { return s.c.startSource(it, errs, made, tables) }, append(tables, errs)...); err != nil {
		t.Fatal(err)
	}
	byName := map[string]uint64{}
	for _, it := range tables {
		byName[it.Name] = it.ID
	}
	return byName, <-stub.began
}

func numbers(diff repr.Diff, ns ...int64) []sources.Update {
	var out []sources.Update
	for _, n := range ns {
		out = append(out, sources.Update{Row: repr.Append(nil, repr.IntOf(repr.KindInt8, n)), Diff: diff})
	}
	return out
}

// TestFedTables holds that the parts of a batch land in one tick, that a table is read only when its first content is complete, and
// that a content that is replaced goes as a whole.
func TestFedTables(t *testing.T) {
	t.Parallel()
	c := start(t, Options{})
	cl := connect(t, c)
	ids, out := fedByStub(t, cl)
	push := func(parts ...sources.Part) {
		t.Helper()
		if err := out.Push(t.Context(), &sources.Batch{Parts: parts}); err != nil {
			t.Fatal(err)
		}
	}
	answered := make(chan []string)
	reader := connect(t, c)
	go func() {
		rows, err := reader.run(t.Context(), "SELECT n FROM a UNION ALL SELECT n FROM b ORDER BY 1")
		if err != nil {
			rows = []string{err.Message}
		}
		answered <- rows
	}()
	push(sources.Part{Table: ids["a"], Replace: true, Updates: numbers(1, 7, 8)}) // half of a content that does not come to its end
	push(sources.Part{Table: ids["a"], Replace: true, Updates: numbers(1, 1)})
	push(sources.Part{Table: ids["a"], Updates: numbers(1, 2), Joined: true}, sources.Part{Table: ids["b"], Updates: numbers(1, 3), Joined: true})
	if got := <-answered; !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("read before the content was complete, or wrongly: %q", got)
	}
	if _, err := cl.run(t.Context(), "CREATE MATERIALIZED VIEW total AS SELECT (SELECT sum(n) FROM a) + (SELECT sum(n) FROM b)"); err != nil {
		t.Fatal(err)
	}
	for step := range int64(20) { // 6 is what both hold together, at every time
		push(sources.Part{Table: ids["a"], Replace: true, Updates: numbers(1, step)}, sources.Part{Table: ids["b"], Replace: true, Updates: numbers(1, 6-step)})
		if rows, err := cl.run(t.Context(), "SELECT * FROM total"); err != nil || !slices.Equal(rows, []string{"6"}) {
			t.Fatalf("step %d: %q, %v", step, rows, err)
		}
	}
	for statement, code := range map[string]string{"SELECT * FROM src": "42809", "INSERT INTO a VALUES (1)": "42809", "DROP SOURCE src": "2BP01"} {
		if _, err := cl.run(t.Context(), statement); err == nil || err.Code != code {
			t.Errorf("%s: %v, want %s", statement, err, code)
		}
	}
	if _, err := cl.run(t.Context(), "DROP SOURCE src CASCADE"); err != nil {
		t.Error(err)
	}
	if got := cl.must("SELECT count(*) FROM mz_tables WHERE name IN ('a', 'b')"); !slices.Equal(got, []string{"0"}) {
		t.Errorf("after DROP there are %q of the tables", got)
	}
}

// TestWantedTables: FOR ALL TABLES, FOR SCHEMAS and FOR TABLES.
func TestWantedTables(t *testing.T) {
	t.Parallel()
	offers := []sources.Offer{{Schema: "public", Name: "a"}, {Schema: "sales", Name: "b"}, {Schema: "sales", Name: "a"}, {Schema: "more", Name: "c"}}
	for clause, want := range map[string]string{
		"FOR ALL TABLES":                    "public.a sales.b sales.a more.c",
		"FOR SCHEMAS (sales)":               "sales.b sales.a",
		"FOR SCHEMAS (more, public)":        "public.a more.c",
		"FOR SCHEMAS (none)":                "",
		"FOR TABLES (sales.a AS x, more.c)": "sales.a more.c",
	} {
		parsed, err := parse.Parse("CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p') " + clause)
		if err != nil {
			t.Fatal(err)
		}
		got, failed := wanted(parsed[0].Stmt.(*ast.CreateSource).Tables, offers)
		var names []string
		for _, a := range got {
			names = append(names, a.Upstream.String())
		}
		if strings.Join(names, " ") != want || (failed == nil) != (want != "") {
			t.Errorf("%s: %v, %v", clause, names, failed)
		}
	}
}
