package fn

import (
	"strings"
	"sync"
	"sync/atomic"
)

// texts are what something is made of: a pattern or a template, and its flags.
type texts struct{ first, second string }

// cache keeps what was made of texts, for these are the same for row after row. When it is full it starts afresh.
type cache[V any] struct {
	last atomic.Pointer[cached[V]] // what was asked for last; most statements ask for one
	mu   sync.RWMutex              // guards made
	made map[texts]*cached[V]
}

type cached[V any] struct {
	texts
	made V
}

const maxCached = 512

func (c *cache[V]) find(k texts) (V, bool) {
	if v := c.last.Load(); v != nil && v.texts == k {
		return v.made, true
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.made[k]
	if !ok {
		var none V
		return none, false
	}
	c.last.Store(v)
	return v.made, true
}

// keep takes the texts as copies: those of a call may lie in the bytes of a row.
func (c *cache[V]) keep(k texts, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.made) >= maxCached {
		clear(c.made)
	}
	if c.made == nil {
		c.made = map[texts]*cached[V]{}
	}
	k = texts{strings.Clone(k.first), strings.Clone(k.second)}
	c.made[k] = &cached[V]{texts: k, made: v}
}
