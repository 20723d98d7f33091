package coord

import (
	"context"
	"sync"
	"sync/atomic"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sinks"
	"millrace/sql/ast"
)

// sinkRun is a running sink: a subscription of the view that a goroutine feeds to the connector.
type sinkRun struct {
	c       *Coordinator
	id      uint64
	name    string
	from    uint64
	began   repr.Time   // of the content that it began with
	col     *collection // of from, as the next it belongs to the loop
	started *subscribed // nil: it did not start
	errCol  *collection // what its target refuses; nil when it keeps none
	limit   int64       // of what may wait for it, in bytes
	cancel  context.CancelFunc

	mu      sync.Mutex // guards what follows
	state   sinks.State
	blocked *repr.Error // why nothing is written, though it could be: the view has an error
	again   bool        // it is to start again when it has ended
	ended   bool
}

func (r *sinkRun) report(st sinks.State) {
	r.mu.Lock()
	changed := r.state.Status != st.Status || r.state.Error != st.Error
	if st.Status == failedSink { // what it has written stays written
		st.Records, st.Dropped = max(st.Records, r.state.Records), max(st.Dropped, r.state.Dropped)
	}
	r.state = st
	r.mu.Unlock()
	if changed {
		r.c.opts.Log.Info("sink", "object", r.name, "status", st.Status, "err", st.Error)
	}
}

// block says that the view has an error; nil says that it has none.
func (r *sinkRun) block(err *repr.Error) {
	r.mu.Lock()
	before := r.blocked
	r.blocked = err
	r.mu.Unlock()
	switch {
	case before == nil && err != nil:
		r.c.opts.Log.Warn("a sink waits, for its view has an error", "object", r.name, "err", err)
	case before != nil && err == nil:
		r.c.opts.Log.Info("a sink goes on, for its view has no error any more", "object", r.name)
	}
}

// needs is the time from which the changes of its view must be kept for it. One that has failed, waits for an error to go, or is so far
// behind that it is given the difference of two contents, needs none: when it is started again it compares its topic with the view.
func (r *sinkRun) needs() repr.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Status == failedSink || r.blocked != nil || r.started != nil && r.started.sub.overtaken() {
		return never
	}
	return max(r.began, r.state.Recorded)
}

// States of sinks that are told apart here.
const (
	failedSink  = "failed"
	stalledSink = "stalled"
)

// insteadOf is what to do where a relation is kept that is not.
func insteadOf(it *catalog.Item) string {
	if it.Kind == catalog.System {
		return "system tables are read by SELECT"
	}
	return "make it a materialized view first"
}

// current is the state of the sink.
func (r *sinkRun) current() sinks.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.state
	if r.blocked != nil && st.Status != failedSink {
		st.Status, st.Error, st.Hint = stalledSink, "the view has an error: "+r.blocked.Error(), "the sink goes on by itself when the error has gone"
	}
	return st
}

func (s *Session) createSink(ctx context.Context, st *ast.CreateSink) (*Result, *repr.Error) {
	const tag = "CREATE SINK"
	if st.OrReplace {
		return nil, unsupported("CREATE OR REPLACE SINK", st.Pos)
	}
	if st.Name.IsZero() {
		named := *st
		named.Name = ast.Name{At: st.At, Parts: []string{s.freeName(catalog.DefaultSchema, st.From.Last()+"_sink")}}
		st = &named
	}
	it, err := s.newItem(st.Name, catalog.Sink, st.IfNotExists)
	if err != nil || it == nil {
		return &Result{Tag: tag}, err
	}
	from, err := s.sinkInput(st.From)
	if err != nil {
		return nil, err
	}
	spec, err := s.sinkSpec(st, from)
	if err != nil {
		return nil, err
	}
	if err := s.c.aloneThere(spec, st); err != nil {
		return nil, err
	}
	it.On, it.CreateSQL, it.Depends, it.Def = from.ID, createText(st), append(spec.world().depends, from.ID), spec
	it.Statement, it.System = ast.Format(st), systemName(st.Into.Kind)
	if err := s.reserve(ctx, it); err != nil {
		return nil, err
	}
	if err := s.proveKey(st, from, spec); err != nil {
		return nil, err
	}
	connector, err := s.c.openSink(ctx, spec, it.ID)
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, []uint64{from.ID}); err != nil {
		return nil, err
	}
	if err := s.addSink(ctx, it, connector); err != nil {
		return nil, err
	}
	// The broker must not know of the sink before the journal does.
	if err := s.beginSink(ctx, it, from.ID, connector); err != nil {
		return nil, err
	}
	return &Result{Tag: tag}, nil
}

// sinkInput is the relation that a sink is to write.
func (s *Session) sinkInput(name ast.Name) (*catalog.Item, *repr.Error) {
	from := s.c.Catalog().Find(name.Parts, s.path())
	if from == nil {
		return nil, s.noRelation(s.c.Catalog(), name)
	}
	if from.Failed != nil {
		return nil, errFailed(from).At(name.Pos)
	}
	switch from.Kind {
	case catalog.MaterializedView, catalog.Source, catalog.Table:
	default:
		return nil, repr.NewError(repr.CodeWrongObjectType, "a sink needs a materialized view, a source or a table; \""+
			from.Name+"\" is a "+from.Kind.String()).WithHint(insteadOf(from)).At(name.Pos)
	}
	if err := fixedColumns(from); err != nil {
		return nil, err.At(name.Pos)
	}
	return from, nil
}

// beginSink starts a sink that the catalog has; on an error it is dropped.
func (s *Session) beginSink(ctx context.Context, it *catalog.Item, from uint64, connector sinks.Sink) *repr.Error {
	var failure *repr.Error
	err := s.c.do(context.WithoutCancel(ctx), func() {
		if s.c.Catalog().Item(it.ID) == nil {
			return // somebody has dropped it already
		}
		started, err := s.c.subscribe(s.c.collections[from], 0)
		if err != nil {
			failure = err
			return
		}
		started.sub.limit = s.c.opts.SubscriberBytes * 4
		s.c.startSink(it, from, connector, started)
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		_ = s.remove(context.WithoutCancel(ctx), it.ID, false) // err says more
	}
	return err
}

// startSink runs a sink from the snapshot that its subscription starts with. It runs in the loop.
func (c *Coordinator) startSink(it *catalog.Item, from uint64, connector sinks.Sink, started *subscribed) {
	started.sub.relax(false, true)
	ctx, cancel := context.WithCancel(serve(c.ctx, it.ID, connectorRole))
	r := &sinkRun{c: c, id: it.ID, name: it.Name, from: from, began: started.at, limit: started.sub.limit, cancel: cancel, state: sinks.State{Status: "starting"},
		col: c.collections[from], started: started}
	c.sinks[it.ID] = r
	c.keepRefusals(it, r, connector)
	var behind atomic.Bool // more waited for the sink than it may hold
	ticks := make(chan sinks.Tick, 16)
	c.running.Add(2)
	go func() {
		defer c.running.Done()
		defer close(ticks)
		defer started.cancel()
		ctx := serve(ctx, it.ID, feederRole)
		c.turn(ctx)
		err := newFeeding(r, started, ticks).feed(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
		case err.Code == repr.CodeOutOfMemory:
			behind.Store(true)
			cancel()
		default:
			r.report(sinks.State{Status: failedSink, Error: err.Error(), Hint: err.Hint})
			cancel()
		}
	}()
	go func() {
		defer c.running.Done()
		c.turn(ctx)
		err := c.guarded("sink "+it.Name, func() error { return connector.Run(ctx, ticks, r.report) })
		if err != nil && ctx.Err() == nil {
			e := asError(err)
			r.report(sinks.State{Status: failedSink, Error: e.Error(), Hint: e.Hint})
			cancel()
		}
		c.turn(ctx)
		switch again := r.end(); {
		case behind.Load():
			c.opts.Log.Warn("a sink fell too far behind and starts again", "object", it.Name)
			c.later(func() { c.restartSink(r, 0) })
		case again:
			c.later(func() { c.restartSink(r, r.resumesAt()) })
		}
	}()
}

// end notes that a sink has ended, and says whether it is to start again.
func (r *sinkRun) end() (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	return r.again
}

// resumesAt is the time from which its changes were kept; 0 when they were not.
func (r *sinkRun) resumesAt() repr.Time {
	if at := r.needs(); at != never {
		return at
	}
	return 0
}

// reopenSink has a sink start again, by its definition as it is now. It runs in the loop.
func (c *Coordinator) reopenSink(id uint64) {
	r := c.sinks[id]
	if r == nil {
		return
	}
	r.mu.Lock()
	r.again = true
	ended := r.ended
	r.mu.Unlock()
	if ended {
		c.restartSink(r, r.resumesAt())
		return
	}
	r.cancel()
}

// failSink says of a sink that cannot even start why it does not run. It runs in the loop.
func (c *Coordinator) failSink(it *catalog.Item, err *repr.Error) {
	r := &sinkRun{c: c, id: it.ID, name: it.Name, from: it.On, limit: c.opts.SubscriberBytes * 4, cancel: func() {}, ended: true}
	c.sinks[it.ID] = r
	r.report(sinks.State{Status: failedSink, Error: err.Error(), Hint: err.Hint})
}

// restartSink starts a sink that has ended: from a time on, or, when its changes were dropped and the time is 0, by comparing its topic
// with the view as it is now. So does one that has another view now. It runs in the loop.
func (c *Coordinator) restartSink(old *sinkRun, at repr.Time) {
	it := c.Catalog().Item(old.id)
	if c.sinks[old.id] != old || it == nil || c.collections[it.On] == nil {
		return // it was dropped
	}
	if it.On != old.from {
		at = 0
	}
	col := c.collections[it.On]
	connector, err := it.Def.(sinkSpec).connector(c, it.ID)
	if err == nil {
		var started *subscribed
		if started, err = c.subscribe(col, at); err != nil || started == nil {
			started, err = c.subscribe(col, 0)
		}
		if err == nil {
			started.sub.limit = old.limit
			c.startSink(it, it.On, connector, started)
			return
		}
	}
	old.report(sinks.State{Status: failedSink, Error: err.Error(), Hint: err.Hint})
}

// stopSink ends a sink. It runs in the loop.
func (c *Coordinator) stopSink(id uint64) {
	if r := c.sinks[id]; r != nil {
		r.cancel()
		delete(c.sinks, id)
	}
}
