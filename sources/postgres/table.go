package postgres

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pglogrepl"

	"millrace/repr"
	"millrace/sources"
	"millrace/sources/envelope"
)

// table is a table that is read, and the collection that it feeds.
type table struct {
	id     uint64
	up     *upstream
	types  []repr.Type
	key    []int          // places of the key's columns; none: changes come with the whole old row
	rows   *envelope.Rows // what the collection holds, by key; nil without a key
	joined pglogrepl.LSN  // what commits from here on is not in the first content; 0: it has none yet
	told   bool           // that the first content is complete
	at     map[int]int    // where the stream has each column; -1: nowhere
	seen   *relation      // how the stream describes it
	also   *table         // another one that the same table of the other side feeds
	buf    []byte
	old    []byte

	stale   bool // rows are to be had from the collection, for something was taken that did not come to a tick
	refused *refusals
	due     pglogrepl.LSN // the moment of a first content of which dead letters are to be written; 0: none are
	suspect pglogrepl.LSN // where the stream tells, if it does, why the partitions are others
}

func newTable(id uint64, u *upstream, cols repr.RowDesc) *table {
	t := &table{id: id, up: u, types: cols.Types(), refused: &refusals{}}
	for i, c := range u.Columns {
		if slices.Contains(u.Key, c.Number) {
			t.key = append(t.key, i)
		}
	}
	t.forget()
	return t
}

// forget empties what is remembered of the rows.
func (t *table) forget() {
	if len(t.key) > 0 {
		t.rows = envelope.NewRows()
	}
}

// recall remembers rows that the collection has.
func (t *table) recall(rows iter.Seq2[[]byte, repr.Diff]) error {
	if t.rows == nil {
		return nil
	}
	for row, diff := range rows {
		if diff != 1 {
			return fmt.Errorf("a row of table %s is there %d times, though it has a key", t.up, diff)
		}
		t.rows.Put(t.keyOf(row), row)
	}
	return nil
}

// keyOf is the key in a packed row.
func (t *table) keyOf(row []byte) []byte {
	var key []byte
	for i, k := 0, 0; k < len(t.key); i++ {
		next := repr.Skip(row)
		if i == t.key[k] {
			key = append(key, row[:len(row)-len(next)]...)
			k++
		}
		row = next
	}
	return key
}

// keyIn is the key in a tuple of the stream; there is none of a row that cannot be had for its key.
func (t *table) keyIn(vals []value) (key []byte, err *repr.Error) {
	for _, i := range t.key {
		v, ok := t.valueOf(vals, i)
		if !ok || v.kind != 't' {
			return nil, repr.NewError(repr.CodeObjectNotReady, "a change of table "+t.up.String()+" does not bear the key of its row").
				WithHint("was its REPLICA IDENTITY or its primary key changed? Run ALTER SOURCE … RESNAPSHOT after it was put right")
		}
		var unreadable *repr.Error
		if key, unreadable = appendValue(key, t.types[i], v.text); unreadable != nil {
			return nil, nil
		}
	}
	return key, nil
}

// valueOf is the value of one of our columns in a tuple.
func (t *table) valueOf(vals []value, column int) (value, bool) {
	at := t.at[column]
	if at < 0 || at >= len(vals) {
		return value{kind: 'n'}, false
	}
	return vals[at], true
}

// row packs a tuple. A value that was not sent is that of the old row.
func (t *table) row(dst []byte, vals []value, old []byte) ([]byte, *repr.Error) {
	for i, typ := range t.types {
		var was []byte
		if len(old) > 0 {
			next := repr.Skip(old)
			was, old = old[:len(old)-len(next)], next
		}
		v, _ := t.valueOf(vals, i)
		switch {
		case v.kind == 'n':
			dst = repr.Append(dst, repr.Null)
		case v.kind == 't':
			var err *repr.Error
			if dst, err = appendValue(dst, typ, v.text); err != nil {
				return dst, err.WithDetail("It is the value of column \"" + t.up.Columns[i].Name + "\" of table " + t.up.String() + ".")
			}
		case was == nil:
			return dst, repr.NewError(repr.CodeObjectNotReady, "the value of column \""+t.up.Columns[i].Name+"\" of table "+t.up.String()+
				" did not change and was not sent, and the row before is not known").WithDetail("ALTER SOURCE … RESNAPSHOT reads it.")
		default:
			dst = append(dst, was...)
		}
	}
	return dst, nil
}

// part is what a batch changes in the table.
type part struct {
	sources.Part
	before  []checkpoint
	lost    []int           // columns that were there before what was gathered
	begun   bool            // some of it was gathered
	refused []refusal       // what becomes of the rows that cannot be had
	again   map[rowID][]int // of these, by row, those that go unless they come again
}

// checkpoint is what a table was before something that its updates do not tell.
type checkpoint struct {
	rows    *envelope.Rows
	updates []sources.Update // of the part until then
	gone    []int            // columns that were there
}

// undo makes a table what it was before a part that is not handed over.
func (t *table) undo(p *part) {
	if t.stale = t.stale || p.begun && t.rows != nil; t.stale {
		t.forget() // they are no use until they are had again
	} else {
		t.back(p.Updates)
	}
	for _, c := range slices.Backward(p.before) {
		if !t.stale {
			t.rows = c.rows
			t.back(c.updates)
		}
		t.find(c.gone)
	}
	t.find(p.lost)
	t.told = t.told && !p.Joined
	t.refused.undo(p.refused)
}

// find notes that columns are there after all.
func (t *table) find(columns []int) {
	for _, i := range columns {
		t.up.Columns[i].Gone = false
	}
}

// gathered notes that what is in a part was taken, so that it cannot be taken back one by one any more.
func (p *part) gathered() {
	for _, c := range p.before {
		p.lost = append(p.lost, c.gone...)
	}
	p.before, p.Updates, p.Replace, p.begun = nil, p.Updates[:0], false, true
}

// back takes updates back, the last first.
func (t *table) back(updates []sources.Update) {
	if t.rows == nil {
		return
	}
	for _, u := range slices.Backward(updates) {
		if key := t.keyOf(u.Row); u.Diff > 0 {
			t.rows.Remove(key)
		} else {
			t.rows.Put(key, u.Row)
		}
	}
}

func (p *part) add(row []byte, diff repr.Diff) {
	p.Updates = append(p.Updates, sources.Update{Row: row, Diff: diff})
}

// change is a row of the stream: old is what was sent of it before, nil when nothing was.
type change struct {
	op       byte // I, U or D
	old, new []value
}

// apply adds what a change means. An error is lasting; a row that cannot be had is told by bad, and left out until it changes.
func (t *table) apply(p *part, c *change) (bad, err *repr.Error) {
	if t.refused.len() > 0 {
		t.heal(p, c)
	}
	if t.rows == nil {
		return t.applyWhole(p, c)
	}
	before := c.old
	if before == nil && c.op != 'I' {
		before = c.new
	}
	var was []byte
	if c.op != 'I' {
		key, err := t.keyIn(before)
		if err != nil {
			return nil, err
		}
		if row, ok := t.rows.Find(key); ok && key != nil {
			was = row
			p.add(row, -1)
			t.rows.Remove(key)
		}
	}
	if c.op == 'D' {
		return nil, nil
	}
	var row []byte
	if row, bad = t.row(t.buf[:0], c.new, was); bad != nil {
		return bad, nil
	}
	t.buf = row
	key := t.keyOf(row)
	if same, ok := t.rows.Find(key); ok {
		p.add(same, -1)
	}
	p.add(t.rows.Put(key, row), 1)
	return nil, nil
}

// applyWhole is apply for a table whose changes bear the whole old row. One that cannot be had was never there.
func (t *table) applyWhole(p *part, c *change) (bad, err *repr.Error) {
	old := t.old[:0]
	if c.op != 'I' {
		if c.old == nil {
			return nil, repr.NewError(repr.CodeObjectNotReady, "a change of table "+t.up.String()+" does not bear the old row").
				WithHint("run ALTER TABLE … REPLICA IDENTITY FULL there, and ALTER SOURCE … RESNAPSHOT here")
		}
		var unreadable *repr.Error
		if old, unreadable = t.row(old, c.old, nil); unreadable == nil {
			p.add(bytes.Clone(old), -1)
		} else {
			old = old[:0]
		}
		t.old = old
	}
	if c.op == 'D' {
		return nil, nil
	}
	for i := range c.new { // not from the packed row, which is none when the old one could not be had
		if c.new[i].kind == 'u' && i < len(c.old) {
			c.new[i] = c.old[i]
		}
	}
	row, bad := t.row(nil, c.new, nil)
	if bad == nil {
		p.add(row, 1)
	}
	return bad, nil
}

// truncate takes all rows away.
func (t *table) truncate(p *part) {
	p.before = append(p.before, checkpoint{rows: t.rows, updates: p.Updates})
	p.Updates, p.Replace = nil, true
	t.forget()
	t.healAll(p)
}

// unread are the columns of the stream that the table here does not have.
func (t *table) unread() []string {
	var out []string
	for _, c := range t.seen.columns {
		if !slices.ContainsFunc(t.up.Columns, func(u upstreamed) bool { return u.Name == c.name }) {
			out = append(out, c.name)
		}
	}
	return out
}

// blank makes dropped columns NULL in all rows.
func (t *table) blank(p *part, gone []int) *repr.Error {
	for _, i := range gone {
		if t.rows == nil || slices.Contains(t.key, i) {
			return repr.NewError(repr.CodeObjectNotReady, "column \""+t.up.Columns[i].Name+"\" of table "+t.up.String()+" was dropped").
				WithHint("drop the table here and create it again: it gets the columns that are left")
		}
	}
	if len(gone) == 0 {
		return nil
	}
	rows := t.rows
	p.before = append(p.before, checkpoint{rows: rows, updates: slices.Clone(p.Updates), gone: gone})
	t.rows = envelope.NewRows()
	for key, row := range rows.All() {
		p.add(row, -1)
		p.add(t.rows.Put(key, withNulls(row, gone)), 1)
	}
	return nil
}

// withNulls is a row without the values of some columns.
func withNulls(row []byte, columns []int) []byte {
	var out []byte
	for i := 0; len(row) > 0; i++ {
		next := repr.Skip(row)
		if slices.Contains(columns, i) {
			out = repr.Append(out, repr.Null)
		} else {
			out = append(out, row[:len(row)-len(next)]...)
		}
		row = next
	}
	return out
}
