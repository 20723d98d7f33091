package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"

	"millrace/internal/broker"
	"millrace/internal/broker/brokertest"
	"millrace/repr"
	"millrace/sources"
)

// errorsOf are the rows of errors of a table, as where they stood and what they hold.
func errorsOf(tab *table) []string {
	var out []string
	for _, f := range tab.refused.all() {
		d := repr.DecodeRow(nil, f.row)
		out = append(out, fmt.Sprintf("%d %s", d[refusedAt].Int(), d[refusedValue].Bytes()))
	}
	slices.Sort(out)
	return out
}

// TestReadAnew: of a table that is read anew the rows of errors stay that say the same, and the others come and go; what is taken
// back is as it was.
func TestReadAnew(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		byKey := seed%2 == 0
		s, err := New(Config{Publication: "p"})
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{Source: s, out: newGatherer()}
		tab := example(byKey)
		s.tables[tab.id] = tab
		kept := map[string]int64{} // rows of errors
		rows := map[int]string{}   // there; what is bad of them
		since := map[int]int64{}   // the moment at which that was met
		for moment := range int64(8) {
			for id := range 6 {
				if rng.IntN(2) == 0 {
					if bad := fmt.Sprint(tooMuch, rng.IntN(100)); rows[id] != bad {
						rows[id], since[id] = bad, moment+1
					}
				} else if rng.IntN(4) == 0 {
					delete(rows, id)
				}
			}
			before := errorsOf(tab)
			r.reset()
			for range rng.IntN(2) {
				fill(t, r, tab, rows, moment+1)
				r.undo()
				if got := errorsOf(tab); !slices.Equal(got, before) {
					t.Fatalf("what was taken back leaves %q, before there was %q", got, before)
				}
			}
			fill(t, r, tab, rows, moment+1)
			for _, f := range r.parts[tab.id].refused {
				kept[string(f.row)] += f.diff
			}
			var want []string
			for id, bad := range rows {
				want = append(want, fmt.Sprintf(`%d {"id": "%d", "n": "%s", "large": null}`, since[id], id, bad))
			}
			slices.Sort(want)
			if got := errorsOf(tab); !slices.Equal(got, want) {
				t.Fatalf("seed %d, moment %d: errors %q, wanted %q", seed, moment, got, want)
			}
			n := int64(0)
			for _, diff := range kept {
				n += diff
			}
			if n != int64(len(rows)) {
				t.Fatalf("%d rows of errors of %d rows", n, len(rows))
			}
			tab.joined = 1
		}
	}
}

// fill reads a table anew, whose rows are all bad.
func fill(t *testing.T, r *reader, tab *table, rows map[int]string, moment int64) {
	t.Helper()
	f := &filling{reader: r, moment: pglogrepl.LSN(moment), whole: r.batch}
	tab.forget()
	w := &copied{ctx: t.Context(), f: f, t: tab}
	w.begin(true)
	for id, bad := range rows {
		if _, err := fmt.Fprintf(w, "%d\t%s\t\\N\n", id, bad); err != nil {
			t.Fatal(err)
		}
	}
}

// paused is a coordinator that may end at any push.
type paused struct {
	*gatherer
	pushes, until int // until: at this push it ends
	letters       int64
	settled       int
	state         map[string]int64
}

func (p *paused) Push(ctx context.Context, b *sources.Batch) error {
	if b.Bury != nil {
		if err := b.Bury(ctx); err != nil {
			return err
		}
	}
	if p.pushes++; p.pushes == p.until {
		return context.Canceled
	}
	for _, u := range b.State {
		if p.state[string(u.Row)] += u.Diff; p.state[string(u.Row)] == 0 {
			delete(p.state, string(u.Row))
		}
	}
	p.letters += b.Letters
	return nil
}

func (p *paused) Settle(context.Context) error { p.settled++; return nil }

// TestFirstLetters: the letters of a first content are written once when it is kept, whatever ends between, and those of the stream
// when they come.
func TestFirstLetters(t *testing.T) {
	t.Parallel()
	to := &broker.Options{Brokers: brokertest.New(t).ListenAddrs()}
	rows := map[int]string{1: tooMuch, 2: tooMuch, 3: tooMuch}
	out := &paused{gatherer: newGatherer(), state: map[string]int64{}}
	for attempt := 1; ; attempt++ { // a server that starts again with what was kept, and ends at the next push
		s, err := New(Config{Publication: "p", Slot: "slot"})
		if err != nil {
			t.Fatal(err)
		}
		s.Follow(sources.ErrorPolicy{DeadLetters: "dead", Writer: "w", Source: "shop", Broker: to})
		if err := s.Restore(func(yield func([]byte, repr.Diff) bool) {
			for row, n := range out.state {
				_ = yield([]byte(row), n)
			}
		}); err != nil {
			t.Fatal(err)
		}
		tab := example(true)
		if err := tab.restore(s.saved[tableKey(tab.id)].row); err != nil {
			t.Fatal(err)
		}
		if was := s.refused[tab.id]; was != nil {
			tab.refused = was
			delete(s.refused, tab.id)
		}
		s.tables[tab.id] = tab
		s.identity.System, s.identity.Timeline = "system", 1
		r := &reader{Source: s, out: out}
		r.outbox = r.newOutbox()
		out.pushes, out.until = 0, attempt
		err = r.tale(t, tab, rows, int64(attempt*100))
		r.outbox.Close()
		if err == nil {
			break
		}
	}
	got := lettersAt(t, to)
	want := []string{`{"id": "1"} 0/64`, `{"id": "2"} 0/64`, `{"id": "3"} 0/64`, `{"id": "9"} 0/3E8`}
	for i := range want[:3] { // the first content is that of the first attempt which was kept
		want[i] = strings.Replace(want[i], "0/64", "0/C8", 1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("there are letters %q, wanted %q", got, want)
	}
	if out.settled == 0 {
		t.Error("nobody waits until the content is kept")
	}
}

// tale is what a run does: a first content, where there is none, its letters, and a transaction of the stream.
func (r *reader) tale(t *testing.T, tab *table, rows map[int]string, moment int64) error {
	t.Helper()
	r.reset()
	if tab.joined == 0 {
		f := &filling{reader: r, moment: pglogrepl.LSN(moment)}
		fill(t, r, tab, rows, moment)
		f.joins(tab)
		if err := r.push(t.Context()); err != nil {
			return err
		}
	}
	if err := r.buryFirst(t.Context()); err != nil {
		return err
	}
	s := &stream{reader: r, byOID: map[uint32]*table{1: tab}, tx: begin{commit: 1000, micros: 5}}
	tab.at = map[int]int{0: 0, 1: 1, 2: 2}
	text := append(append([]byte{'I'}, be32(nil, 1)...), append([]byte{'N'}, tupleBytes("9", tooMuch, "x")...)...)
	if err := s.change('I', &message{b: text[1:]}, text); err != nil {
		return err
	}
	return r.push(t.Context())
}

// TestLettersBehindFirst: no letter of the stream is written before a first content that it follows is kept.
func TestLettersBehindFirst(t *testing.T) {
	t.Parallel()
	to := &broker.Options{Brokers: brokertest.New(t).ListenAddrs()}
	s, err := New(Config{Publication: "p", Slot: "slot"})
	if err != nil {
		t.Fatal(err)
	}
	s.Follow(sources.ErrorPolicy{DeadLetters: "dead", Writer: "w", Broker: to})
	out := &paused{gatherer: newGatherer(), state: map[string]int64{}}
	r := &reader{Source: s, out: out}
	r.outbox = r.newOutbox()
	defer r.outbox.Close()
	tab := example(true)
	s.tables[tab.id] = tab
	for round, settled := range []int{1, 1} { // once, for then it is kept
		if err := r.tale(t, tab, nil, 100); err != nil {
			t.Fatal(err)
		}
		if out.settled != settled || out.letters != int64(round+1) {
			t.Errorf("round %d: settled %d times, %d letters", round, out.settled, out.letters)
		}
	}
}

// lettersAt are the keys of the letters that are committed, and where they say that they stood.
func lettersAt(t *testing.T, to *broker.Options) []string {
	t.Helper()
	var out []string
	for _, rec := range brokertest.Committed(t, to.Brokers[0], "dead") {
		out = append(out, string(rec.Key)+" "+brokertest.Header(rec, "millrace.lsn"))
	}
	slices.Sort(out)
	return out
}
