package coord

import (
	"context"
	"maps"
	"slices"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/dataflow"
	"millrace/internal/budget"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/plan"
)

// modifyTries is how often a statement that writes what it has read is tried before it runs inside the loop.
const modifyTries = 3

// bindModify plans a statement that writes a table.
func (s *Session) bindModify(stmt ast.Statement, params []repr.Type) (*plan.Write, *plan.Env, *repr.Error) {
	env := s.env(s.c.Catalog())
	env.ParamTypes = params
	var w *plan.Write
	var err *repr.Error
	switch st := stmt.(type) {
	case *ast.Insert:
		w, err = plan.Insert(env, st)
	case *ast.Update:
		w, err = plan.Update(env, st)
	case *ast.Delete:
		w, err = plan.Delete(env, st)
	}
	return w, env, err
}

// boundWrite is a statement that was bound when it was prepared, and what that depends on. One of w and rows is set.
type boundWrite struct {
	w        *plan.Write
	rows     *plan.Rows     // of an INSERT of constants
	straight *plan.Straight // of w, when it needs no dataflow; nil otherwise
	env      *plan.Env
	snap     *catalog.Snapshot
	settings map[string]string
}

// bindWrite binds a statement that writes.
func (s *Session) bindWrite(stmt ast.Statement, params []repr.Type) (*boundWrite, *repr.Error) {
	b := &boundWrite{snap: s.c.Catalog(), settings: maps.Clone(s.settings.values)}
	if ins, ok := stmt.(*ast.Insert); ok && ins.Constants != nil {
		b.env = s.env(b.snap)
		b.env.ParamTypes = params
		if b.rows, ok = plan.ConstantRows(b.env, ins); ok {
			return b, nil
		}
	}
	var err *repr.Error
	b.w, b.env, err = s.bindModify(stmt, params)
	if _, ok := stmt.(*ast.Insert); ok && err == nil {
		b.straight, _ = b.w.Straight()
	}
	return b, err
}

func (s *Session) describeModify(p *Prepared) *repr.Error {
	b, err := s.bindWrite(p.Stmt, slices.Clone(p.explicitP))
	if err != nil {
		return err
	}
	p.bound = b
	if b.w != nil {
		p.Params = b.w.Query.Params
		if b.w.Returning != nil {
			p.Cols = b.w.Returning.Cols
		}
	}
	return nil
}

// takeBound gives what a statement was bound to before, if that still holds; else it is bound. What needs no dataflow is kept
// for the next time.
func (s *Session) takeBound(p *Prepared) (*boundWrite, *repr.Error) {
	b := p.bound
	p.bound = nil
	if b == nil || b.snap != s.c.Catalog() || !maps.Equal(b.settings, s.settings.values) {
		var err *repr.Error
		if b, err = s.bindWrite(p.Stmt, p.Params); err != nil {
			return nil, err
		}
	}
	if b.straight != nil || b.rows != nil {
		p.bound = b
	}
	b.env.Eval.Now = s.now()
	return b, nil
}

// modify runs INSERT, UPDATE, DELETE and TRUNCATE: it reads at one time and leaves the writes to the commit.
func (s *Session) modify(ctx context.Context, p *Prepared, args []repr.Datum) (*Result, *repr.Error) {
	stmt := p.Stmt
	if s.tx.readOnly {
		return nil, repr.NewError("25006", "cannot execute "+modifyWord(stmt)+" in a read-only transaction")
	}
	if st, ok := stmt.(*ast.Truncate); ok {
		return s.truncate(ctx, st)
	}
	b, err := s.takeBound(p)
	if err != nil {
		return nil, err
	}
	if rows := b.rowsWith(args); rows != nil {
		return s.insertRows(ctx, rows)
	}
	q, err := s.planModify(stmt, b, args)
	if err != nil {
		return nil, err
	}
	return q.run(ctx)
}

// planModify plans the query of a statement that writes.
func (s *Session) planModify(stmt ast.Statement, b *boundWrite, args []repr.Datum) (*modification, *repr.Error) {
	w, env := b.w, b.env
	bound := w.Query.Bind(args, env.Eval)
	compiled, err := sql.Compile(env.Eval, bound.Rel)
	if err != nil {
		return nil, err
	}
	snap := s.c.Catalog()
	q := &modification{s: s, w: w, env: env, plan: &queryPlan{snap: snap, bound: bound, compiled: compiled,
		lookups: lookupsOf(snap, compiled)}, word: modifyWord(stmt)}
	for _, id := range compiled.Inputs {
		if in := snap.Item(id); in != nil && in.Kind == catalog.System {
			q.plan.system = append(q.plan.system, id)
		} else {
			q.plan.live = append(q.plan.live, id)
		}
	}
	return q, nil
}

// rowsWith are the rows of an INSERT that needs no dataflow; nil when it does.
func (b *boundWrite) rowsWith(args []repr.Datum) *plan.Rows {
	if b.straight == nil {
		return b.rows
	}
	rows, ok := b.straight.Rows(args, b.env.Eval)
	if !ok {
		return nil
	}
	return rows
}

// insertRows appends rows that are at hand to the writes of the transaction.
func (s *Session) insertRows(ctx context.Context, rows *plan.Rows) (*Result, *repr.Error) {
	memory, err := s.transactionBudget(ctx)
	if err != nil {
		return nil, err
	}
	if err := takeRoom(memory, int64(rows.Len()*writeBytes+rows.Bytes()), "what it writes"); err != nil {
		return nil, err
	}
	if err := s.c.memory.roomToWrite(memory); err != nil {
		return nil, err
	}
	s.tx.writes = slices.Grow(s.tx.writes, rows.Len())
	for i := range rows.Len() {
		s.tx.writes = append(s.tx.writes, write{table: rows.Table.ID, row: rows.Row(i), diff: 1})
	}
	return &Result{Tag: "INSERT 0 " + itoa(int64(rows.Len()))}, nil
}

func modifyWord(stmt ast.Statement) string {
	switch stmt.(type) {
	case *ast.Insert:
		return "INSERT"
	case *ast.Update:
		return "UPDATE"
	case *ast.Delete:
		return "DELETE"
	default:
		return "TRUNCATE TABLE"
	}
}

// modification is one statement that writes.
type modification struct {
	s    *Session
	w    *plan.Write
	env  *plan.Env
	plan *queryPlan
	word string
	turn *turn
}

// run computes the writes. In a block they wait for COMMIT; else they are committed at once, and when what
// was read has changed meanwhile the statement is tried again, the last time inside the loop, where nothing
// can come between.
func (q *modification) run(ctx context.Context) (*Result, *repr.Error) {
	q.turn = q.s.turn(ctx)
	defer q.turn.end() // when what it writes is in the table
	s := q.s
	if s.tx.open || len(q.plan.live) == 0 {
		return q.attempt(ctx)
	}
	for range modifyTries {
		q.turn.end()
		s.dropWrites()
		if err := s.awaitReady(ctx, q.plan.live); err != nil {
			return nil, err
		}
		if err := s.c.do(ctx, func() { s.tx.hold = s.c.newHold() }); err != nil {
			return nil, err
		}
		s.tx.reads = q.plan.live
		res, err := q.attempt(ctx)
		if err != nil {
			return nil, err
		}
		if len(s.tx.writes) == 0 {
			return res, nil
		}
		started := s.tx.started
		err = s.commit(ctx)
		s.tx.started = started
		if err == nil {
			return res, nil
		}
		if err.Code != repr.CodeSerializationFailure {
			return nil, err
		}
	}
	return q.inLoop(ctx)
}

// attempt reads at the hold's time and appends the writes to the transaction.
func (q *modification) attempt(ctx context.Context) (*Result, *repr.Error) {
	s := q.s
	h := s.tx.hold
	if s.tx.open {
		var err *repr.Error
		if h, err = s.readHold(ctx, q.plan.live); err != nil {
			return nil, err
		}
	}
	r, err := s.read(ctx, q.plan, h)
	if err != nil {
		return nil, err
	}
	memory, err := s.transactionBudget(ctx)
	if err != nil {
		return nil, err
	}
	q.turn.of(memory)
	batch, err := q.compute(ctx, r, memory)
	if err != nil {
		return nil, q.turn.cause(err)
	}
	return q.writes(batch, memory, func(row []byte, diff repr.Diff) {
		s.tx.writes = append(s.tx.writes, write{table: q.w.Table.ID, row: row, diff: diff})
	})
}

// room says whether the server takes more rows; a DELETE adds none.
func (q *modification) room(memory *budget.Budget) *repr.Error {
	if q.word == "DELETE" {
		return nil
	}
	return q.s.c.memory.roomToWrite(memory)
}

// compute gives the rows of the statement's plan, which count towards the memory as long as it is open.
func (q *modification) compute(ctx context.Context, r *reading, memory *budget.Budget) (arrangement.Batch, *repr.Error) {
	if err := q.room(memory); err != nil {
		return arrangement.Batch{}, err
	}
	r.memory = memory.Part(dataflow.StatementMemory, memory.Most(), 0)
	defer r.memory.Close()
	in, err := r.deltas(q.plan, q.plan.compiled.Graph)
	if err == nil {
		err = q.s.addSystem(ctx, q.plan, in)
	}
	if err != nil {
		return arrangement.Batch{}, err
	}
	run := q.s.c.oneShot(q.plan.compiled.Graph, nil, nil, memory)
	run.large = r.large
	batch, err := run.result(ctx, in)
	if err != nil {
		return arrangement.Batch{}, err
	}
	return batch, q.room(memory)
}

// inLoop runs the statement inside the loop, just before a tick.
func (q *modification) inLoop(ctx context.Context) (*Result, *repr.Error) {
	if len(q.plan.system) > 0 {
		return nil, repr.NewError(repr.CodeSerializationFailure, "could not serialize access due to concurrent update").WithHint("run the statement again")
	}
	var res *Result
	var failure *repr.Error
	answer := make(chan error, 1)
	s := q.s
	q.turn.end()
	s.dropWrites()
	if err := q.turn.takeTurn(); err != nil {
		return nil, err // the loop waits for nobody
	}
	memory, err := s.transactionBudget(ctx)
	if err != nil {
		return nil, err
	}
	q.turn.of(memory)
	err = s.c.do(ctx, func() {
		if s.c.queued {
			if t, wait := s.c.oracle.next(); wait == 0 {
				s.c.tickSafely(t)
			} else {
				s.c.tickSafely(s.c.oracle.complete + 1)
			}
		}
		r := newReading(q.plan.lookups, nil)
		r.at = s.c.oracle.complete
		if failure = s.c.snapshots(r, q.plan.live); failure != nil {
			return
		}
		var batch arrangement.Batch
		if batch, failure = q.compute(ctx, r, memory); failure != nil {
			return
		}
		var writes []write
		res, failure = q.writes(batch, memory, func(row []byte, diff repr.Diff) {
			writes = append(writes, write{table: q.w.Table.ID, row: row, diff: diff})
		})
		if failure == nil {
			s.c.enqueue(writes, answer)
		}
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	e := <-answer
	if s.c.turn(ctx); e != nil {
		return nil, asError(e)
	}
	return res, nil
}

// writes turns the rows of the statement's plan into updates of the table.
func (q *modification) writes(b arrangement.Batch, memory *budget.Budget, add func(row []byte, diff repr.Diff)) (*Result, *repr.Error) {
	each := int64(writeBytes)
	if q.word == "UPDATE" {
		each *= 2
	}
	if err := takeRoom(memory, int64(b.Len())*each, "what it writes"); err != nil {
		return nil, err
	}
	var n int64
	width := len(q.w.Table.Desc)
	returned := &listRows{}
	for i := range b.Len() {
		row, diff := b.Row(i), b.Diff(i)
		if diff < 0 {
			return nil, errNegative
		}
		n += diff
		var old, fresh []byte
		switch q.word {
		case "INSERT":
			fresh = row[:repr.PrefixLen(row, width)]
		case "DELETE":
			old = row[:repr.PrefixLen(row, width)]
		default:
			cut := repr.PrefixLen(row, width)
			old, fresh = row[:cut], row[cut:cut+repr.PrefixLen(row[cut:], width)]
		}
		if old != nil {
			add(old, -diff)
		}
		if fresh != nil {
			if err := q.checkNotNull(fresh); err != nil {
				return nil, err
			}
			add(fresh, diff)
		}
		if q.w.Returning != nil {
			last := fresh
			if last == nil {
				last = old
			}
			out, err := q.returning(last)
			if err != nil {
				return nil, err
			}
			if err := takeRoom(memory, int64(len(out))+rowHeadBytes*diff, "the rows it returns"); err != nil {
				return nil, err
			}
			for range diff {
				returned.rows = append(returned.rows, out)
			}
		}
	}
	tag := q.word + " " + itoa(n)
	if q.word == "INSERT" {
		tag = "INSERT 0 " + itoa(n)
	}
	res := &Result{Tag: tag}
	if q.w.Returning != nil {
		res.Cols, res.Rows = q.w.Returning.Cols, returned
	}
	return res, nil
}

// writeBytes is what a write takes, and room for more in its list; its row is part of a batch.
const writeBytes = 2 * 48

// returning evaluates RETURNING over a row.
func (q *modification) returning(row []byte) ([]byte, *repr.Error) {
	var r expr.Row
	r.Set(row)
	var out []byte
	for _, e := range q.w.Returning.Exprs {
		d, err := expr.Compile(e, q.env.Eval)(&r)
		if err != nil {
			return nil, err
		}
		out = repr.Append(out, d)
	}
	return out, nil
}

func (q *modification) checkNotNull(row []byte) *repr.Error {
	for i, c := range q.w.Table.Desc {
		d, rest := repr.Decode(row)
		if c.NotNull && d.IsNull() {
			return repr.NewError(repr.CodeNotNullViolation, "null value in column \""+c.Name+"\" of relation \""+q.w.Table.Name+
				"\" violates not-null constraint").WithDetail("column number " + itoa(int64(i+1)))
		}
		row = rest
	}
	return nil
}

// truncate empties tables, all of them at one moment.
func (s *Session) truncate(ctx context.Context, st *ast.Truncate) (*Result, *repr.Error) {
	if s.tx.open || len(st.Tables) == 1 {
		return s.truncateEach(ctx, st)
	}
	for try := 1; ; try++ {
		s.openImplicit()
		res, err := s.truncateEach(ctx, st)
		if err != nil {
			_ = s.rollback(ctx) // a TRUNCATE makes nothing
			return nil, err
		}
		err = s.commit(ctx)
		if err == nil {
			return res, nil
		}
		if err.Code != repr.CodeSerializationFailure || try == truncateTries {
			return nil, err
		}
	}
}

// truncateTries is how often a TRUNCATE of several tables is tried while others write to them.
const truncateTries = 20

func (s *Session) truncateEach(ctx context.Context, st *ast.Truncate) (*Result, *repr.Error) {
	for _, name := range st.Tables {
		if _, err := s.modify(ctx, &Prepared{Stmt: &ast.Delete{At: st.At, Table: name}}, nil); err != nil {
			return nil, err
		}
	}
	return &Result{Tag: "TRUNCATE TABLE"}, nil
}
