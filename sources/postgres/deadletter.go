package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"

	"millrace/repr"
	"millrace/sources"
	"millrace/sources/deadletter"
)

// A row that cannot be had goes to the topic of dead letters, too. Those that the stream brings are named by where their transaction
// committed: it comes again in that place, and whole. The rows of a first content come in no order, and at another moment when they
// are read again, so their letters are written when the content is complete and kept: from the rows of errors that are kept with it,
// before the stream goes on and could take some of these back.

// Follow has bad rows dealt with in this way from the next one on. Any goroutine may call it.
func (s *Source) Follow(p sources.ErrorPolicy) { s.policy.Store(&p) }

// following is the policy.
func (s *Source) following() sources.ErrorPolicy {
	if p := s.policy.Load(); p != nil {
		return *p
	}
	return sources.ErrorPolicy{}
}

// newOutbox is where the bad rows go.
func (r *reader) newOutbox() *deadletter.Outbox {
	return deadletter.New(deadletter.Config{Reads: r.address().String(), Policy: r.following, Report: r.report, Prune: r.prune, Clock: r.cfg.Clock})
}

// letterPlace is what the positions of the log are of, and those in a first content: another system, or timeline, has others.
func (s *Source) letterPlace() string {
	return s.identity.System + "/" + strconv.Itoa(int(s.identity.Timeline)) + "/"
}

// logPlace is the place of the letters that the stream brings.
func (s *Source) logPlace() string { return s.letterPlace() + "log" }

// firstPlace is that of the letters of a first content.
func (s *Source) firstPlace(t *table) string {
	return s.letterPlace() + "first/" + strconv.FormatUint(t.id, 10) + "/" + t.due.String()
}

// prune forgets how far letters are written that are not written again.
func (s *Source) prune(written map[string]int64) {
	needed := map[string]bool{s.logPlace(): true}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		if t.due != 0 {
			needed[s.firstPlace(t)] = true
		}
	}
	for place := range written {
		if !needed[place] {
			delete(written, place)
		}
	}
}

// letterOf is a row of errors as it goes to the topic of dead letters.
func (s *Source) letterOf(row []byte, place string, at int64) deadletter.Letter {
	d := repr.DecodeRow(nil, row)
	lsn := pglogrepl.LSN(d[refusedAt].Int())
	where := []deadletter.Fact{{Name: "source", Value: s.following().Source}, {Name: "table", Value: string(d[refusedTable].Bytes())}, {Name: "lsn", Value: lsn.String()}}
	if !d[refusedTime].IsNull() {
		where = append(where, deadletter.Fact{Name: "timestamp", Value: deadletter.Time(d[refusedTime].Int()/1000 + epochMillis)})
	}
	l := deadletter.Letter{Place: place, At: at, Value: d[refusedValue].Bytes(), Where: where, Error: string(d[refusedError].Bytes()),
		Code: string(d[refusedCode].Bytes()), Met: d[refusedMet].Int()/1000 + epochMillis}
	if !d[refusedKey].IsNull() {
		l.Key = d[refusedKey].Bytes()
	}
	return l
}

// letter has a row of errors that the stream has brought written; nil: there is none.
func (s *stream) letter(row []byte) {
	if row != nil && s.following().Buries() {
		s.dead = append(s.dead, s.letterOf(row, s.logPlace(), int64(s.tx.commit)))
	}
}

// bury has the letters of the batch written to the topic of dead letters when it is taken.
func (r *reader) bury(b *sources.Batch) {
	if len(r.dead) == 0 {
		return
	}
	dead := r.dead
	b.Bury = func(ctx context.Context) error {
		if r.loose && r.following().DeadLetters != "" { // or the first content of another moment would have these rows again
			if err := r.settle(ctx); err != nil {
				return err
			}
		}
		n, err := r.outbox.Write(ctx, dead)
		b.Letters += n
		return err
	}
}

// firstLetters is how many letters of a first content are written at once.
const firstLetters = 5000

// buryFirst writes the letters of first contents that are complete.
func (r *reader) buryFirst(ctx context.Context) error {
	var due []*table
	r.mu.Lock()
	for _, t := range r.tables {
		if t.due != 0 {
			due = append(due, t)
		}
	}
	r.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	slices.SortFunc(due, func(a, b *table) int { return int(a.id) - int(b.id) })
	if err := r.settle(ctx); err != nil {
		return err
	}
	for _, t := range due {
		for list := range slices.Chunk(r.dueLetters(t), firstLetters) {
			n, err := r.outbox.Write(ctx, list)
			if err != nil {
				return err
			}
			r.batch.Letters += n
		}
	}
	for _, t := range due {
		t.due = 0
	}
	if err := r.push(ctx); err != nil {
		return err
	}
	return r.settle(ctx) // before it is forgotten that they are written
}

// dueLetters are those of the first content of a table, in an order that stays.
func (r *reader) dueLetters(t *table) []deadletter.Letter {
	var rows [][]byte
	for _, f := range t.refused.all() {
		if repr.DecodeRow(nil, f.row)[refusedAt].Int() == int64(t.due) {
			rows = append(rows, f.row)
		}
	}
	slices.SortFunc(rows, bytes.Compare)
	out := make([]deadletter.Letter, len(rows))
	for i, row := range rows {
		out[i] = r.letterOf(row, r.firstPlace(t), int64(i))
	}
	return out
}

// settle waits until what was handed over is kept.
func (r *reader) settle(ctx context.Context) error {
	if s, ok := r.out.(sources.Settler); ok {
		if err := s.Settle(ctx); err != nil {
			return err
		}
	}
	r.loose = false
	return nil
}

// textOf is a row as JSON: an object of what PostgreSQL prints of each value. One that it did not send is not there.
func (t *table) textOf(vals []value, only []int) []byte {
	var b strings.Builder
	for i, c := range t.up.Columns {
		v, _ := t.valueOf(vals, i)
		if c.Gone || v.kind == 'u' || only != nil && !slices.Contains(only, i) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(jsonText(c.Name) + ": ")
		if v.kind == 'n' {
			b.WriteString("null")
			continue
		}
		b.WriteString(jsonText(string(v.text)))
	}
	return []byte("{" + b.String() + "}")
}

// jsonText is a string of JSON. Bytes that are no text are replaced.
func jsonText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // of a string it never fails
	}
	return strings.TrimSuffix(b.String(), "\n")
}
