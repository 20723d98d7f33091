package coord

import (
	"context"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sinks"
)

// addSink adds a sink to the catalog, and with one whose target may refuse rows the relation that keeps those.
func (s *Session) addSink(ctx context.Context, it *catalog.Item, connector sinks.Sink) *repr.Error {
	if _, refusing := connector.(sinks.Refusing); !refusing {
		return s.add(ctx, it, nil)
	}
	errs := &catalog.Item{Schema: it.Schema, Name: it.Name + "_errors", Kind: catalog.Source, Desc: sinks.RefusalColumns,
		Hidden: true, Path: it.Path, On: it.ID}
	if s.c.Catalog().Taken(errs.Schema, errs.Name, catalog.Source) != nil {
		return repr.NewError(repr.CodeDuplicateTable, "relation \""+errs.Name+"\" already exists").
			WithDetail("the sink keeps what its target refuses in a relation of that name").WithHint("give the sink another name")
	}
	return s.add(ctx, it, func() *repr.Error {
		s.c.addBase(errs.ID, errs.Name)
		return nil
	}, errs)
}

// refusals keep what the target of one sink refuses.
type refusals struct {
	run  *sinkRun
	held [][]byte
}

// keepRefusals gives a sink that needs it the relation of what its target refuses. It runs in the loop.
func (c *Coordinator) keepRefusals(it *catalog.Item, r *sinkRun, connector sinks.Sink) {
	to, refusing := connector.(sinks.Refusing)
	errs := c.errorsOf(it)
	if !refusing || errs == nil || c.collections[errs.ID] == nil {
		return
	}
	r.errCol = c.collections[errs.ID]
	k := &refusals{run: r}
	now, err := r.errCol.ok.At(c.oracle.complete)
	if err != nil {
		c.opts.Log.Error("what the target of a sink refused cannot be read", "object", it.Name, "err", err)
		return
	}
	b := now.Batch()
	for i := range b.Len() {
		k.held = append(k.held, b.Row(i))
	}
	to.KeepRefusals(k)
}

// Held are the rows when the sink starts.
func (k *refusals) Held() [][]byte { return k.held }

// Change changes the relation and waits for the tick that makes it durable.
func (k *refusals) Change(ctx context.Context, changes []sinks.Change) error {
	c := k.run.c
	done := make(chan error, 1)
	err := c.do(ctx, func() {
		if c.sinks[k.run.id] != k.run {
			done <- errShutdown // the sink was dropped
			return
		}
		for i := range changes {
			k.run.errCol.queue(changes[i].Row, changes[i].Diff)
		}
		c.queued = true
		c.waiting = append(c.waiting, done)
	})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		c.turn(ctx)
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
