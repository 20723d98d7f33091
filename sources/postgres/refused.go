package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"millrace/repr"
	"millrace/sources"
)

// A row that cannot be had is a row of <source>_errors for as long as it is on the other side as it is. A table remembers which row of
// errors stands for which of its rows: by the text of the key, or of the whole row where there is no key.

// rowID tells a row of the other side from others.
type rowID [sha256.Size]byte

// refusals are the rows of errors that stand for rows of a table. Rows without a key may be equal.
type refusals struct {
	rows  map[rowID][][]byte
	bytes int64
}

// refusal is a row of errors that comes or goes.
type refusal struct {
	of   rowID
	row  []byte
	diff repr.Diff
}

func (r *refusals) len() int { return len(r.rows) }

// add lets a row of errors stand for a row.
func (r *refusals) add(of rowID, row []byte) {
	if r.rows == nil {
		r.rows = map[rowID][][]byte{}
	}
	r.rows[of] = append(r.rows[of], row)
	r.bytes += int64(len(of) + len(row))
}

// take takes the newest row of errors of a row away; nil: there is none.
func (r *refusals) take(of rowID) []byte {
	list := r.rows[of]
	if len(list) == 0 {
		return nil
	}
	row := list[len(list)-1]
	if r.rows[of] = list[:len(list)-1]; len(list) == 1 {
		delete(r.rows, of)
	}
	r.bytes -= int64(len(of) + len(row))
	return row
}

// remove takes a row of errors away.
func (r *refusals) remove(of rowID, row []byte) {
	list := r.rows[of]
	i := slices.IndexFunc(list, func(b []byte) bool { return bytes.Equal(b, row) })
	if i < 0 {
		return
	}
	if r.rows[of] = slices.Delete(list, i, i+1); len(list) == 1 {
		delete(r.rows, of)
	}
	r.bytes -= int64(len(of) + len(row))
}

// undo takes back what was not handed over, the last first.
func (r *refusals) undo(done []refusal) {
	for _, f := range slices.Backward(done) {
		switch {
		case f.diff > 0:
			r.remove(f.of, f.row)
		case f.diff < 0:
			r.add(f.of, f.row)
		}
	}
}

// all gives all rows of errors in order, as ones that go.
func (r *refusals) all() []refusal {
	var out []refusal
	for of, list := range r.rows {
		for _, row := range slices.Backward(list) {
			out = append(out, refusal{of: of, row: row, diff: -1})
		}
	}
	slices.SortStableFunc(out, func(a, b refusal) int { return slices.Compare(a.of[:], b.of[:]) })
	return out
}

// idOf is what tells a row from others.
func (t *table) idOf(vals []value) rowID {
	var text []byte
	for i := range t.types {
		if t.rows != nil && !slices.Contains(t.key, i) {
			continue
		}
		v, _ := t.valueOf(vals, i)
		text = append(binary.AppendUvarint(append(text, v.kind), uint64(len(v.text))), v.text...)
	}
	return sha256.Sum256(text)
}

// heal takes away the error of a row that a change is about.
func (t *table) heal(p *part, c *change) {
	switch {
	case c.op != 'I' && c.old != nil:
		t.healOne(p, t.idOf(c.old))
	case t.rows != nil: // the key is that of before; one that comes anew replaces what was there
		t.healOne(p, t.idOf(c.new))
	}
}

func (t *table) healOne(p *part, of rowID) {
	if row := t.refused.take(of); row != nil {
		p.refused = append(p.refused, refusal{of: of, row: row, diff: -1})
	}
}

// healAll takes the errors of all rows away.
func (t *table) healAll(p *part) {
	for _, f := range t.refused.all() {
		t.refused.take(f.of)
		p.refused = append(p.refused, f)
	}
}

// unixEpochMicros is 1970-01-01 in microseconds since 2000-01-01.
const unixEpochMicros = -epochMillis * 1000

// Places in a row of errors, of sources.ErrorColumns. The position is where the transaction committed, or the moment of a first content.
const (
	refusedMet = iota
	refusedError
	refusedCode
	refusedTable
	_
	refusedAt
	refusedTime
	refusedKey
	refusedValue
)

// refuse tells of a row that cannot be had: where it stood, and when that was, if it is known. It gives its row of errors; nil when there
// was one that says the same, which stays.
func (r *reader) refuse(t *table, vals []value, at begin, bad *repr.Error) []byte {
	r.batch.Bad++
	message := bad.Message
	if bad.Detail != "" {
		message += ". " + bad.Detail
	}
	key, when := repr.Null, repr.Null
	if t.rows != nil {
		key = repr.Bytea(t.textOf(vals, t.key))
	}
	if at.micros != 0 {
		when = repr.TimestampTZ(at.micros)
	}
	f := refusal{of: t.idOf(vals), diff: 1, row: repr.AppendRow(nil, []repr.Datum{repr.TimestampTZ(r.cfg.Clock.Now().UnixMicro() + unixEpochMicros),
		repr.Text(message), repr.Text(bad.Code), repr.Text(t.up.String()), repr.Null, repr.IntOf(repr.KindInt8, int64(at.commit)), when, key,
		repr.Bytea(t.textOf(vals, nil))})}
	p := r.partOf(t)
	if p.stays(t, &f) {
		return nil
	}
	t.refused.add(f.of, f.row)
	p.refused = append(p.refused, f)
	return f.row
}

// mayStay notes that the errors that were taken away may stay: the table is read anew, and where a row is as it was its row of errors is, too.
func (p *part) mayStay() {
	p.again = map[rowID][]int{}
	for i, f := range p.refused {
		p.again[f.of] = append(p.again[f.of], i)
	}
}

// stays puts a row of errors back that was taken away and says the same as one that comes.
func (p *part) stays(t *table, comes *refusal) bool {
	for _, i := range p.again[comes.of] {
		if f := &p.refused[i]; f.diff < 0 && saysTheSame(f.row, comes.row) {
			f.diff = 0
			t.refused.add(f.of, f.row)
			return true
		}
	}
	return false
}

// saysTheSame says whether two rows of errors differ in nothing but when and where they were met.
func saysTheSame(a, b []byte) bool {
	x, y := repr.DecodeRow(nil, a), repr.DecodeRow(nil, b)
	for _, i := range []int{refusedError, refusedCode, refusedTable, refusedKey, refusedValue} {
		if repr.Compare(x[i], y[i]) != 0 {
			return false
		}
	}
	return true
}

// tell puts into a batch what becomes of a row of errors, and that it is to be remembered.
func (f *refusal) tell(b *sources.Batch, table uint64) {
	if f.diff == 0 {
		return
	}
	b.Errors = append(b.Errors, sources.Update{Row: f.row, Diff: f.diff})
	b.State = append(b.State, sources.Update{Row: stateRow(refusedState+strconv.FormatUint(table, 10), savedRefusal{Of: f.of[:], Row: f.row}), Diff: f.diff})
}

// forgetRefused takes the errors of tables that were dropped away.
func (r *reader) forgetRefused(ctx context.Context) error {
	r.mu.Lock()
	for id, list := range r.refused {
		for _, f := range list.all() {
			f.tell(r.batch, id)
		}
	}
	clear(r.refused)
	r.mu.Unlock()
	if len(r.batch.Errors) == 0 {
		return nil
	}
	return r.push(ctx)
}

const refusedState = "refused/"

// savedRefusal is what is kept of a row that cannot be had.
type savedRefusal struct {
	Of  []byte `json:"of"`
	Row []byte `json:"row"`
}

// restoreRefused takes what was kept of a row that cannot be had, until its table is fed.
func (s *Source) restoreRefused(table, text []byte) error {
	id, err := strconv.ParseUint(string(table), 10, 64)
	kept := savedRefusal{}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil || len(kept.Of) != sha256.Size {
		return fmt.Errorf("read what is kept of a row that cannot be had: %w", err)
	}
	if s.refused[id] == nil {
		s.refused[id] = &refusals{}
	}
	s.refused[id].add(rowID(kept.Of), kept.Row)
	return nil
}
