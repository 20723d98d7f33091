package sinks

import (
	"context"

	"millrace/repr"
)

// Change is one row of a tick's delta, consolidated: at most one change for each distinct row.
type Change struct {
	Row  []byte
	Diff repr.Diff
}

// Tick is the delta of a view at one time. Changes come in the order of their bytes.
type Tick struct {
	Time    repr.Time
	Changes []Change
}

// State is what a sink is doing, in words for people.
type State struct {
	Status   string // starting, running, stalled or failed
	Error    string
	Hint     string
	Written  repr.Time // everything up to this time is committed
	Recorded repr.Time // a restart goes on from here
	Records  int64     // records committed
	Dropped  int64     // changes left out, since the sink was told so
}

// Sink is one running sink.
type Sink interface {
	// Run writes the ticks that come, gathering several into one transaction when they come fast, until ctx ends or
	// the channel is closed (then it commits what it has). It returns early only on an error that no retry can mend.
	Run(ctx context.Context, ticks <-chan Tick, report func(State)) error
}
