package coord

import (
	"context"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/sql/rel"
)

// explain shows the plan of a query or view after a stage, or what its operators do.
func (s *Session) explain(ctx context.Context, st *ast.Explain) (*Result, *repr.Error) {
	analyze, err := explainOptions(st)
	if err != nil {
		return nil, err
	}
	if analyze {
		return s.explainAnalyze(ctx, st)
	}
	switch st.Statement.(type) {
	case *ast.Insert, *ast.Update, *ast.Delete:
		return s.explainModify(st)
	}
	q, err := s.explained(st)
	if err != nil {
		return nil, err
	}
	if st.Stage == ast.ExplainTimestamp {
		return s.explainTimestamp(ctx, q)
	}
	if st.Stage == ast.ExplainParsed {
		return explanation([]string{ast.Format(q)}), nil
	}
	self, err := s.keptItem(st)
	if err != nil {
		return nil, err
	}
	_, kept := st.Statement.(*ast.CreateMaterializedView)
	kept = kept || self != 0
	compiled, finish, err := s.compileFor(q, kept, self)
	if err != nil {
		return nil, err
	}
	lines := finished(finish, s.stageLines(st, compiled, kept))
	if kept && st.Stage == ast.ExplainPhysical {
		asked := collectionsOf(compiled.Optimized)
		parts := slices.DeleteFunc(slices.Clone(compiled.Inputs), func(id uint64) bool { return slices.Contains(asked, id) })
		more, err := s.c.partLines(ctx, parts, self)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	return explanation(lines), nil
}

// explainModify shows the plan of the query by which a statement finds what it writes.
func (s *Session) explainModify(st *ast.Explain) (*Result, *repr.Error) {
	w, env, err := s.bindModify(st.Statement, nil)
	if err != nil {
		return nil, err
	}
	compiled, err := sql.Compile(env.Eval, w.Query.Bind(nil, env.Eval).Rel)
	if err != nil {
		return nil, err
	}
	word := modifyWord(st.Statement)
	head := word[:1] + strings.ToLower(word[1:]) + " on " + w.Table.Name
	return explanation(append([]string{head}, s.stageLines(st, compiled, false)...)), nil
}

// stageLines is a plan after the stage that was asked for; of a query that is run once also how it reads.
func (s *Session) stageLines(st *ast.Explain, compiled *sql.Compiled, kept bool) []string {
	compiled.Graph, _ = importing(compiled.Graph, s.c.keptOf(compiled.Arranged))
	stage := map[ast.ExplainStage]sql.Stage{ast.ExplainRaw: sql.StageRaw, ast.ExplainDecorrelated: sql.StageDecorrelated,
		ast.ExplainDataflow: sql.StageDataflow, ast.ExplainPhysical: sql.StagePhysical}
	show, ok := stage[st.Stage]
	if !ok {
		show = sql.StageOptimized
	}
	lines := strings.Split(strings.TrimRight(compiled.Explain(show), "\n"), "\n")
	if kept || st.Stage != ast.ExplainDefault && st.Stage != ast.ExplainPhysical {
		return lines
	}
	snap := s.c.Catalog()
	p := &queryPlan{snap: snap, compiled: compiled, live: compiled.Inputs, lookups: lookupsOf(snap, compiled)}
	return append(lines, p.reads()...)
}

// explanation is the result of an EXPLAIN.
func explanation(lines []string) *Result {
	rows := make([][]string, len(lines))
	for i, l := range lines {
		rows[i] = []string{l}
	}
	return &Result{Tag: "EXPLAIN", Cols: textColumns("QUERY PLAN"), Rows: textRows(rows...)}
}

// reads says which collections a query does not read whole, and by what.
func (p *queryPlan) reads() []string {
	var lines []string
	for _, id := range p.live {
		if l := p.lookups[id]; l != nil {
			lines = append(lines, l.describe(p.snap.Item(id)))
		}
	}
	return lines
}

// explainSwitches are the options of PostgreSQL's EXPLAIN that are on or off. All but ANALYZE are about figures that
// there are none of here, and change nothing.
var explainSwitches = map[string]bool{"analyze": true, "verbose": true, "costs": true, "settings": true, "buffers": true,
	"wal": true, "timing": true, "summary": true}

// explainOptions reads the options in parentheses; they say whether to run what is explained.
func explainOptions(st *ast.Explain) (analyze bool, err *repr.Error) {
	analyze = st.Analyze
	if st.Stage != ast.ExplainDefault {
		return analyze, nil // WITH (…) behind a stage asks for details that every plan shows
	}
	for _, o := range st.Options {
		if o.Name == "format" {
			if f := strings.ToLower(o.Value.Text); f != "text" {
				return false, unsupported("EXPLAIN with FORMAT "+strings.ToUpper(f), o.Pos)
			}
			continue
		}
		if !explainSwitches[o.Name] {
			return false, repr.NewError(repr.CodeSyntax, "unrecognized EXPLAIN option \""+o.Name+"\"").At(o.Pos)
		}
		on, ok := optionBool(o)
		if !ok {
			return false, repr.NewError(repr.CodeSyntax, o.Name+" requires a Boolean value").At(o.Pos)
		}
		if o.Name == "analyze" {
			analyze = on
		}
	}
	return analyze, nil
}

// keptItem is the number of the materialized view that an EXPLAIN names; 0 when it names none.
func (s *Session) keptItem(st *ast.Explain) (uint64, *repr.Error) {
	if st.Statement != nil {
		return 0, nil
	}
	it, err := s.findFor(st.Kind, st.Name, false)
	if err != nil || it.Kind != catalog.MaterializedView {
		return 0, err
	}
	return it.ID, nil
}

// finished puts what is done to the rows of a query in the end above its plan.
func finished(finish string, plan []string) []string {
	if finish == "" {
		return plan
	}
	lines := []string{finish}
	for _, l := range plan {
		lines = append(lines, "  "+l)
	}
	return lines
}

// compileFor compiles what an EXPLAIN is about as it will run: kept, as the materialized view of a number or a new one, or
// once. The order and the limit of a query that runs once are not in its plan, but given as a line.
func (s *Session) compileFor(q *ast.Query, kept bool, self uint64) (*sql.Compiled, string, *repr.Error) {
	env := s.env(s.c.Catalog())
	if kept {
		bound, err := bindKept(env, q)
		if err != nil {
			return nil, "", err
		}
		compiled, err := sql.Optimize(s.c.keptEnv(), bound.Rel)
		if err != nil {
			return nil, "", err
		}
		r := s.c.book.Load().read(compiled.Optimized, self, wantsNothing)
		return compiled, "", compiled.Lower(s.c.keptEnv(), r.plan, s.c.lowering(nil))
	}
	bound, err := plan.Query(env, q)
	if err != nil {
		return nil, "", err
	}
	compiled, err := sql.CompileWith(env.Eval, bound.Rel, s.c.lowering(nil))
	finish := &rel.TopK{Input: bound.Rel, Order: bound.Order, Limit: bound.Limit, Offset: bound.Offset}
	return compiled, rel.FormatFinish(finish), err
}

// explained is the query that an EXPLAIN is about.
func (s *Session) explained(st *ast.Explain) (*ast.Query, *repr.Error) {
	if st.Statement == nil {
		it, err := s.findFor(st.Kind, st.Name, false)
		if err != nil {
			return nil, err
		}
		if it.Failed != nil {
			return nil, errFailed(it).At(st.Name.Pos)
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
