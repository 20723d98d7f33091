package sinks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

// tank is a target in memory that fails at random: before a commit, or behind one whose answer is lost.
type tank struct {
	rng      *rand.Rand
	rows     map[string]string // by key
	progress Progress
	open     bool
	wrong    string
	commits  int
}

func (k *tank) Open(context.Context) (Progress, error) {
	if k.rng.IntN(4) == 0 {
		return Progress{}, errors.New("no connection")
	}
	k.open = true
	return k.progress, nil
}

func (k *tank) Write(_ context.Context, g Group) (int64, error) {
	switch {
	case !k.open:
		k.wrong = "written while closed"
	case g.From.Time != k.progress.Time:
		k.wrong = fmt.Sprintf("written from %d at %d", g.From.Time, k.progress.Time)
	case k.rng.IntN(4) == 0:
		return 0, errors.New("lost before the commit")
	}
	if g.Whole {
		clear(k.rows)
	}
	for _, f := range Fold(g.Ticks, []int{0}) {
		if delete(k.rows, string(f.Key)); f.Row != nil {
			k.rows[string(f.Key)] = string(f.Row)
		}
	}
	records := int64(0)
	for i := range g.Ticks {
		records += int64(len(g.Ticks[i].Changes))
	}
	k.progress = Progress{Known: true, Time: g.To, Writer: "me", Records: k.progress.Records + records}
	k.commits++
	if k.rng.IntN(4) == 0 {
		return 0, errors.New("lost behind the commit")
	}
	return records, nil
}

func (k *tank) Explain(err error) (*repr.Error, bool) {
	if e, ok := errors.AsType[*repr.Error](err); ok {
		return e, true
	}
	return repr.NewError(repr.CodeConnectionFailure, err.Error()), false
}

func (k *tank) Close(context.Context) { k.open = false }

// hasty is a clock that does not wait.
type hasty struct{ now time.Time }

func (h *hasty) Now() time.Time { return h.now }

func (h *hasty) Sleep(ctx context.Context, d time.Duration) error {
	h.now = h.now.Add(d)
	return ctx.Err()
}

func (h *hasty) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- h.now
	return c
}

func pair(key, value int) []byte {
	return repr.AppendRow(nil, []repr.Datum{repr.Int4(int32(key)), repr.Int4(int32(value))})
}

// history is random ticks over a few keys, with what they add up to: never two rows of one key.
func history(rng *rand.Rand, n int) (ticks []Tick, content []map[int]int) {
	now := map[int]int{}
	for i := range n {
		t := Tick{Time: repr.Time(10 * (i + 1))}
		changes := map[string]int64{}
		for range rng.IntN(4) {
			key, value := rng.IntN(6), rng.IntN(50)
			if old, ok := now[key]; ok {
				changes[string(pair(key, old))]--
				delete(now, key)
			}
			if rng.IntN(3) > 0 {
				changes[string(pair(key, value))]++
				now[key] = value
			}
		}
		for row, diff := range changes {
			if diff != 0 {
				t.Changes = append(t.Changes, Change{Row: []byte(row), Diff: diff})
			}
		}
		slices.SortFunc(t.Changes, func(a, b Change) int { return strings.Compare(string(a.Row), string(b.Row)) })
		ticks = append(ticks, t)
		copied := map[int]int{}
		for k, v := range now {
			copied[k] = v
		}
		content = append(content, copied)
	}
	return ticks, content
}

// whole is the snapshot at a time.
func whole(at repr.Time, content map[int]int) Tick {
	t := Tick{Time: at}
	for k, v := range content {
		t.Changes = append(t.Changes, Change{Row: pair(k, v), Diff: 1})
	}
	return t
}

// TestRunner: over random failures and restarts, from the oldest kept content or from the newest, a target ends as the view does.
func TestRunner(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ticks, content := history(rng, 60)
		k := &tank{rng: rng, rows: map[string]string{}}
		for at := 0; at < len(ticks); {
			r := NewRunner(k, Options{Clock: &hasty{}, Writer: "me", Known: func(w string) bool { return w == "me" }})
			from := at
			if rng.IntN(2) == 0 { // the history is kept from before on
				from = rng.IntN(at + 1)
			}
			to := min(len(ticks), from+1+rng.IntN(30))
			ch := make(chan Tick, len(ticks)+1)
			ch <- whole(ticks[from].Time, content[from])
			for _, tick := range ticks[from+1 : max(to, from+1)] {
				ch <- tick
			}
			close(ch)
			var last State
			if err := r.Run(t.Context(), ch, func(s State) { last = s }); err != nil || k.wrong != "" {
				t.Fatalf("seed %d: %v %s", seed, err, k.wrong)
			}
			if last.Records != k.progress.Records {
				t.Fatalf("seed %d: it says %d records, and %d were written", seed, last.Records, k.progress.Records)
			}
			if at = max(at, to); at == to && at < len(ticks) && rng.IntN(3) == 0 {
				at = min(at+rng.IntN(5), len(ticks)-1) // ticks that nobody kept for the sink
			}
		}
		want := content[len(content)-1]
		for key, value := range want {
			if got := k.rows[string(repr.AppendKey(nil, repr.Int4(int32(key))))]; got != string(pair(key, value)) {
				t.Fatalf("seed %d: key %d is wrong", seed, key)
			}
		}
		if len(k.rows) != len(want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(k.rows), len(want))
		}
	}
}

// TestRunnerRefuses: who else has written, and what is newer than our data.
func TestRunnerRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		progress Progress
		restored repr.Time
		want     string
	}{
		{"another", Progress{Known: true, Time: 5, Writer: "stranger"}, 0, "another server has taken over the tank"},
		{"newer", Progress{Known: true, Time: 50, Writer: "before"}, 40, "the tank holds changes up to time 50, and the data of this server end at 40"},
		{"ours", Progress{Known: true, Time: 40, Writer: "before"}, 40, ""},
	} {
		k := &tank{rng: rand.New(rand.NewPCG(1, 1)), rows: map[string]string{}, progress: c.progress}
		r := NewRunner(k, Options{Place: "the tank", Clock: &hasty{}, Writer: "me", Restored: c.restored,
			Known: func(w string) bool { return w == "me" || w == "before" }})
		ch := make(chan Tick)
		close(ch)
		var last State
		err := r.Run(t.Context(), ch, func(s State) { last = s })
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || last.Status != "failed" || last.Hint == "" {
			t.Errorf("%s: %v, %+v", c.name, err, last)
		}
	}
}

// TestFold: what ticks come to is what taking their changes one by one does.
func TestFold(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		ticks, content := history(rng, 1+rng.IntN(12))
		folded := Fold(ticks, []int{0})
		got := map[string]bool{}
		for i, f := range folded {
			if i > 0 && string(folded[i-1].Key) >= string(f.Key) {
				t.Fatalf("seed %d: keys are not in order", seed)
			}
			if f.Row != nil {
				got[string(f.Row)] = true
			}
			if f.Row == nil && f.Was == nil {
				t.Fatalf("seed %d: a key without any row", seed)
			}
		}
		want := content[len(content)-1]
		for key, value := range want {
			if !got[string(pair(key, value))] {
				t.Fatalf("seed %d: key %d lacks %d", seed, key, value)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(want))
		}
	}
	order := Tick{Time: 1, Changes: []Change{{pair(1, 5), 1}, {pair(1, 7), 1}, {pair(2, 1), -1}, {pair(2, 3), 1}, {pair(3, 1), -1}}}
	var text []string
	for _, f := range Fold([]Tick{order}, []int{0}) {
		text = append(text, fmt.Sprint(string(f.Row) == string(pair(1, 7)), string(f.Row) == string(pair(2, 3)), f.Row == nil))
	}
	if got := strings.Join(text, "; "); got != "true false false; false true false; false false true" {
		t.Errorf("got %s", got)
	}
}
