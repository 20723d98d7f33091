package coord

import (
	"context"
	"time"

	"millrace/sources"
)

// leavePatience bounds how long a DROP waits for what a source takes away on the other side.
const leavePatience = 10 * time.Second

// takeLeaving gives the sources that were dropped and have something left on the other side. It runs in the loop.
func (c *Coordinator) takeLeaving() []*sourceRun {
	out := c.leaving
	c.leaving = nil
	return out
}

// leave takes away what dropped sources have on the other side, and tells what could not be.
func (s *Session) leave(ctx context.Context, runs []*sourceRun) {
	ctx, cancel := context.WithTimeout(ctx, leavePatience)
	defer cancel()
	for _, r := range runs {
		select {
		case <-r.ended:
			s.c.turn(ctx)
		case <-ctx.Done():
		}
		if err := r.connector.(sources.Leaver).Leave(ctx); err != nil {
			e := asError(err)
			s.notice(Notice{Severity: "WARNING", Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint})
		}
	}
}
