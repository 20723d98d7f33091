package coord

import (
	"millrace/coord/catalog"
	"millrace/sql/expr"
)

// limit is what one kind of thing may hold: a share of the memory limit, in percent, but no less and no more than some bytes.
type limit struct {
	what  string
	share int64
	least int64
	most  int64 // what it is when there is no memory limit
}

// The limits of what comes and goes. docs/operations.md lists them.
var (
	limitSubscription = limit{what: "what waits for one slow subscriber", share: 5, least: 1 << 20, most: 32 << 20}
	limitFetch        = limit{what: "what the sources together have fetched ahead, for each of three requests", share: 4, least: 1 << 20, most: 64 << 20}
	limitArriving     = limit{what: "batches of sources that wait for a tick", share: 6, least: 4 << 20, most: 16 << 20}
	limitTick         = limit{what: "what one tick takes from sources", share: 6, least: 4 << 20, most: 16 << 20}
	limitTransaction  = limit{what: "rows of one transaction that a source cannot hold", share: 20, least: 16 << 20}
	limitOpen         = limit{what: "what a source has in memory of transactions that are open there, before it spills", share: 2, least: 1 << 20, most: 16 << 20}
	limitSessions     = limit{what: "prepared statements and the parameters of portals, of all sessions", share: 15, least: 8 << 20}
	limitValue        = limit{what: "one value, or one row, that an expression makes", share: 6, least: 1 << 20, most: expr.MaxBytes}
)

// limits is all of them in the order in which they are listed.
var limits = []*limit{&limitFetch, &limitArriving, &limitTick, &limitTransaction, &limitOpen, &limitSubscription, &limitSessions, &limitValue}

// of is the limit under a memory limit; 0: none.
func (l *limit) of(memory int64) int64 {
	if memory == 0 {
		return l.most
	}
	n := max(memory/100*l.share, l.least)
	if l.most > 0 {
		n = min(n, l.most)
	}
	return n
}

// mostFetch is what one source may fetch at once.
const mostFetch = 2 << 20

// fetchBytes is what a source that is opened now fetches at once: its part of what all may.
func (c *Coordinator) fetchBytes() int64 {
	n := int64(1)
	for _, it := range c.Catalog().Items() {
		if it.Kind == catalog.Source && !it.Hidden {
			n++
		}
	}
	return min(max(limitFetch.of(c.opts.MemoryLimit)/n, limitFetch.least), mostFetch)
}

// batchesAhead is how many batches of sources, of about a megabyte each, may wait for a tick.
func batchesAhead(memory int64) int { return int(limitArriving.of(memory) >> 20) }
