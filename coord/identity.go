package coord

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"millrace/internal/journal"
	"millrace/repr"
)

// identity is who this server is to the world: the name of the data that it keeps, and the name of this run on them. What
// sinks write elsewhere bears both, so that servers with other data do not take one another for the same, and a server on
// a copy of these data is told from this one. Both are notes of the journal; a server that keeps nothing has neither.
//
//	identity       the name of the data, made at the first start
//	start/<time>   the name of a run, by the time at which it began
type identity struct {
	data     string
	run      string
	runs     map[string]bool // this one and all before it on these data
	restored repr.Time       // the newest time that was durable when this run began
	durable  bool            // the journal holds the name of this run; it belongs to the loop
}

const (
	identityNote = "identity"
	startNotes   = "start/"
	nameBytes    = 8
	// maxRuns is how many starts are remembered.
	maxRuns = 1 << 16
)

// identify reads the names from the notes and makes those that are missing; they become durable with the next tick. It
// runs before the loop.
func (c *Coordinator) identify(notes map[string][]byte, restored repr.Time) *repr.Error {
	id := &identity{data: string(notes[identityNote]), runs: map[string]bool{}, restored: restored}
	c.identity = id
	var starts []string
	for k, v := range notes {
		if strings.HasPrefix(k, startNotes) {
			starts = append(starts, k)
			id.runs[string(v)] = true
		}
	}
	var err *repr.Error
	if id.run, err = newName(c.opts.Random); err != nil {
		return err
	}
	if id.data == "" {
		if id.data, err = newName(c.opts.Random); err != nil {
			return err
		}
		c.notes = append(c.notes, journal.Note{Key: identityNote, Value: []byte(id.data)})
	}
	id.runs[id.run] = true
	c.notes = append(c.notes, journal.Note{Key: fmt.Sprintf("%s%0*x", startNotes, noteIDDigits, c.oracle.after()), Value: []byte(id.run)})
	if slices.Sort(starts); len(starts) >= maxRuns {
		c.notes = append(c.notes, journal.Note{Key: starts[0]})
	}
	return nil
}

// newName is a name that nobody else makes.
func newName(random io.Reader) (string, *repr.Error) {
	b := make([]byte, nameBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", repr.NewError(repr.CodeInternal, "no random numbers can be had: "+err.Error())
	}
	return hex.EncodeToString(b), nil
}

// announce makes the names durable. When the disk is full that waits until there is space. It runs before the loop.
func (c *Coordinator) announce() *repr.Error {
	c.tickSafely(c.oracle.after())
	if c.broken != nil {
		return asError(c.broken)
	}
	return nil
}

// announcedEvery is how often somebody who waits for the names looks.
const announcedEvery = 100 * time.Millisecond

// announced waits until the names are durable: before that nothing may be written under them.
func (c *Coordinator) announced(ctx context.Context) bool {
	for {
		done := false
		if err := c.do(ctx, func() { done = c.identity.durable }); err != nil {
			return false
		}
		if done {
			return true
		}
		if err := c.opts.Clock.Sleep(ctx, announcedEvery); err != nil {
			return false
		}
	}
}

// sinkName is the name of a sink to the broker, for ever.
func (c *Coordinator) sinkName(topic string, id uint64) string {
	if c.identity.data == "" {
		return fmt.Sprintf("millrace-sink-%s-%d", topic, id)
	}
	return fmt.Sprintf("millrace-sink-%s-%s-%d", c.identity.data, topic, id)
}
