package budget

import (
	"sync"
	"sync/atomic"
)

// Ask says up to how much a budget may come to hold that is to hold so much now. It may wait before it answers. Less than was asked
// for is a refusal, and why says what was waited for.
type Ask func(held int64) (upTo int64, why string)

// gate stands before what a budget may hold without asking.
type gate struct {
	open atomic.Int64 // up to so much nobody asks
	mu   sync.Mutex   // guards who asks
	ask  Ask
}

// Gate has who takes more than least ask first. Others that take more meanwhile wait for the answer, so that all workers of a
// statement stand still together. A nil ask takes the gate away. Nobody takes from the budget while the gate is set.
func (b *Budget) Gate(least int64, ask Ask) {
	if b == nil || ask == nil {
		if b != nil {
			b.gate.Store(nil)
		}
		return
	}
	g := &gate{ask: ask}
	g.open.Store(least)
	b.gate.Store(g)
}

// enter passes the gates before n bytes more.
func (b *Budget) enter(n int64) bool {
	for x := b; x != nil; x = x.up {
		g := x.gate.Load()
		if g == nil {
			continue
		}
		if why, ok := g.pass(x.held.Load() + n); !ok {
			return b.exceed(Excess{Name: x.name, Most: x.most, Why: why}, n)
		}
	}
	return true
}

// pass asks when so much may not be held yet.
func (g *gate) pass(held int64) (why string, ok bool) {
	if held <= g.open.Load() {
		return "", true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if held <= g.open.Load() {
		return "", true
	}
	upTo, why := g.ask(held)
	if upTo < held {
		return why, false
	}
	g.open.Store(upTo)
	return "", true
}
