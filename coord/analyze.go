package coord

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"millrace/coord/catalog"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/lower"
)

// explainAnalyze shows what the operators of a kept view have done since it was made, or those of a query that is run
// for it now.
func (s *Session) explainAnalyze(ctx context.Context, st *ast.Explain) (*Result, *repr.Error) {
	if st.Statement == nil {
		it, err := s.findFor(st.Kind, st.Name, false)
		if err != nil {
			return nil, err
		}
		if it.Failed != nil {
			return nil, errFailed(it).At(st.Name.Pos)
		}
		if it.Kind == catalog.MaterializedView || it.Kind == catalog.Index {
			return s.analyzeKept(ctx, it)
		}
	}
	if _, ok := st.Statement.(*ast.Query); !ok && st.Statement != nil {
		return nil, unsupported("EXPLAIN ANALYZE of this statement", st.Pos)
	}
	q, err := s.explained(st)
	if err != nil {
		return nil, err
	}
	return s.analyzeQuery(ctx, q)
}

// analyzeKept shows the operators of a view that is kept.
func (s *Session) analyzeKept(ctx context.Context, it *catalog.Item) (*Result, *repr.Error) {
	var lines []string
	err := s.c.do(ctx, func() {
		if v := s.c.viewOf(it.ID); v != nil {
			rows, bytes := v.kept()
			lines = append(analyzed(v.flow), fmt.Sprintf("Kept: %d rows, %s", rows, sizeText(bytes)))
		}
	})
	if err != nil {
		return nil, err
	}
	if lines == nil {
		return nil, repr.NewError(repr.CodeUndefinedTable, "\""+it.Name+"\" is not kept: it was dropped, or is a default index")
	}
	return explanation(lines), nil
}

// analyzeQuery runs a query and shows its operators instead of its rows.
func (s *Session) analyzeQuery(ctx context.Context, q *ast.Query) (*Result, *repr.Error) {
	if q.AsOf != nil {
		return nil, unsupported("EXPLAIN ANALYZE of a query with AS OF", q.AsOf.Pos)
	}
	began := s.c.opts.Clock.Now()
	p, err := s.planQuery(q, bindings{})
	if err != nil {
		return nil, err
	}
	planned := s.c.opts.Clock.Now()
	h, err := s.readHold(ctx, p.live)
	if err != nil {
		return nil, err
	}
	r, err := s.read(ctx, p, h)
	if err != nil {
		return nil, err
	}
	s.leaveOut(r)
	memory, err := s.statementBudget(ctx)
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	t := s.turn(ctx)
	t.of(memory)
	defer t.end()
	r.memory = memory
	run := s.c.oneShot(p.compiled.Graph, p.compiled.Arranged, r.has, memory)
	in, err := r.deltas(p, run.graph)
	run.large = r.large
	if err == nil {
		err = s.addSystem(ctx, p, in)
	}
	if err != nil {
		return nil, err
	}
	flow := run.flow()
	defer flow.Close()
	batch, err := run.on(ctx, flow, in)
	if err != nil {
		return nil, t.cause(err)
	}
	lines := append(analyzed(flow), p.reads()...)
	lines = append(lines, fmt.Sprintf("Result: %d distinct rows", batch.Len()),
		"Planning Time: "+msText(planned.Sub(began)), "Execution Time: "+msText(s.c.opts.Clock.Now().Sub(planned)))
	return explanation(lines), nil
}

// msText is a duration as EXPLAIN of PostgreSQL shows it.
func msText(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d.Microseconds())/1000) }

// analyzed is a table of the operators of a dataflow: what each took in and put out, what it holds, how long it worked
// over all workers, and which part of the whole that is.
func analyzed(flow *dataflow.Dataflow) []string {
	stats := flow.Stats()
	var total dataflow.OpStats
	for _, op := range stats {
		total.ArrangedRows += op.ArrangedRows
		total.ArrangedBytes += op.ArrangedBytes
		total.Elapsed += op.Elapsed
	}
	rows := [][]string{{"operator", "rows in", "rows out", "rows held", "bytes", "time", "share"}}
	for _, l := range lower.Tree(flow.Graph()) {
		row := []string{l.Text, "", "", "", "", "", ""}
		if !l.Again {
			op := stats[l.Node]
			row = append([]string{l.Text, itoa(op.RowsIn), itoa(op.RowsOut)}, held(op, total.Elapsed)...)
		}
		rows = append(rows, row)
	}
	rows = append(rows, append([]string{"total", "", ""}, held(total, total.Elapsed)...))
	return aligned(rows)
}

// held are the columns of what an operator holds and how long it worked.
func held(op dataflow.OpStats, total time.Duration) []string {
	share := 0.0
	if total > 0 {
		share = 100 * float64(op.Elapsed) / float64(total)
	}
	return []string{itoa(op.ArrangedRows), sizeText(op.ArrangedBytes), msText(op.Elapsed), fmt.Sprintf("%.1f %%", share)}
}

// aligned sets the cells of rows below one another: the first to the left, the others to the right.
func aligned(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	out := make([]string, len(rows))
	for k, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i > 0:
				b.WriteString("  " + pad + cell)
			default:
				b.WriteString(cell + pad)
			}
		}
		out[k] = strings.TrimRight(b.String(), " ")
	}
	return out
}
