package coord

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// event is a row of the table that the windows are over: its time in seconds, or none.
type event struct {
	id, kind int
	at       int
	none     bool
}

const (
	windowSize = 60
	windowHop  = 25
	windowGap  = 20
)

// clockTime is a number of seconds as the time of a day.
func clockTime(seconds int) string {
	return time.Date(2024, 5, 1, 0, 0, seconds, 0, time.UTC).Format("2006-01-02 15:04:05")
}

// plainTumble, plainHop and plainSession are the windows of events, one row for each event and window.
func plainTumble(events []event) (out []string) {
	for _, e := range events {
		if !e.none {
			start := e.at - e.at%windowSize
			out = append(out, fmt.Sprintf("%d|%s|%s", e.id, clockTime(start), clockTime(start+windowSize)))
		}
	}
	return out
}

func plainHop(events []event) (out []string) {
	day := int(time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC).Unix())
	for _, e := range events {
		for start := e.at; start > e.at-windowSize && !e.none; start-- {
			if (day+start)%windowHop == 0 {
				out = append(out, fmt.Sprintf("%d|%s|%s", e.id, clockTime(start), clockTime(start+windowSize)))
			}
		}
	}
	return out
}

func plainSession(events []event) (out []string) {
	for _, e := range events {
		if e.none {
			continue
		}
		first, last := e.at, e.at
		for grown := true; grown; {
			grown = false
			for _, o := range events {
				if o.none || o.kind != e.kind || o.at < first-windowGap || o.at > last+windowGap || o.at >= first && o.at <= last {
					continue
				}
				first, last, grown = min(first, o.at), max(last, o.at), true
			}
		}
		out = append(out, fmt.Sprintf("%d|%s|%s", e.id, clockTime(first), clockTime(last+windowGap)))
	}
	return out
}

// TestTimeWindows holds windows of time to their plain versions, as maintained views and as queries, while events come
// and go at random: sessions merge and part.
func TestTimeWindows(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2} {
		opts := quiet()
		opts.Workers = workers
		cl := connect(t, start(t, opts))
		cl.must("CREATE TABLE t (id int, kind int, at timestamp)")
		windows := []struct {
			name, call string
			plain      func([]event) []string
		}{
			{"tumbling", fmt.Sprintf("tumble(t, at, '%d s')", windowSize), plainTumble},
			{"hopping", fmt.Sprintf("hop(t, at, '%d s', '%d s')", windowHop, windowSize), plainHop},
			{"sessions", fmt.Sprintf("session(t, at, '%d s', kind)", windowGap), plainSession},
		}
		for _, w := range windows {
			cl.must("CREATE MATERIALIZED VIEW " + w.name + " AS SELECT id, window_start, window_end FROM " + w.call)
		}
		rng := rand.New(rand.NewPCG(uint64(workers), 6))
		var events []event
		for step := range 40 {
			events = changeEvents(cl, rng, events, step)
			for _, w := range windows {
				want := w.plain(events)
				slices.Sort(want)
				for _, text := range []string{"SELECT * FROM " + w.name, "SELECT id, window_start, window_end FROM " + w.call} {
					got := cl.must(text)
					if slices.Sort(got); !slices.Equal(got, want) {
						t.Fatalf("step %d: %s\n%s\nwant\n%s", step, text, strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
				}
			}
		}
	}
}

func changeEvents(cl *client, rng *rand.Rand, events []event, step int) []event {
	var kept []event
	for _, e := range events {
		if rng.IntN(6) == 0 {
			cl.must(fmt.Sprintf("DELETE FROM t WHERE id = %d", e.id))
			continue
		}
		kept = append(kept, e)
	}
	for i := range rng.IntN(6) {
		e := event{id: step*10 + i, kind: rng.IntN(3), at: rng.IntN(600), none: rng.IntN(12) == 0}
		at := "'" + clockTime(e.at) + "'"
		if e.none {
			at = "NULL"
		}
		cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d, %d, %s)", e.id, e.kind, at))
		kept = append(kept, e)
	}
	return kept
}
