package coord

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/lower"
	"millrace/sql/plan"
)

func parseMillis(s string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil
}

// subscribeOptions are what a SUBSCRIBE or TAIL asks for.
type subscribeOptions struct {
	snapshot bool
	anew     bool // SNAPSHOT was asked for by name
	progress bool
	lenient  bool          // rows with an error are left out
	at       repr.Time     // 0: now
	upTo     repr.Time     // 0: for ever
	keep     time.Duration // how long what comes is kept for a reader that comes back; 0: as long as of any
}

func (s *Session) subscribeOptions(st *ast.Subscribe) (subscribeOptions, *repr.Error) {
	o := subscribeOptions{snapshot: true}
	for _, opt := range st.Options {
		if opt.Name == optionRetainFor {
			keep, err := retainInterval(opt, "RETAIN FOR")
			if err != nil {
				return o, err
			}
			o.keep = keep
			continue
		}
		v, ok := optionBool(opt)
		switch {
		case opt.Name == "snapshot" && ok:
			o.snapshot, o.anew = v, v
		case opt.Name == "progress" && ok:
			o.progress = v
		case opt.Name == "snapshot" || opt.Name == "progress":
			return o, repr.NewError(repr.CodeInvalidParameter, "option "+opt.Name+" must be true or false").At(opt.Pos)
		default:
			return o, repr.NewError(repr.CodeInvalidParameter, "unknown option \""+opt.Name+"\" of "+subscribeWord(st)).
				WithHint("the options are SNAPSHOT, PROGRESS and RETAIN FOR").At(opt.Pos)
		}
	}
	var err *repr.Error
	if st.AsOf != nil {
		if o.at, err = s.asOf(st.AsOf); err != nil {
			return o, err
		}
		o.at = max(o.at, 1) // nothing is readable at either
	}
	if st.UpTo != nil {
		if o.upTo, err = s.timeOf(st.UpTo); err != nil {
			return o, err
		}
		if st.AsOf != nil && o.at > o.upTo {
			return o, repr.NewError(repr.CodeInvalidParameter, "AS OF "+itoa(int64(o.at))+" lies behind UP TO "+itoa(int64(o.upTo))).At(st.UpTo.Position())
		}
	}
	return o, nil
}

func subscribeWord(st *ast.Subscribe) string {
	if st.Tail {
		return "TAIL"
	}
	return "SUBSCRIBE"
}

// optionBool reads an option that is true or false; its name alone means true.
func optionBool(o ast.Option) (value, ok bool) {
	if o.Value.Kind == ast.OptionNone {
		return true, true
	}
	switch strings.ToLower(o.Value.Text) {
	case "true", "on", "1", "t":
		return true, true
	case "false", "off", "0", "f":
		return false, true
	}
	return false, false
}

// subscribeColumns are the columns of the stream: the time, whether it is a progress message, and what the shape shows.
func subscribeColumns(sh *shape, progress bool) repr.RowDesc {
	out := repr.RowDesc{{Name: "mz_timestamp", Type: repr.TypeOf(repr.KindNumeric), NotNull: true}}
	if progress {
		out = append(out, repr.Column{Name: "mz_progressed", Type: repr.TypeOf(repr.KindBool), NotNull: true})
	}
	return append(out, sh.cols...)
}

// subscribeTarget is what is subscribed to: a kept collection by number, or a query to be kept for the while.
type subscribeTarget struct {
	id    uint64
	query *ast.Query    // nil for a kept collection
	named *catalog.Item // the subscription of the catalog that was named; nil for what has rows itself
	desc  repr.RowDesc
}

func (s *Session) subscribeTarget(st *ast.Subscribe) (t subscribeTarget, err *repr.Error) {
	snap := s.c.Catalog()
	if st.Query != nil {
		bound, err := bindKept(s.env(snap), st.Query)
		if err != nil {
			return t, err
		}
		return subscribeTarget{query: st.Query, desc: bound.Cols}, nil
	}
	it := snap.Find(st.Name.Parts, s.path())
	if it == nil {
		return t, s.noRelation(snap, st.Name)
	}
	if it.Failed != nil {
		return t, errFailed(it).At(st.Name.Pos)
	}
	switch it.Kind {
	case catalog.Table, catalog.Source, catalog.MaterializedView:
		if it.Stored != nil {
			return subscribeTarget{query: allOf(it), desc: it.Desc}, nil
		}
		return subscribeTarget{id: it.ID, desc: it.Desc}, nil
	case catalog.View:
		return subscribeTarget{query: allOf(it), desc: it.Desc}, nil
	case catalog.Subscription:
		on := snap.Item(it.On)
		if on == nil || st.AsOf != nil {
			return t, unsupported("AS OF of a subscription, which goes on where it was,", st.Name.Pos)
		}
		return subscribeTarget{id: on.ID, named: it, desc: on.Desc}, nil
	case catalog.System:
		return t, unsupported(subscribeWord(st)+" of a system table", st.Name.Pos)
	default:
		return t, repr.NewError(repr.CodeWrongObjectType, "\""+it.Name+"\" is a "+it.Kind.String()+", which has no rows").At(st.Name.Pos)
	}
}

func (s *Session) describeSubscribe(p *Prepared, st *ast.Subscribe) *repr.Error {
	o, err := s.subscribeOptions(st)
	if err != nil {
		return err
	}
	target, err := s.subscribeTarget(st)
	if err != nil {
		return err
	}
	sh, err := streamShape(st, target.desc)
	if err != nil {
		return err
	}
	p.Cols = subscribeColumns(sh, o.progress)
	return nil
}

// noteGathered tells who uses psql that it shows the rows of a statement when that has ended, which a stream does not.
func (s *Session) noteGathered(st *ast.Subscribe) {
	if app, _ := s.settings.get("application_name"); app == "psql" && st.UpTo == nil {
		s.notice(Notice{Severity: "NOTICE", Code: repr.CodeSuccess, Message: "psql shows the rows of a statement when it has ended, and " + subscribeWord(st) + " does not end",
			Hint: "write COPY (" + subscribeWord(st) + " …) TO STDOUT"})
	}
}

// subscribeResult starts a subscription and gives its stream as rows.
func (s *Session) subscribeResult(ctx context.Context, st *ast.Subscribe, _ []repr.Datum) (*Result, *repr.Error) {
	o, err := s.subscribeOptions(st)
	if err != nil {
		return nil, err
	}
	if s.tx.open && len(s.tx.writes) > 0 {
		return nil, unsupported(subscribeWord(st)+" in a transaction that has written", st.Pos).WithHint("commit first: what was written is seen then")
	}
	target, err := s.subscribeTarget(st)
	if err != nil {
		return nil, err
	}
	sh, err := streamShape(st, target.desc)
	if err != nil {
		return nil, err
	}
	var started *subscribed
	switch {
	case target.query != nil:
		started, err = s.subscribeQuery(ctx, target.query, subscribeWord(st), o.at)
	case target.named != nil:
		started, err = s.subscribeNamed(ctx, target.named, &o)
	default:
		if started, err = s.subscribeCollection(ctx, target.id, o.at); err == nil && o.keep > 0 {
			err = s.linger(ctx, target.id, started, o.keep)
		}
	}
	if err != nil {
		return nil, err
	}
	if o.lenient = s.isLenient(target.id); o.lenient && started.errs.Rows() > 0 {
		s.noteLeftOut(s.nameOf(target.id), started.errs)
	}
	rows := newSubscribeRows(started, o, sh)
	if !sh.isPlain() {
		if rows.memory, err = s.statementBudget(ctx); err != nil {
			rows.Close()
			return nil, err
		}
	}
	return &Result{Tag: subscribeWord(st), Cols: subscribeColumns(sh, o.progress), Rows: rows}, nil
}

// subscribeCollection subscribes to a kept collection, waiting for the as-of when it lies ahead.
func (s *Session) subscribeCollection(ctx context.Context, id uint64, at repr.Time) (*subscribed, *repr.Error) {
	if err := s.awaitReady(ctx, []uint64{id}); err != nil {
		return nil, err
	}
	if at != 0 {
		if err := s.awaitTime(ctx, at); err != nil {
			return nil, err
		}
	}
	var started *subscribed
	var failure *repr.Error
	err := s.c.do(ctx, func() {
		col := s.c.collections[id]
		if col == nil {
			failure = repr.NewError(repr.CodeUndefinedTable, "the relation was dropped")
			return
		}
		started, failure = s.c.subscribe(col, at)
	})
	if err == nil {
		err = failure
	}
	if err == nil {
		s.warnBadRecords(ctx, []uint64{id})
	}
	return started, err
}

// subscribeQuery keeps the result of a query for as long as the subscription lasts: from now on, or from an earlier time on if
// the inputs can be read at that.
func (s *Session) subscribeQuery(ctx context.Context, q *ast.Query, word string, at repr.Time) (*subscribed, *repr.Error) {
	from, err := s.holdAt(ctx, at)
	if err != nil {
		return nil, err
	}
	defer s.c.release(from)
	sh := s.reader()
	sh.alone = at != 0 // what others keep of its parts may not reach back so far
	v, err := s.newView(ctx, sh, &catalog.Item{Name: "(" + word + ")", Query: q})
	if err != nil {
		return nil, err
	}
	if err := s.c.do(ctx, func() { v.out.id = s.c.reserveID() }); err != nil {
		v.flow.Close()
		s.c.later(func() { s.c.releaseParts(v.parts) })
		return nil, err
	}
	if err := s.hydrate(ctx, v, from, func(p string) { s.noticef("filling the subscription: " + p) }); err != nil {
		return nil, err
	}
	started, err := s.subscribeCollection(ctx, v.out.id, at)
	if err != nil {
		s.c.later(func() { s.c.uninstall(v.out.id) })
		return nil, err
	}
	started.cancel = func() { s.c.later(func() { s.c.uninstall(v.out.id) }) }
	return started, nil
}

// holdAt claims a time, waiting for it when it lies ahead; 0 is none.
func (s *Session) holdAt(ctx context.Context, at repr.Time) (*hold, *repr.Error) {
	if at == 0 {
		return nil, nil
	}
	if err := s.awaitTime(ctx, at); err != nil {
		return nil, err
	}
	h := &hold{at: at}
	return h, s.c.do(ctx, func() { s.c.holds[h] = struct{}{} })
}

// reserveID takes a number for something that is not in the catalog. It runs in the loop.
func (c *Coordinator) reserveID() uint64 {
	next, id, _ := c.catalog.Load().NextIDs()
	c.catalog.Store(next)
	return id
}

// bindKept binds a query that is to be maintained. Its columns may share names: those of a view stand in the catalog.
func bindKept(env *plan.Env, q *ast.Query) (*plan.Bound, *repr.Error) {
	bound, err := plan.Subscription(env, q)
	if err == nil && len(bound.Params) > 0 {
		err = repr.NewError(repr.CodeUndefinedParameter, "there is no parameter $1")
	}
	return bound, err
}

// optimized is the plan of the query of an object that is to be maintained.
func (s *Session) optimized(it *catalog.Item) (*sql.Compiled, *plan.Bound, *repr.Error) {
	snap := s.c.Catalog()
	env := s.env(snap)
	env.Sees = it.Sees
	bound, err := bindKept(env, it.Query)
	if err != nil {
		return nil, nil, err
	}
	compiled, err := sql.Optimize(s.c.keptEnv(), bound.Rel)
	if err != nil {
		return nil, nil, err
	}
	for _, in := range collectionsOf(compiled.Optimized) {
		if it := snap.Item(in); it != nil && it.Kind == catalog.System {
			return nil, nil, repr.NewError(repr.CodeFeatureNotSupported, "a maintained view over the system table \""+it.Name+"\" is not supported yet").
				WithHint("a plain view (CREATE VIEW) can read system tables")
		}
	}
	return compiled, bound, nil
}

// newView compiles the query of an object into a view that is not filled yet.
func (s *Session) newView(ctx context.Context, sh *sharer, it *catalog.Item) (*view, *repr.Error) {
	compiled, bound, err := s.optimized(it)
	if err != nil {
		return nil, err
	}
	v, err := sh.view(ctx, compiled.Optimized, it.ID, it.Name)
	if err != nil {
		return nil, err
	}
	v.grows = compiled.Grows()
	v.keys = slices.DeleteFunc(compiled.Keys(), func(k []int) bool { return len(k) > 0 && slices.Max(k) >= len(bound.Cols) })
	return v, nil
}

// keptEnv is what the expressions of a maintained view see: nothing of a session.
func (c *Coordinator) keptEnv() *expr.Env { return &expr.Env{MostBytes: c.memory.mostValue()} }

// newView makes a view of a graph, not filled yet. It imports what may be shared.
func (c *Coordinator) newView(g *dataflow.Graph, arranged []*lower.Arranged, inputs []uint64, id uint64, name string) *view {
	g, imports := importing(g, arranged)
	flow := dataflow.New(g, dataflow.Options{Workers: c.opts.Workers, Clock: c.opts.Clock, MaxIterations: maxIterations,
		Memory: c.memory.flows})
	return &view{out: emptyCollection(id, name), flow: flow, inputs: inputs, asked: inputs, imports: imports, named: id != 0}
}

// maxIterations is how many rounds a recursion of a maintained view may take, unless it says so itself: a view that does not
// end must not hold up the ticks. A query that is run once goes on until it ends or is canceled.
const maxIterations = 10_000
