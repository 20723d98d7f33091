package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/rel"
)

// session puts rows into sessions: rows of a partition whose times are at most a gap apart, one to the next. It is
// written with window functions, which compute again what a change touches and no more:
//
//	SELECT *, max(time) OVER (PARTITION BY p, start) + gap AS end FROM
//	  (SELECT *, max(CASE WHEN prev IS NULL OR time > prev + gap THEN time END) OVER (PARTITION BY p ORDER BY time) AS start FROM
//	    (SELECT *, lag(time) OVER (PARTITION BY p ORDER BY time) AS prev FROM
//	      (SELECT *, … AS time, … AS p FROM relation WHERE … IS NOT NULL)))
//
// A row that joins or parts two sessions so changes the rows of these alone. Names begin with a blank where a column
// of the relation could have the same.
func (w *windowing) session() *repr.Error {
	gap, err := w.positive(w.rest[0], "gap")
	if err != nil {
		return err
	}
	s := &sessions{at: w.call.At, gap: gap}
	ref := w.call.Args[0].(*ast.ColumnRef)
	width := len(w.rel.Columns())
	q := s.query(&ast.TableRef{At: ref.At, Name: ast.Name{At: ref.At, Parts: ref.Parts}}, s.firstTargets(w)...)
	q.Body.(*ast.Select).Where = &ast.Is{At: s.at, Not: true, Kind: ast.IsNull, Arg: w.call.Args[1]}
	byTime := s.over(s.partition, true)
	q = s.around(q, selected(s.call("lag", byTime, s.column(" time")), " prev"))
	begins := &ast.Logic{At: s.at, Or: true, Args: []ast.Expr{
		&ast.Is{At: s.at, Kind: ast.IsNull, Arg: s.column(" prev")},
		&ast.Binary{At: s.at, Op: ">", Left: s.column(" time"), Right: s.later(s.column(" prev"))},
	}}
	first := &ast.Case{At: s.at, Whens: []ast.When{{At: s.at, Cond: begins, Then: s.column(" time")}}}
	q = s.around(q, selected(s.call("max", byTime, first), " start"))
	whole := s.over(append(s.partition[:len(s.partition):len(s.partition)], s.column(" start")), false)
	q = s.around(q, selected(s.later(s.call("max", whole, s.column(" time"))), " end"))
	out, err := w.b.query(q, w.fr)
	if err != nil {
		return err
	}
	in := collapse(out)
	last := len(in.Columns())
	cols := append(upTo(width), last-2, last-1)
	names := append(namesOf(w.rel.Columns()), "window_start", "window_end")
	w.rel = &rel.Project{Input: in, Cols: cols, Names: names}
	return nil
}

// sessions writes the query of a session window.
type sessions struct {
	at        ast.At
	gap       int64
	partition []ast.Expr
}

// firstTargets are the time, as a timestamp, and the expressions of the partition, each under a name of its own.
func (s *sessions) firstTargets(w *windowing) []ast.Target {
	as := &ast.TypeName{At: s.at, Name: ast.Name{At: s.at, Parts: []string{repr.Kinds[w.time.Type().Kind].Name}}}
	out := []ast.Target{selected(&ast.Cast{At: s.at, Arg: w.call.Args[1], Type: as}, " time")}
	for i, e := range w.rest[1:] {
		name := " partition " + itoa(i)
		out = append(out, selected(e, name))
		s.partition = append(s.partition, s.column(name))
	}
	return out
}

func selected(e ast.Expr, name string) ast.Target {
	return ast.Target{At: ast.At{Pos: place(e)}, Expr: e, Alias: name}
}

func (s *sessions) column(name string) ast.Expr {
	return &ast.ColumnRef{At: s.at, Parts: []string{name}}
}

func (s *sessions) call(name string, over *ast.WindowSpec, arg ast.Expr) ast.Expr {
	return &ast.FuncCall{At: s.at, Name: ast.Name{At: s.at, Parts: []string{name}}, Args: []ast.Expr{arg}, Over: over}
}

func (s *sessions) over(partition []ast.Expr, byTime bool) *ast.WindowSpec {
	spec := &ast.WindowSpec{At: s.at, PartitionBy: partition}
	if byTime {
		spec.OrderBy = []ast.OrderItem{{At: s.at, Expr: s.column(" time")}}
	}
	return spec
}

// later is a time moved by the gap.
func (s *sessions) later(e ast.Expr) ast.Expr {
	as := &ast.TypeName{At: s.at, Name: ast.Name{At: s.at, Parts: []string{"interval"}}}
	gap := &ast.Cast{At: s.at, Arg: &ast.StringLit{At: s.at, Value: itoa(int(s.gap)) + " microseconds"}, Type: as}
	return &ast.Binary{At: s.at, Op: "+", Left: e, Right: gap}
}

// query selects everything of an item, and more.
func (s *sessions) query(from ast.TableExpr, more ...ast.Target) *ast.Query {
	targets := append([]ast.Target{{At: s.at, Expr: &ast.Star{At: s.at}}}, more...)
	return &ast.Query{At: s.at, Body: &ast.Select{At: s.at, Targets: targets, From: []ast.TableExpr{from}}}
}

// around selects everything of a query, and more.
func (s *sessions) around(q *ast.Query, more ast.Target) *ast.Query {
	return s.query(&ast.Subquery{At: s.at, Query: q}, more)
}
