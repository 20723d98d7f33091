package loadgen

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// mostBehind is how many microseconds of steps are made up for; when it is more, the time between is left out, as a shop has no
// customers while it is closed.
const mostBehind = 10_000_000

// calendar says when each step happens, in microseconds since 1970: one at the end of every interval, from the last stretch that began at or
// before it. A new stretch begins where the server was away for long, or the clock was set. It only grows, so that a step keeps its time.
type calendar struct {
	first     int64 // the steps below it are the first content; they happen when the first stretch begins
	interval  int64 // in microseconds; 0: all at once
	stretches []stretch
}

// stretch begins at a step, at a time.
type stretch struct{ step, micros int64 }

// at is the time of a step.
func (c *calendar) at(step int64) int64 {
	i := max(sort.Search(len(c.stretches), func(i int) bool { return c.stretches[i].step > step })-1, 0)
	s := c.stretches[i]
	return s.micros + max(step-s.step+1, 0)*c.interval
}

// due is how many steps have happened by now, when so many were handed over. It may begin a new stretch, and says whether it did.
func (c *calendar) due(now, handed int64) (steps int64, begun bool) {
	next := max(handed, c.first)
	if len(c.stretches) == 0 || handed >= c.first && c.off(now, next) {
		c.stretches = append(c.stretches, stretch{step: next, micros: now})
		begun = true
	}
	if c.interval == 0 {
		return next + batchSteps, begun
	}
	last := c.stretches[len(c.stretches)-1]
	return max(last.step+(now-last.micros)/c.interval, c.first), begun
}

// off says whether the clock is where the calendar does not lead: far ahead of the next step, or so far back that nothing would happen
// for long.
func (c *calendar) off(now, next int64) bool {
	behind := now - c.at(next)
	return max(behind, -behind) > c.interval+mostBehind
}

// The rows of what is kept: a word and numbers.
const calendarWord = "calendar"

func (s stretch) row() []byte {
	return fmt.Appendf(nil, "%s %d %d", calendarWord, s.step, s.micros)
}

// restore takes back a stretch; they come in any order.
func (c *calendar) restore(fields [][]byte) error {
	if len(fields) != 2 {
		return fmt.Errorf("what is kept of a calendar does not parse: %q", bytes.Join(fields, []byte(" ")))
	}
	step, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return err
	}
	micros, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return err
	}
	i := sort.Search(len(c.stretches), func(i int) bool { return c.stretches[i].step >= step })
	c.stretches = append(c.stretches, stretch{})
	copy(c.stretches[i+1:], c.stretches[i:])
	c.stretches[i] = stretch{step: step, micros: micros}
	return nil
}

// to2000 makes of microseconds since 1970 those since 2000, which timestamps count.
var to2000 = pgfmt.DaysFromCivil(1970, 1, 1) * 86_400_000_000

// moment is a time as a value.
func moment(micros int64) repr.Datum { return repr.TimestampTZ(micros + to2000) }
