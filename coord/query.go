package coord

import (
	"context"
	"slices"
	"strings"
	"time"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/dataflow"
	"millrace/internal/budget"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/plan"
)

// queryPlan is a query ready to be run once.
type queryPlan struct {
	snap     *catalog.Snapshot
	bound    *plan.Bound
	compiled *sql.Compiled
	finish   finish
	timed    bool     // it asks for the time at which it reads
	live     []uint64 // inputs that are collections
	system   []uint64 // inputs that are system tables
	lookups  map[uint64]*lookup
}

// bindings are the values of a statement's parameters, and the types that preparing it gave them.
type bindings struct {
	types  []repr.Type
	values []repr.Datum
	at     repr.Time // what mz_now() gives; 0: about now
}

// planQuery plans a query with its parameters' values.
func (s *Session) planQuery(q *ast.Query, given bindings) (*queryPlan, *repr.Error) {
	snap := s.c.Catalog()
	env := s.env(snap)
	env.Eval.LogicalNow = given.at
	if given.at == 0 {
		env.Eval.LogicalNow = s.logicalNow()
	}
	env.ParamTypes = given.types
	bound, err := plan.Query(env, q)
	if err != nil {
		return nil, err
	}
	timed := bound.ReadsLogicalTime()
	bound = bound.Bind(given.values, env.Eval)
	compiled, err := sql.CompileWith(env.Eval, bound.Rel, s.c.lowering(nil))
	if err != nil {
		return nil, err
	}
	p := &queryPlan{snap: snap, bound: bound, compiled: compiled, timed: timed, lookups: lookupsOf(snap, compiled)}
	p.finish = finish{order: bound.Order, cols: len(bound.Cols), hidden: bound.Hidden}
	if p.finish.limit, err = countOf(bound.Limit, env.Eval, -1); err != nil {
		return nil, err
	}
	if p.finish.offset, err = countOf(bound.Offset, env.Eval, 0); err != nil {
		return nil, err
	}
	for _, id := range compiled.Inputs {
		if it := snap.Item(id); it != nil && it.Kind == catalog.System {
			p.system = append(p.system, id)
		} else {
			p.live = append(p.live, id)
		}
	}
	return p, nil
}

// countOf is the value of LIMIT or OFFSET.
func countOf(s expr.Scalar, env *expr.Env, missing int64) (int64, *repr.Error) {
	if s == nil {
		return missing, nil
	}
	var row expr.Row
	d, err := expr.Compile(s, env)(&row)
	if err != nil {
		return 0, err
	}
	if d.IsNull() {
		return missing, nil
	}
	if d.Int() < 0 {
		if missing < 0 {
			return 0, repr.NewError(repr.CodeInvalidLimit, "LIMIT must not be negative")
		}
		return 0, repr.NewError("2201X", "OFFSET must not be negative")
	}
	return d.Int(), nil
}

// logicalNow is what mz_now() gives in this statement.
func (s *Session) logicalNow() repr.Time {
	if s.tx.hold != nil {
		return s.tx.hold.at
	}
	return repr.Time(s.c.opts.Clock.Now().UnixMilli())
}

func (s *Session) describeQuery(p *Prepared, q *ast.Query) *repr.Error {
	env := s.env(s.c.Catalog())
	env.ParamTypes = slices.Clone(p.explicitP)
	bound, err := plan.Query(env, q)
	if err != nil {
		return err
	}
	p.Params, p.Cols = bound.Params, bound.Cols
	return nil
}

// query runs a SELECT.
func (s *Session) query(ctx context.Context, q *ast.Query, given bindings) (*Result, *repr.Error) {
	if q.AsOf != nil {
		return s.queryAsOf(ctx, q, given)
	}
	p, err := s.planQuery(q, given)
	if err != nil {
		return nil, err
	}
	h, err := s.readHold(ctx, p.live)
	if err != nil {
		return nil, err
	}
	if !p.timed || len(p.live) == 0 {
		return s.runQuery(ctx, p, h)
	}
	if h == nil {
		if h, err = s.timeHold(ctx, p.live); err != nil {
			return nil, err
		}
		defer s.c.release(h)
	}
	given.at = h.at
	if p, err = s.planQuery(q, given); err != nil {
		return nil, err
	}
	return s.runQuery(ctx, p, h)
}

// timeHold claims the time at which a query reads that asks for its own time.
func (s *Session) timeHold(ctx context.Context, ids []uint64) (h *hold, err *repr.Error) {
	if err := s.awaitReady(ctx, ids); err != nil {
		return nil, err
	}
	err = s.c.do(ctx, func() { h = s.c.newHold() })
	return h, err
}

// readHold claims the time that the reads of the open block share; nil outside a block.
func (s *Session) readHold(ctx context.Context, ids []uint64) (*hold, *repr.Error) {
	if !s.tx.open || len(ids) == 0 {
		return nil, nil
	}
	for _, w := range s.tx.writes {
		if s.c.dependsOn(ctx, ids, w.table) {
			return nil, repr.NewError(repr.CodeFeatureNotSupported,
				"reading in a transaction what it has written is not supported yet").
				WithHint("commit first, or read in another transaction")
		}
	}
	if s.tx.hold == nil {
		if err := s.awaitReady(ctx, ids); err != nil {
			return nil, err
		}
		if err := s.c.do(ctx, func() { s.tx.hold = s.c.newHold() }); err != nil {
			return nil, err
		}
	}
	s.tx.reads = append(s.tx.reads, ids...)
	return s.tx.hold, nil
}

// dependsOn says whether a table is among the collections or what they are computed from.
func (c *Coordinator) dependsOn(ctx context.Context, ids []uint64, table uint64) bool {
	var found bool
	_ = c.do(ctx, func() { found = slices.Contains(c.sourcesBehind(ids), table) })
	return found
}

// queryAsOf runs a SELECT as of a time that the user gave.
func (s *Session) queryAsOf(ctx context.Context, q *ast.Query, given bindings) (*Result, *repr.Error) {
	at, err := s.asOf(q.AsOf)
	if err != nil {
		return nil, err
	}
	plain := *q
	plain.AsOf, given.at = nil, at
	p, err := s.planQuery(&plain, given)
	if err != nil {
		return nil, err
	}
	if err := s.awaitTime(ctx, at); err != nil {
		return nil, err
	}
	return s.runQuery(ctx, p, &hold{at: at})
}

// mostAhead is how far ahead of the newest time one may lie that is waited for: as far as clocks may differ, or one may plan for.
const mostAhead = time.Minute

// awaitTime waits until a time is complete. One that is far ahead is refused: it is another unit, or a slip.
func (s *Session) awaitTime(ctx context.Context, at repr.Time) *repr.Error {
	for {
		var newest repr.Time
		if err := s.c.do(ctx, func() { newest = s.c.oracle.complete }); err != nil {
			return err
		}
		if newest >= at {
			return nil
		}
		if at-newest > repr.Time(mostAhead.Milliseconds()) {
			return errFarAhead(at, newest)
		}
		s.noticef("waiting for the time " + itoa(int64(at)) + "; the newest is " + itoa(int64(newest)))
		select {
		case <-s.c.opts.Clock.After(noticeEvery):
		case <-ctx.Done():
			return ctxError(ctx)
		}
	}
}

// errFarAhead refuses to wait for a time.
func errFarAhead(at, newest repr.Time) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "the time "+itoa(int64(at))+" lies too far ahead").
		WithDetail("The newest time is " + itoa(int64(newest)) + "; one that is at most " + mostAhead.String() + " ahead is waited for.").
		WithHint("a time is a timestamp, or a number of milliseconds since 1970")
}

// runQuery reads at one time and gives the rows.
func (s *Session) runQuery(ctx context.Context, p *queryPlan, h *hold) (*Result, *repr.Error) {
	r, err := s.read(ctx, p, h)
	if err != nil {
		return nil, err
	}
	s.warnBadRecords(ctx, p.live)
	s.leaveOut(r)
	res := &Result{Tag: "SELECT", Cols: p.bound.Cols}
	if rows, ok := p.direct(r); ok {
		res.Rows = rows
		return res, nil
	}
	memory, err := s.statementBudget(ctx)
	if err != nil {
		return nil, err
	}
	t := s.turn(ctx)
	t.of(memory)
	rows, err := s.compute(ctx, p, r, memory)
	t.end()
	if err != nil {
		memory.Close()
		return nil, t.cause(err)
	}
	res.Rows = &budgetRows{Rows: rows, memory: memory}
	return res, nil
}

// compute runs a query over what was read of its inputs.
func (s *Session) compute(ctx context.Context, p *queryPlan, r *reading, memory *budget.Budget) (Rows, *repr.Error) {
	run := s.c.oneShot(p.compiled.Graph, p.compiled.Arranged, r.has, memory)
	r.memory = memory.Part(dataflow.StatementMemory, memory.Most(), 0)
	defer r.memory.Close()
	in, err := r.deltas(p, run.graph)
	run.large = r.large
	if err == nil {
		err = s.addSystem(ctx, p, in)
	}
	if err != nil {
		return nil, err
	}
	batch, err := run.result(ctx, in)
	if err != nil {
		return nil, err
	}
	return p.finish.rows(batch, memory)
}

// direct gives the rows of a collection as they are, or some of them, when the query wants no more than that.
func (p *queryPlan) direct(r *reading) (Rows, bool) {
	id, ok := p.compiled.Passthrough()
	if !ok || len(p.finish.order) > 0 || p.finish.hidden > 0 || r.ok[id] == nil || r.errs[id].Rows() > 0 {
		return nil, false
	}
	cur := r.ok[id].Cursor()
	cur.Seek(nil)
	if p.finish.trivial() {
		return &cursorRows{cur: cur}, true
	}
	return &someRows{Rows: &cursorRows{cur: cur}, skip: p.finish.offset, left: p.finish.limit}, true
}

// addSystem makes the rows of the system tables that a query reads.
func (s *Session) addSystem(ctx context.Context, p *queryPlan, in map[uint64]dataflow.Delta) *repr.Error {
	if len(p.system) == 0 {
		return nil
	}
	env := &catalog.SystemEnv{Snapshot: p.snap, User: s.opts.User, Settings: s.settings.all()}
	if err := s.c.do(ctx, func() { env.Status = s.c.status() }); err != nil {
		return err
	}
	for _, id := range p.system {
		b := arrangement.NewBuilder()
		var buf []byte
		for _, row := range catalog.SystemRows(id, env) {
			buf = repr.AppendRow(buf[:0], row)
			b.Add(buf, 1)
		}
		in[id] = dataflow.Delta{OK: b.Seal()}
	}
	return nil
}

// firstError is the error of the first row of an err batch; nil when it is empty.
func firstError(b arrangement.Batch) *repr.Error {
	for i := range b.Len() {
		if b.Diff(i) != 0 {
			return errorOf(b.Row(i))
		}
	}
	return nil
}

// errorOf is the error that a row of an err stream is.
func errorOf(row []byte) *repr.Error {
	e, cause := dataflow.DecodeErr(row)
	if len(cause) > 0 && e.Detail == "" {
		e = e.WithDetail("the row is " + rowText(cause))
	}
	if len(cause) > 0 && e.Hint == "" {
		e = e.WithHint("the error goes away when the row that causes it does; a filter or CASE before the expression avoids it")
	}
	return e
}

// rowTextBytes is how much of a row an error shows.
const rowTextBytes = 200

// rowText prints a packed row for people, cut when it is long.
func rowText(row []byte) string {
	out := []byte{'('}
	for n := 0; len(row) > 0 && len(out) < rowTextBytes; n++ {
		var d repr.Datum
		d, row = repr.Decode(row)
		if n > 0 {
			out = append(out, ", "...)
		}
		if d.IsNull() {
			out = append(out, "NULL"...)
			continue
		}
		out = pgfmt.AppendText(out, repr.TypeOf(d.Kind()), d, nil)
	}
	if len(out) > rowTextBytes || len(row) > 0 {
		return strings.ToValidUTF8(string(out[:min(len(out), rowTextBytes)]), "") + " …)"
	}
	return string(append(out, ')'))
}

// asOf evaluates AS OF.
func (s *Session) asOf(a *ast.AsOf) (repr.Time, *repr.Error) {
	return s.timeOf(a.Time)
}

// timeOf evaluates a logical time: a number of milliseconds, or a timestamp, which may be text.
func (s *Session) timeOf(e ast.Expr) (repr.Time, *repr.Error) {
	env := s.env(s.c.Catalog())
	env.Eval.LogicalNow = s.logicalNow()
	d, err := plan.ConstExpr(env, e, repr.Type{})
	if err != nil {
		return 0, err
	}
	ms, ok := logicalTime(d)
	if !ok && d.Kind() == repr.KindText {
		if d, err = plan.ConstExpr(env, e, repr.TypeOf(repr.KindTimestampTZ)); err != nil {
			return 0, err
		}
		ms, ok = logicalTime(d)
	}
	if !ok || ms < 0 {
		return 0, repr.NewError(repr.CodeInvalidParameter, "the time must be a number of milliseconds since 1970, or a timestamp").
			At(e.Position())
	}
	return repr.Time(ms), nil
}

// unixEpochMicros is 1970-01-01 in microseconds since 2000-01-01.
const unixEpochMicros = -946684800 * 1000000

func logicalTime(d repr.Datum) (int64, bool) {
	switch d.Kind() {
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		return d.Int(), true
	case repr.KindNumeric:
		n, scale, ok := d.NumericSmall()
		return n, ok && scale == 0
	case repr.KindTimestamp, repr.KindTimestampTZ:
		return (d.Int() - unixEpochMicros) / 1000, true
	case repr.KindText, repr.KindNull:
		return parseMillis(d.Str())
	default:
		return 0, false
	}
}
