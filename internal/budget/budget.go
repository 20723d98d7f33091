package budget

import "sync/atomic"

// Budget is memory that a part of a server holds. Any goroutine may use it; the nil Budget has no limit and counts nothing.
type Budget struct {
	name   string
	most   int64 // 0: no limit of its own
	up     *Budget
	upMost int64 // what up may hold when this one takes more; 0: no such limit
	lasts  bool
	held   atomic.Int64
	taken  atomic.Int64 // since it was last found out what is really in use
	over   atomic.Pointer[Excess]
	onOver func()
	fits   func(n int64) bool // of the whole: whether there is room beside what is really in use; nil: it is not known
	gate   atomic.Pointer[gate]
}

// Excess says which limit a budget has met.
type Excess struct {
	Name string // of the budget whose limit it is
	Own  bool   // it is the limit of the budget itself
	Most int64
	Held int64  // what the budget held, and what more was asked for
	All  int64  // the same of the one whose limit it is; 0: the limit was not reached by counting
	Why  string // what was waited for in vain; empty: it is the limit
}

// New makes a budget of its own; most 0 is no limit.
func New(name string, most int64) *Budget { return &Budget{name: name, most: most} }

// Part makes a budget whose holdings are part of b's. It may hold most, and takes no more when b holds more than upMost, so
// that of several parts one gives way before another; 0 is no limit.
func (b *Budget) Part(name string, most, upMost int64) *Budget {
	return &Budget{name: name, most: most, up: b, upMost: upMost}
}

// Watch tells a whole how to find out whether there is room for n bytes more beside what is really in use: what is counted is
// never all. It is asked when a part asks for much, at once or by and by. It is set before the budget is used.
func (b *Budget) Watch(fits func(n int64) bool) { b.fits = fits }

// watchBytes is how much has to be asked for, at once or since the last time, for it to be found out what is in use, which is dear.
const watchBytes = 128 << 10

// watched says whether n bytes more would fit beside what is really in use.
func (b *Budget) watched(n int64) bool {
	for x := b; x != nil && n >= watchBytes && !x.lasts; x = x.up {
		if x.fits != nil && !x.fits(n) {
			return b.exceed(Excess{Name: x.name, Most: x.most}, n)
		}
	}
	return true
}

// collected has it found out what is in use, which frees what is not, before n bytes more are. What lasts is not refused them.
func (b *Budget) collected(n int64) {
	for x := b; x != nil && n >= watchBytes; x = x.up {
		if x.fits != nil {
			x.fits(n)
		}
	}
}

// OnOver has f called when the budget is first exceeded. It is set before the budget is used.
func (b *Budget) OnOver(f func()) { b.onOver = f }

// Take counts n bytes more, or less, as held.
func (b *Budget) Take(n int64) {
	if b == nil || n == 0 {
		return
	}
	for x := b; x != nil; x = x.up {
		x.held.Add(n)
	}
	if n > 0 && b.enter(0) && b.limited(0) {
		if n = b.taken.Add(n); n >= watchBytes {
			b.taken.Store(0)
		}
		b.watched(n) // it is in use by now, or will be
	}
}

// Room says whether n bytes more would fit; when not, the budget is exceeded.
func (b *Budget) Room(n int64) bool {
	return b == nil || b.enter(n) && b.limited(n) && b.watched(n)
}

// limited says whether n bytes more are within all limits.
func (b *Budget) limited(n int64) bool {
	for x := b; x != nil; x = x.up {
		held := x.held.Load() + n
		if x.most > 0 && held > x.most {
			return b.exceed(Excess{Name: x.name, Own: x == b, Most: x.most, All: held}, n)
		}
		if x.up != nil && x.upMost > 0 && x.up.held.Load()+n > x.upMost {
			return b.exceed(Excess{Name: x.up.name, Most: x.upMost}, n)
		}
	}
	return true
}

// Lasts says that the work of the budget is not given up for what it needs for a moment. It is set before the budget is used.
func (b *Budget) Lasts() { b.lasts = true }

// Passing says whether there is room for n bytes that are held for a moment beside what is counted: a buffer and the larger one
// that it is copied to. What others hold too speaks against it, not a limit of the budget's own.
func (b *Budget) Passing(n int64) bool {
	if !b.enter(n) {
		return false
	}
	for x := b; x != nil; x = x.up {
		if x.lasts {
			b.collected(n)
			return true
		}
		if x.up == nil || x.upMost == 0 {
			continue
		}
		if x.most > 0 {
			if held := x.held.Load() + n; held > x.most {
				return b.exceed(Excess{Name: x.name, Most: x.most, All: held}, n)
			}
			continue // what is left of the whole for it is its to use
		}
		if x.up.held.Load()+n > x.upMost {
			return b.exceed(Excess{Name: x.up.name, Most: x.upMost}, n)
		}
	}
	return b.watched(n)
}

// Move makes the budget, and all that it holds, part of another. Nobody takes from it meanwhile.
func (b *Budget) Move(to *Budget) {
	if b == nil || b.up == to {
		return
	}
	held := b.held.Load()
	for x := b.up; x != nil; x = x.up {
		x.held.Add(-held)
	}
	b.up = to
	for x := b.up; x != nil; x = x.up {
		x.held.Add(held)
	}
}

// exceed notes the first limit that was met.
func (b *Budget) exceed(e Excess, more int64) bool {
	e.Held = b.held.Load() + more
	if b.over.CompareAndSwap(nil, &e) && b.onOver != nil {
		b.onOver()
	}
	return false
}

// Excess is the limit that the budget has met; nil while it has met none. It stays: work that has met a limit is given up.
func (b *Budget) Excess() *Excess {
	if b == nil {
		return nil
	}
	return b.over.Load()
}

// Held is what is held.
func (b *Budget) Held() int64 {
	if b == nil {
		return 0
	}
	return b.held.Load()
}

// Most is the limit of its own; 0: none.
func (b *Budget) Most() int64 {
	if b == nil {
		return 0
	}
	return b.most
}

// Set makes n what is held, for whoever counts anew instead of following each change. Only one goroutine may do that.
func (b *Budget) Set(n int64) {
	if b != nil {
		b.Take(n - b.held.Load())
	}
}

// Close gives back all that is held. What is taken after it counts again.
func (b *Budget) Close() {
	if b != nil {
		b.Take(-b.held.Load())
	}
}
