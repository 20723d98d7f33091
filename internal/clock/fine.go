package clock

import "time"

// fineBelow is up to which wait Fine asks the kernel.
const fineBelow = 2 * time.Millisecond

// Fine is the clock of the machine for who waits parts of a millisecond. A timer of the runtime that nothing else wakes comes up to
// a millisecond late there, for that is the unit in which an idle runtime waits for the network. Each such wait takes a thread.
type Fine struct{ System }

// After returns a channel that receives once, d from now.
func (f Fine) After(d time.Duration) <-chan time.Time {
	if d <= 0 || d >= fineBelow {
		return f.System.After(d)
	}
	ch := make(chan time.Time, 1)
	go func() { // it ends by itself, when d is over
		nap(d)
		ch <- f.Now()
	}()
	return ch
}
