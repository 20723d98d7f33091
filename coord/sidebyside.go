package coord

import "sync"

// sideBySide runs functions beside each other, no more than some at once. With room for one each runs where it is given, in
// the order in which they are, so that a run can be repeated.
type sideBySide struct {
	room chan struct{} // nil: there is room for one
	all  sync.WaitGroup
}

func newSideBySide(atOnce int) *sideBySide {
	s := &sideBySide{}
	if atOnce > 1 {
		s.room = make(chan struct{}, atOnce)
	}
	return s
}

// run runs f as soon as there is room.
func (s *sideBySide) run(f func()) { s.runBehind(func() {}, f) }

// inTurn says whether there is room for one: what was given before has run.
func (s *sideBySide) inTurn() bool { return s.room == nil }

// runBehind runs f as soon as before, which waits for what was given earlier, has returned and there is room, which it does not
// take while it waits.
func (s *sideBySide) runBehind(before, f func()) {
	if s.inTurn() {
		f()
		return
	}
	s.all.Go(func() {
		before()
		s.room <- struct{}{}
		defer func() { <-s.room }()
		f()
	})
}

// wait returns when all that was to run has.
func (s *sideBySide) wait() { s.all.Wait() }
