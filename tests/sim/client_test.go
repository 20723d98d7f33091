package sim

import (
	"context"
	"fmt"

	"millrace/coord"
	"millrace/repr"
)

// client is a connection without a socket.
type client struct {
	s    *coord.Session
	ctx  context.Context // bears the number
	busy *call
}

// number is the key of the party that a client is.
type number struct{}

// turn lets a goroutine of the server wait for its turn.
func (r *run) turn(ctx context.Context) { r.turns.wait(1, partyOf(ctx)) }

// partyOf is the party of a goroutine of the server.
func partyOf(ctx context.Context) int {
	if n, ok := ctx.Value(number{}).(int); ok {
		return n
	}
	if who := coord.Serves(ctx); who > 0 {
		return served + int(who%(parties-served))
	}
	return nobody
}

// call is a text of statements on its way.
type call struct {
	text    string
	changes []*change // what it does to the model, one after the other
	undone  bool      // a block that takes back what it does
	unsure  string    // the code of an error after which it may have been done too
	must    string    // the code of the error that it has to end with, unless the server cannot take it at all; empty: any
	done    chan struct{}
	sets    [][][]repr.Datum // the rows of each statement that gives some
	err     *repr.Error
}

// begin is a call that somebody else makes.
func (cl *client) begin(text string, changes ...*change) *call {
	cl.busy = &call{text: text, changes: changes, done: make(chan struct{})}
	return cl.busy
}

// start asks without waiting.
func (cl *client) start(text string, changes ...*change) *call {
	cl.begin(text, changes...)
	go func(c *call) {
		defer close(c.done)
		c.err = cl.each(cl.ctx, text, func(res *coord.Result) *repr.Error {
			if res.Rows == nil {
				return nil
			}
			defer res.Rows.Close()
			set := [][]repr.Datum{}
			for {
				row, ok, err := res.Rows.Next(cl.ctx)
				if err != nil || !ok {
					c.sets = append(c.sets, set)
					return err
				}
				set = append(set, repr.DecodeRow(nil, row))
			}
		})
		if cl.s.TxStatus() == 'E' {
			_ = cl.each(cl.ctx, "ROLLBACK", func(*coord.Result) *repr.Error { return nil }) // when the server stops the block is over too
		}
	}(cl.busy)
	return cl.busy
}

// each runs the statements of a text, as a simple query does.
func (cl *client) each(ctx context.Context, text string, take func(*coord.Result) *repr.Error) (err *repr.Error) {
	stmts, err := cl.s.Split(text)
	if err != nil {
		return err
	}
	if len(stmts) > 1 {
		cl.s.BeginImplicit()
		defer func() {
			if e := cl.s.EndImplicit(ctx); err == nil {
				err = e
			}
		}()
	}
	for _, st := range stmts {
		var res *coord.Result
		p, err := cl.s.Prepare(ctx, st, nil)
		if err == nil {
			res, err = cl.s.Execute(ctx, p, nil)
		}
		if err == nil {
			err = take(res)
		}
		if err != nil {
			cl.s.Fail()
			return err
		}
	}
	return nil
}

// bagOf are rows of k and v, from the column at on.
func bagOf(rows [][]repr.Datum, at int) bag {
	out := bag{}
	for _, r := range rows {
		out.add(pair{r[at].Int(), r[at+1].Int()}, 1)
	}
	return out
}

// sure are the errors that say that nothing was done.
var sure = map[string]bool{
	repr.CodeSerializationFailure: true, repr.CodeUndefinedTable: true, repr.CodeDependentObjects: true, diskFull: true,
}

// unknown are the errors after which something may have been done.
var unknown = map[string]bool{repr.CodeAdminShutdown: true, logBroken: true}

// isUnknown says whether a call that ended with an error may have done something.
func (c *call) isUnknown() bool {
	return unknown[c.err.Code] || c.unsure != "" && c.err.Code == c.unsure
}

const (
	diskFull  = "53100"
	logBroken = "58030"
)

// watcher follows a relation.
type watcher struct {
	o     *object
	cl    *client
	rows  coord.Live
	text  string
	at    int64 // what it holds is so from here on
	told  int64 // and up to here
	held  bag
	begun bool // the snapshot has its time
}

// poll takes what is there and hands each span that is complete to note.
func (w *watcher) poll(note func(*object, span) error) error {
	for {
		row, more, err := w.rows.Poll()
		if err != nil {
			return fmt.Errorf("%s: %w", w.text, err)
		}
		if row == nil || !more {
			return nil
		}
		if err := w.take(repr.DecodeRow(nil, row), note); err != nil {
			return fmt.Errorf("%s: %w", w.text, err)
		}
	}
}

// take takes a row of the stream: a change, or that all before a time was told.
func (w *watcher) take(row []repr.Datum, note func(*object, span) error) error {
	t, _, _ := row[0].NumericSmall()
	if t < w.told || t < w.at {
		return fmt.Errorf("the time %d comes after %d and %d", t, w.told, w.at)
	}
	if t > w.at && w.begun {
		if err := note(w.o, span{w.at, t, w.held.text()}); err != nil {
			return err
		}
	}
	if row[1].Bool() {
		w.told = t
		if !w.begun {
			w.begun, w.at = true, t
		}
		return nil
	}
	w.begun, w.at = true, t
	w.held.add(pair{row[3].Int(), row[4].Int()}, row[2].Int())
	return nil
}
