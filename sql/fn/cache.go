package fn

import (
	"strings"
	"sync"
)

// texts are what something is made of: a pattern or a template, and its flags.
type texts struct{ first, second string }

// cache keeps what was made of texts, for these are the same for row after row. When it is full it starts afresh.
type cache[V any] struct {
	mu   sync.RWMutex // guards made
	made map[texts]V
}

const maxCached = 512

func (c *cache[V]) find(k texts) (V, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.made[k]
	return v, ok
}

// keep takes the texts as copies: those of a call may lie in the bytes of a row.
func (c *cache[V]) keep(k texts, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.made) >= maxCached {
		clear(c.made)
	}
	if c.made == nil {
		c.made = map[texts]V{}
	}
	c.made[texts{strings.Clone(k.first), strings.Clone(k.second)}] = v
}
