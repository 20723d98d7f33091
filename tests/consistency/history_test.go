package consistency

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

// history is what a subscriber was told of a view: its content at every time.
type history struct {
	view  string
	rows  map[[2]int64]int64 // account and amount to count; total has no account
	times []int64            // at which something changed, or progress was told
	sums  []int64            // of the amounts at that time
	since int64              // the as-of: what it shows is known from there on
	upper int64
}

func newHistory(view string) *history { return &history{view: view, rows: map[[2]int64]int64{}} }

// subscribe follows a view until the bank is closed and everything that was acknowledged by then has been told.
func (b *bank) subscribe(h *history) {
	b.runIn(&b.subs, func(ctx context.Context, conn *pgx.Conn) error {
		columns := "account, amount"
		if h.view == "total" {
			columns = "0::int8 AS account, amount"
		}
		rows, err := conn.Query(ctx, `SUBSCRIBE (SELECT `+columns+` FROM `+h.view+`) WITH (PROGRESS)`, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		defer rows.Close()
		closing := 0
		for rows.Next() {
			if err := h.take(rows.RawValues()); err != nil {
				return err
			}
			if b.closed.Load() {
				// What was acknowledged before is complete after the next two progress messages.
				if string(rows.RawValues()[1]) == "t" {
					closing++
				}
				if closing > 3 {
					return b.cancel(ctx, conn)
				}
			}
		}
		return fmt.Errorf("the subscription of %s ended: %w", h.view, rows.Err())
	})
}

func (b *bank) cancel(ctx context.Context, conn *pgx.Conn) error {
	return conn.PgConn().CancelRequest(ctx)
}

// take folds one row of the stream.
func (h *history) take(raw [][]byte) error {
	at, err := strconv.ParseInt(string(raw[0]), 10, 64)
	if err != nil {
		return err
	}
	if at < h.upper {
		return fmt.Errorf("%s: a row at %d after progress to %d", h.view, at, h.upper)
	}
	if string(raw[1]) == "t" {
		h.settle()
		if h.since == 0 {
			h.since = at
		}
		h.upper = at
		return nil
	}
	var n [3]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(string(raw[i+2]), 10, 64); err != nil {
			return err
		}
	}
	if len(h.times) > 0 && h.times[len(h.times)-1] != at {
		h.settle()
	}
	key := [2]int64{n[1], n[2]}
	if h.rows[key] += n[0]; h.rows[key] == 0 {
		delete(h.rows, key)
	}
	h.note(at)
	return nil
}

// note begins a time at which something changes; settle ends it.
func (h *history) note(at int64) {
	if len(h.times) == 0 || h.times[len(h.times)-1] != at {
		h.times, h.sums = append(h.times, at), append(h.sums, 0)
	}
}

func (h *history) settle() {
	if len(h.times) == 0 {
		return
	}
	var sum int64
	for k, n := range h.rows {
		sum += k[1] * n
	}
	h.sums[len(h.sums)-1] = sum
}

// at is the sum of the amounts at a time; ok is false before the first.
func (h *history) at(t int64) (sum int64, ok bool) {
	i, found := slices.BinarySearch(h.times, t)
	if !found {
		i--
	}
	if i < 0 {
		return 0, false
	}
	return h.sums[i], true
}

// final is the content at the end.
func (h *history) final() string {
	keys := slices.SortedFunc(maps.Keys(h.rows), func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	return fmt.Sprint(keys)
}

// compare holds the histories together at every time that any of them has and all are complete at.
func compare(t *testing.T, subs map[string]*history) (compared int) {
	t.Helper()
	all := map[int64]bool{}
	since, upper := int64(0), int64(1)<<62
	for _, h := range subs {
		since, upper = max(since, h.since), min(upper, h.upper)
		if !slices.IsSorted(h.times) {
			t.Errorf("%s: times go back", h.view)
		}
		for _, at := range h.times {
			all[at] = true
		}
		for k, n := range h.rows {
			if n < 0 {
				t.Errorf("%s: row %v stands %d times", h.view, k, n)
			}
		}
	}
	for at := range all {
		if at < since || at >= upper {
			continue
		}
		sums := map[string]int64{}
		for v, h := range subs {
			sums[v], _ = h.at(at)
		}
		if sums["balance"] != 0 || sums["direct"] != 0 || sums["total"] != 0 || sums["credits"] != sums["debits"] {
			t.Fatalf("at %d the views show %v", at, sums)
		}
		compared++
	}
	return compared
}
