package coord

import (
	"context"
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/plan"
)

// explain shows the plan of a query or view after a stage.
func (s *Session) explain(ctx context.Context, st *ast.Explain) (*Result, *repr.Error) {
	if st.Analyze {
		return nil, unsupported("EXPLAIN ANALYZE", st.Pos)
	}
	q, err := s.explained(st)
	if err != nil {
		return nil, err
	}
	if st.Stage == ast.ExplainTimestamp {
		return s.explainTimestamp(ctx, q)
	}
	compiled, err := s.compileFor(st, q)
	if err != nil {
		return nil, err
	}
	stage := map[ast.ExplainStage]sql.Stage{ast.ExplainRaw: sql.StageRaw, ast.ExplainDecorrelated: sql.StageDecorrelated,
		ast.ExplainDataflow: sql.StageDataflow, ast.ExplainPhysical: sql.StagePhysical}
	show, ok := stage[st.Stage]
	if !ok {
		show = sql.StageOptimized
	}
	var rows [][]string
	for line := range strings.SplitSeq(strings.TrimRight(compiled.Explain(show), "\n"), "\n") {
		rows = append(rows, []string{line})
	}
	return &Result{Tag: "EXPLAIN", Cols: textColumns("QUERY PLAN"), Rows: textRows(rows...)}, nil
}

// compileFor compiles what an EXPLAIN is about as it will run: kept, if it is a materialized view, else once.
func (s *Session) compileFor(st *ast.Explain, q *ast.Query) (*sql.Compiled, *repr.Error) {
	env := s.env(s.c.Catalog())
	_, kept := st.Statement.(*ast.CreateMaterializedView)
	if st.Statement == nil {
		it, err := s.findFor(st.Kind, st.Name, false)
		if err != nil {
			return nil, err
		}
		kept = it.Kind == catalog.MaterializedView
	}
	if kept {
		bound, err := bindKept(env, q)
		if err != nil {
			return nil, err
		}
		return sql.Compile(&expr.Env{}, bound.Rel)
	}
	bound, err := plan.Query(env, q)
	if err != nil {
		return nil, err
	}
	return sql.Compile(env.Eval, bound.Rel)
}

// explained is the query that an EXPLAIN is about.
func (s *Session) explained(st *ast.Explain) (*ast.Query, *repr.Error) {
	if st.Statement == nil {
		it, err := s.findFor(st.Kind, st.Name, false)
		if err != nil {
			return nil, err
		}
		if it.Query == nil {
			return nil, repr.NewError(repr.CodeWrongObjectType, "\""+it.Name+"\" has no plan: it is a "+it.Kind.String()).At(st.Name.Pos)
		}
		return it.Query, nil
	}
	switch inner := st.Statement.(type) {
	case *ast.Query:
		return inner, nil
	case *ast.CreateView:
		return inner.Query, nil
	case *ast.CreateMaterializedView:
		return inner.Query, nil
	default:
		return nil, unsupported("EXPLAIN of this statement", st.Pos)
	}
}

// explainTimestamp says at which time a query would read, and how far its inputs are.
func (s *Session) explainTimestamp(ctx context.Context, q *ast.Query) (*Result, *repr.Error) {
	p, err := s.planQuery(q, bindings{})
	if err != nil {
		return nil, err
	}
	var lines [][]string
	err = s.c.do(ctx, func() {
		at := s.c.oracle.complete
		if s.tx.hold != nil {
			at = s.tx.hold.at
		}
		lines = append(lines, []string{"query timestamp: " + itoa(int64(at))})
		for _, id := range p.live {
			if col := s.c.collections[id]; col != nil {
				lines = append(lines, []string{"  " + col.name + ": since " + itoa(int64(col.ok.Since())) +
					", upper " + itoa(int64(col.ok.Upper()))})
			}
		}
		waits, _ := s.c.unready(p.live)
		for _, w := range waits {
			lines = append(lines, []string{"  waits for " + w})
		}
	})
	if err != nil {
		return nil, err
	}
	return &Result{Tag: "EXPLAIN", Cols: textColumns("QUERY PLAN"), Rows: textRows(lines...)}, nil
}

// status is what the system tables and metrics show of what runs. It runs in the loop.
func (c *Coordinator) status() *catalog.Status {
	st := &catalog.Status{Objects: map[uint64]catalog.ObjectStatus{}, Complete: c.oracle.complete, Ticks: c.stats.Ticks.Load()}
	for id, col := range c.collections {
		st.Objects[id] = catalog.ObjectStatus{ID: id, Name: col.name, Status: "running", Rows: col.ok.Rows(), Errors: col.errs.Rows(),
			Bytes: col.bytes(), Upper: col.ok.Upper(), Since: col.ok.Since()}
		for sub := range col.readers {
			st.Subscriptions = append(st.Subscriptions, catalog.SubscriptionStatus{Object: id, HeldBytes: sub.heldBytes()})
		}
	}
	for _, v := range c.views {
		o := st.Objects[v.out.id]
		o.FlowBytes = v.flow.Bytes()
		for _, op := range v.flow.Stats() {
			o.Operators = append(o.Operators, catalog.OperatorStatus{Label: op.Label, RowsIn: op.RowsIn, RowsOut: op.RowsOut,
				Bytes: op.ArrangedBytes, Elapsed: op.Elapsed})
		}
		if v.failed != nil {
			o.Status, o.Error = "failed", v.failed.Error()
		}
		st.Objects[v.out.id] = o
	}
	for id, r := range c.sources {
		o := st.Objects[id]
		o.Status, o.Error, o.Hint = r.state.Status, r.state.Error, r.state.Hint
		o.Good, o.Bad, o.ReadBytes, o.NewestMS, o.CaughtUp = r.good, r.bad, r.bytes, r.newestMS, r.caughtUp
		for p, next := range r.next {
			o.Partitions = append(o.Partitions, catalog.PartitionStatus{Partition: p, Next: next, High: max(r.high[p], next)})
		}
		st.Objects[id] = o
	}
	for id, r := range c.sinks {
		cur := r.current()
		st.Objects[id] = catalog.ObjectStatus{ID: id, Name: r.name, Status: cur.Status, Error: cur.Error, Hint: cur.Hint, Good: cur.Records, Upper: cur.Written}
	}
	return st
}

// Status is what runs and how far it is.
func (c *Coordinator) Status(ctx context.Context) (*catalog.Status, *repr.Error) {
	var st *catalog.Status
	err := c.do(ctx, func() { st = c.status() })
	return st, err
}
