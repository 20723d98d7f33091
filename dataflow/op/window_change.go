package op

import (
	"bytes"
	"slices"
	"strings"

	"millrace/arrangement"
	"millrace/repr"
)

// windowChange brings the values of one partition up to date: two walks, over the rows before the step and after it, go
// along side by side from the first row that a change concerns, until nothing differs any more.
type windowChange struct {
	w    *Window
	part []byte
	in   arrangement.Batch
	next int // the first change of the partition that the walks have not come to
	to   int
	out  *arrangement.Builder
	errs *Errors

	old, now         windowWalk
	oldPast, nowPast past
	last             []byte // the change that the walks have passed last; nil: none since they began
	same             bool   // all that goes on from the rows before is the same in both walks
	grown            bool   // the number of rows has changed, and a function depends on it
	before, after    []windowResult
	resume           []byte // where the walks would begin anew for the change with the number resumeOf
	resumeOf         int
}

// past is what a walk has taken since the last change.
type past struct {
	rows   int64
	groups int64
	head   []byte
}

func (p *past) add(head []byte, rows int) {
	if rows == 0 {
		return
	}
	p.rows += int64(rows)
	if !bytes.Equal(p.head, head) {
		p.groups++
		p.head = head
	}
}

// windowResult are the packed values of the functions for a row, or the error of one.
type windowResult struct {
	vals []byte
	err  *repr.Error
}

func compareResults(a, b windowResult) int {
	switch {
	case a.err == nil && b.err == nil:
		return bytes.Compare(a.vals, b.vals)
	case a.err == nil:
		return -1
	case b.err == nil:
		return 1
	}
	if c := strings.Compare(a.err.Code, b.err.Code); c != 0 {
		return c
	}
	return strings.Compare(a.err.Message, b.err.Message)
}

// run handles the changes of the partition.
func (c *windowChange) run() {
	c.countRows()
	c.resumeOf = -1
	for c.next < c.to {
		c.begin()
		c.follow()
	}
}

// countRows counts the rows of the partition before and after the step, where a function depends on it.
func (c *windowChange) countRows() {
	c.grown = false
	if !c.w.whole {
		return
	}
	prev, cur := c.w.rows.Prev, c.w.rows.Cur
	c.old.total = c.w.count(prev, c.part)
	c.now.total = c.old.total
	before, after := prev.Cursor(), cur.Cursor()
	for i := c.next; i < c.to; i++ {
		c.now.total += countOf(after, c.in.Row(i)) - countOf(before, c.in.Row(i))
	}
	c.grown = c.old.total != c.now.total
}

// countOf is how often a row is there.
func countOf(cur *arrangement.Cursor, row []byte) repr.Diff {
	if cur.Seek(row); cur.Valid() && bytes.Equal(cur.Row(), row) {
		return max(cur.Diff(), 0)
	}
	return 0
}

// concerned is the first row that the next change may concern.
func (c *windowChange) concerned() []byte {
	if c.grown {
		return c.part
	}
	key := c.in.Row(c.next)
	prev, cur := c.w.rows.Prev, c.w.rows.Cur
	return earlier(key, earlier(c.w.concerned(prev, c.part, key), c.w.concerned(cur, c.part, key)))
}

// source is where walks that begin with a row must begin to read, and the mark that they go on from.
func (c *windowChange) source(key []byte) ([]byte, *mark) {
	w := c.w
	if w.start {
		return c.part, nil
	}
	from := earlier(w.context(w.rows.Prev, c.part, key), w.context(w.rows.Cur, c.part, key))
	if !w.onward {
		return from, nil
	}
	if m := w.markAt(c.part, from); m != nil {
		return m.key, m
	}
	return c.part, nil
}

// begin puts both walks on the first row that the next change concerns.
func (c *windowChange) begin() {
	key := c.concerned()
	from, m := c.source(key)
	c.old.begin(c.w.rows.Prev, c.part, from, m)
	c.now.begin(c.w.rows.Cur, c.part, from, m)
	c.old.skip(key)
	c.now.skip(key)
	c.last, c.same = nil, false
}

// follow goes along until the next rows are the same in both walks and no other change is near.
func (c *windowChange) follow() {
	var stop []byte
	for {
		o, n := c.old.place(c.old.at), c.now.place(c.now.at)
		var key []byte
		switch {
		case o == nil && n == nil:
			c.next = c.to
		case o == nil:
			key = n.key
		case n == nil:
			key = o.key
		default:
			key = earlier(o.key, n.key)
		}
		if key == nil {
			break
		}
		c.pass(key)
		if c.quiet(key, o, n) && c.far(key) {
			stop = key
			break
		}
		if c.errs.stopped() {
			c.next = c.to
			return
		}
		c.take(key)
	}
	if c.now.marking {
		c.w.remark(&c.now, stop)
	}
}

// pass notes the changes up to a row.
func (c *windowChange) pass(key []byte) {
	for c.next < c.to && bytes.Compare(c.in.Row(c.next), key) <= 0 {
		c.last = c.in.Row(c.next)
		c.next++
		c.oldPast = past{head: c.w.head(c.last)}
		c.nowPast = c.oldPast
		c.same = false
	}
}

// quiet says whether the rows from key on, o and n in the walks, are not concerned by the changes passed.
func (c *windowChange) quiet(key []byte, o, n *windowPlace) bool {
	switch {
	case c.last == nil, c.w.start, c.grown, c.w.onward && !c.same, bytes.Equal(key, c.last):
		return false
	}
	return c.clear(o, &c.oldPast) && c.clear(n, &c.nowPast)
}

// clear says whether no function looks behind so far as to see the last change from a row.
func (c *windowChange) clear(p *windowPlace, past *past) bool {
	if p == nil {
		return true
	}
	r := &c.w.sight.behind
	if past.rows < r.rows {
		return false
	}
	groups := past.groups
	if !bytes.Equal(past.head, p.key[:p.head]) {
		groups++
	}
	if groups <= r.groups {
		return false
	}
	for _, number := range r.ranged {
		f := &c.w.funcs[number]
		if f.onward {
			continue // settled looks to it
		}
		if bytes.Compare(c.bound(p, f.behindColumn()), c.w.head(c.last)) <= 0 {
			return false
		}
	}
	return true
}

func (c *windowChange) bound(p *windowPlace, col int) []byte {
	return c.w.bound(slices.Clone(c.part), p.vals[col])
}

// far says whether the walks save something when they stop at a row and begin anew for the next change.
func (c *windowChange) far(key []byte) bool {
	if c.next == c.to {
		return true
	}
	if c.resumeOf != c.next {
		c.resumeOf, c.resume = c.next, c.concerned()
		if c.w.onward {
			c.resume, _ = c.source(c.resume)
		}
	}
	return bytes.Compare(c.resume, key) > 0
}

// take puts out how the values of the rows with a key have changed, and goes on behind them.
func (c *windowChange) take(key []byte) {
	c.before = c.old.take(key, c.before[:0])
	c.after = c.now.take(key, c.after[:0])
	if c.last != nil && !bytes.Equal(key, c.last) {
		head := c.w.head(key)
		c.oldPast.add(head, len(c.before))
		c.nowPast.add(head, len(c.after))
		c.same = c.w.onward && c.settled()
	}
	if len(c.before) == 1 && len(c.after) == 1 {
		if compareResults(c.before[0], c.after[0]) != 0 {
			c.put(key, c.before[0], -1)
			c.put(key, c.after[0], 1)
		}
		return
	}
	c.putAll(key)
}

// putAll puts out the difference between several results before and after; what is in both cancels out.
func (c *windowChange) putAll(key []byte) {
	slices.SortFunc(c.before, compareResults)
	slices.SortFunc(c.after, compareResults)
	i, j := 0, 0
	for i < len(c.before) || j < len(c.after) {
		d := 0
		switch {
		case i == len(c.before):
			d = 1
		case j == len(c.after):
			d = -1
		default:
			d = compareResults(c.before[i], c.after[j])
		}
		if d < 0 {
			c.put(key, c.before[i], -1)
		}
		if d > 0 {
			c.put(key, c.after[j], 1)
		}
		if d <= 0 {
			i++
		}
		if d >= 0 {
			j++
		}
	}
}

// put emits a row with its values.
func (c *windowChange) put(key []byte, r windowResult, diff repr.Diff) {
	row := key[len(c.w.head(key)):]
	row = row[:repr.PrefixLen(row, c.w.Width)]
	if r.err != nil {
		c.errs.Add(r.err, row, diff)
		return
	}
	c.out.Keep(append(append(c.out.Open(), row...), r.vals...), diff)
}

// settled says whether all that goes on from the rows before is the same in both walks behind the rows that they took last.
func (c *windowChange) settled() bool {
	nb, na := len(c.before), len(c.after)
	if nb == 0 || na == 0 {
		return false
	}
	b, a := c.before[nb-1], c.after[na-1]
	if b.err != nil || a.err != nil || !bytes.Equal(b.vals, a.vals) {
		return false
	}
	for i := range c.w.funcs {
		if f := &c.w.funcs[i]; f.onward && !c.settledBy(f, &c.old.frames[i], &c.now.frames[i]) {
			return false
		}
	}
	return true
}

func (c *windowChange) settledBy(f *windowFunc, o, n *windowFrame) bool {
	if f.Kind == WindowAggregate && len(f.behind.ranged) > 0 {
		p := c.now.place(c.now.at - 1)
		if bytes.Compare(c.bound(p, f.behindColumn()), c.w.head(c.last)) < 0 {
			return false
		}
	}
	switch f.settle {
	case settleNever:
		return false
	case settleFrame:
		return !o.empty && !n.empty
	case settleIndex:
		return c.old.at == c.now.at && o.buckets == n.buckets
	case settleWords:
		return slices.Equal(o.sum.words, n.sum.words)
	case settleValue:
	}
	return true
}
