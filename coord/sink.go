package coord

import (
	"context"
	"sync"
	"sync/atomic"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sinks"
	"millrace/sql/ast"
)

// sinkRun is a running sink: a subscription of the view that a goroutine feeds to the connector.
type sinkRun struct {
	c      *Coordinator
	id     uint64
	name   string
	from   uint64
	began  repr.Time // of the content that it began with
	limit  int64     // of what may wait for it, in bytes
	cancel context.CancelFunc

	mu    sync.Mutex // guards state
	state sinks.State
}

func (r *sinkRun) report(st sinks.State) {
	r.mu.Lock()
	changed := r.state.Status != st.Status || r.state.Error != st.Error
	r.state = st
	r.mu.Unlock()
	if changed {
		r.c.opts.Log.Info("sink", "object", r.name, "status", st.Status, "err", st.Error)
	}
}

// needs is the time from which the changes of its view must be kept for it. One that has failed needs none: when it is started
// again it compares its topic with the view.
func (r *sinkRun) needs() repr.Time {
	st := r.current()
	if st.Status == failedSink {
		return never
	}
	return max(r.began, st.Recorded)
}

const failedSink = "failed"

func (r *sinkRun) current() sinks.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
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
	from := s.c.Catalog().Find(st.From.Parts, s.path())
	if from == nil {
		return nil, s.noRelation(s.c.Catalog(), st.From)
	}
	if from.Failed != nil {
		return nil, errFailed(from).At(st.From.Pos)
	}
	switch from.Kind {
	case catalog.MaterializedView, catalog.Source, catalog.Table:
	default:
		return nil, repr.NewError(repr.CodeWrongObjectType, "a sink needs a materialized view, a source or a table; \""+
			from.Name+"\" is a "+from.Kind.String()).WithHint("make it a materialized view first").At(st.From.Pos)
	}
	spec, err := s.sinkSpec(st, from)
	if err != nil {
		return nil, err
	}
	it.On, it.CreateSQL, it.Depends, it.Def = from.ID, createText(st), append(spec.depends, from.ID), spec
	it.Statement = ast.Format(st)
	if err := s.reserve(ctx, it); err != nil {
		return nil, err
	}
	connector, err := spec.open(ctx, s.c, it.ID)
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, []uint64{from.ID}); err != nil {
		return nil, err
	}
	if err := s.add(ctx, it, nil); err != nil {
		return nil, err
	}
	// The broker must not know of the sink before the journal does.
	if err := s.beginSink(ctx, it, from.ID, connector); err != nil {
		return nil, err
	}
	return &Result{Tag: tag}, nil
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
		_ = s.remove(context.WithoutCancel(ctx), it.ID) // err says more
	}
	return err
}

// startSink runs a sink from the snapshot that its subscription starts with. It runs in the loop.
func (c *Coordinator) startSink(it *catalog.Item, from uint64, connector sinks.Sink, started *subscribed) {
	ctx, cancel := context.WithCancel(c.ctx)
	r := &sinkRun{c: c, id: it.ID, name: it.Name, from: from, began: started.at, limit: started.sub.limit, cancel: cancel, state: sinks.State{Status: "starting"}}
	c.sinks[it.ID] = r
	var behind atomic.Bool // more waited for the sink than it may hold
	ticks := make(chan sinks.Tick, 16)
	c.running.Add(2)
	go func() {
		defer c.running.Done()
		defer close(ticks)
		defer started.cancel()
		err := feed(ctx, started, ticks)
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
		err := c.guarded("sink "+it.Name, func() error { return connector.Run(ctx, ticks, r.report) })
		if err != nil && ctx.Err() == nil {
			e := asError(err)
			r.report(sinks.State{Status: failedSink, Error: e.Error(), Hint: e.Hint})
			cancel()
		}
		if behind.Load() {
			c.later(func() { c.restartSink(it, r) })
		}
	}()
}

// restartSink starts a sink that fell so far behind that its changes were dropped: it compares its topic with the view as it
// is now. It runs in the loop.
func (c *Coordinator) restartSink(it *catalog.Item, old *sinkRun) {
	col := c.collections[old.from]
	if c.sinks[it.ID] != old || col == nil {
		return // it was dropped
	}
	c.opts.Log.Warn("a sink fell too far behind and starts again", "object", it.Name)
	connector, err := it.Def.(*sinkSpec).connector(c, it.ID)
	if err == nil {
		var started *subscribed
		if started, err = c.subscribe(col, 0); err == nil {
			started.sub.limit = old.limit
			c.startSink(it, old.from, connector, started)
			return
		}
	}
	old.report(sinks.State{Status: failedSink, Error: err.Error(), Hint: err.Hint})
}

// idleFeed is after how many milliseconds without a change a sink is told the time.
const idleFeed = 5_000

// feed hands the snapshot and then every tick of a subscription to a sink.
func feed(ctx context.Context, s *subscribed, out chan<- sinks.Tick) *repr.Error {
	send := func(t sinks.Tick) *repr.Error {
		select {
		case out <- t:
			return nil
		case <-ctx.Done():
			return ctxError(ctx)
		}
	}
	if e := firstError(s.errs.Batch()); e != nil {
		return e
	}
	if err := send(sinks.Tick{Time: s.at, Changes: changesOf(s.snapshot.Batch())}); err != nil {
		return err
	}
	s.snapshot = nil
	sent := s.at
	for {
		changes, upper, err := s.sub.take()
		for _, c := range changes {
			if e := firstError(c.delta.Err); e != nil {
				return e
			}
			if c.delta.OK.Len() == 0 {
				continue
			}
			if err := send(sinks.Tick{Time: c.time, Changes: changesOf(c.delta.OK)}); err != nil {
				return err
			}
			sent = c.time
		}
		if err != nil {
			return err
		}
		if len(changes) > 0 {
			continue
		}
		if upper-1 >= sent+idleFeed { // history is kept for a sink from where it is
			sent = upper - 1
			if err := send(sinks.Tick{Time: sent}); err != nil {
				return err
			}
		}
		if err := s.sub.wait(ctx); err != nil {
			return err
		}
	}
}

func changesOf(b arrangement.Batch) []sinks.Change {
	out := make([]sinks.Change, b.Len())
	for i := range out {
		out[i] = sinks.Change{Row: b.Row(i), Diff: b.Diff(i)}
	}
	return out
}

// stopSink ends a sink. It runs in the loop.
func (c *Coordinator) stopSink(id uint64) {
	if r := c.sinks[id]; r != nil {
		r.cancel()
		delete(c.sinks, id)
	}
}
