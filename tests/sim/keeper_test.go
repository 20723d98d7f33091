package sim

import (
	"context"
	"errors"

	"millrace/repr"
	"millrace/sinks"
)

// table is a table with the ledger of the sink that writes it, in a database whose transactions take place or do not.
type table struct {
	rows  map[int64]pair // by key
	known bool           // the ledger has the sink
	by    string         // the run that wrote last
}

// keeper is the connector of a table: the runner of such sinks, and what of PostgreSQL it speaks to.
type keeper struct {
	*sinks.Runner
	g     *target
	turns *turns
	run   sinks.Options
}

func newKeeper(g *target, t *turns, run sinks.Options) *keeper {
	run.Place = g.of.full()
	k := &keeper{g: g, turns: t, run: run}
	k.Runner = sinks.NewRunner(k, run)
	return k
}

// Check tries the table.
func (k *keeper) Check(context.Context) *repr.Error { return nil }

// Open says how far the table is.
func (k *keeper) Open(ctx context.Context) (sinks.Progress, error) {
	if err := k.g.step(ctx, k.turns, true); err != nil {
		return sinks.Progress{}, err
	}
	k.g.mu.Lock()
	defer k.g.mu.Unlock()
	if !k.g.table.known {
		k.g.table.known, k.g.table.by = true, k.run.Writer
		return sinks.Progress{}, nil
	}
	return sinks.Progress{Known: true, Time: repr.Time(k.g.upTo), Writer: k.g.table.by}, nil
}

// Write commits a group. A server that ends while it waits for that leaves a transaction that takes place or not.
func (k *keeper) Write(ctx context.Context, group sinks.Group) (int64, error) {
	for range 2 { // the rows, the progress
		if err := k.g.step(ctx, k.turns, true); err != nil {
			return 0, err
		}
	}
	if err := k.g.step(ctx, k.turns, true); err != nil && k.g.draw(2) == 0 {
		return 0, err
	}
	if group.Whole {
		k.g.snapshot(int64(group.Ticks[0].Time))
	}
	n, err := k.commit(group)
	if err == nil {
		err = k.g.answer(ctx, k.turns)
	}
	return n, err
}

func (k *keeper) commit(group sinks.Group) (int64, error) {
	k.g.mu.Lock()
	defer k.g.mu.Unlock()
	if k.g.upTo != int64(group.From.Time) {
		return 0, sinks.Taken(k.run.Place)
	}
	if group.Whole {
		clear(k.g.table.rows)
	}
	folded := sinks.Fold(group.Ticks, []int{0})
	for _, f := range folded {
		row := f.Row
		if row == nil {
			row = f.Was
		}
		d := repr.DecodeRow(nil, row)
		if delete(k.g.table.rows, d[0].Int()); f.Row != nil {
			k.g.table.rows[d[0].Int()] = pair{d[0].Int(), d[1].Int()}
		}
	}
	k.g.table.by, k.g.upTo, k.g.held = k.run.Writer, int64(group.To), bag{}
	k.g.wrote++
	for _, p := range k.g.table.rows {
		k.g.held.add(p, 1)
	}
	k.g.shown = append(k.g.shown, span{k.g.upTo, k.g.upTo + 1, k.g.held.text()})
	return int64(len(folded)), nil
}

// Explain tells errors of the sink, which no retry mends, from those of the way to the table.
func (k *keeper) Explain(err error) (*repr.Error, bool) {
	if e, ok := errors.AsType[*repr.Error](err); ok {
		return e, true
	}
	return repr.NewError(repr.CodeConnectionFailure, err.Error()), false
}

// Close gives the connection up.
func (k *keeper) Close(context.Context) {}
