package consistency

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// history is what a subscriber was told of a view: its content at every time.
type history struct {
	view   string
	rows   map[[2]int64]int64 // account and amount to count; total has no account
	ledger *ledger            // of the transfers, in place of rows
	times  []int64            // at which something changed
	states []state            // at those times
	since  int64              // the as-of: what it shows is known from there on
	upper  int64
}

// state is a content in short: the sum of the amounts and a fingerprint of the rows; of the transfers the fingerprints
// that the views over them should have.
type state struct {
	sum                      int64
	print                    uint64
	credits, debits, balance uint64
}

func newHistory(view string) *history {
	h := &history{view: view, rows: map[[2]int64]int64{}}
	if view == "transfers" {
		h.ledger = &ledger{credits: map[int64]entry{}, debits: map[int64]entry{}}
	}
	return h
}

// columns are what is subscribed to: numbers only.
func (h *history) columns() string {
	switch h.view {
	case "total":
		return "0::int8 AS account, amount"
	case "transfers":
		return "src, dst, amount"
	default:
		return "account, amount"
	}
}

// ledger is the plain way to the views: it adds up transfers by itself.
type ledger struct{ credits, debits map[int64]entry }

// entry is how many transfers an account has on one side, and their sum.
type entry struct{ n, sum int64 }

func post(side map[int64]entry, account, amount, diff int64) {
	e := side[account]
	e.n, e.sum = e.n+diff, e.sum+amount*diff
	if side[account] = e; e.n == 0 {
		delete(side, account)
	}
}

// state gives the fingerprints of the views over the transfers.
func (l *ledger) state() state {
	var s state
	balance := map[int64]int64{}
	for account, e := range l.credits {
		s.credits += print(account, e.sum)
		balance[account] += e.sum
	}
	for account, e := range l.debits {
		s.debits += print(account, e.sum)
		balance[account] -= e.sum
	}
	for account, sum := range balance {
		s.balance += print(account, sum)
	}
	return s
}

var printSeed = maphash.MakeSeed()

// print is the fingerprint of a row; that of a multiset is the sum.
func print(account, amount int64) uint64 {
	return maphash.Comparable(printSeed, [2]int64{account, amount})
}

// subscribe follows a view until the bank is closed and everything that was acknowledged by then has been told.
func (b *bank) subscribe(h *history) {
	b.runIn(&b.subs, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SUBSCRIBE (SELECT `+h.columns()+` FROM `+h.view+`) WITH (PROGRESS)`, pgx.QueryExecModeSimpleProtocol)
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
	n := make([]int64, len(raw)-2)
	for i := range n {
		if n[i], err = strconv.ParseInt(string(raw[i+2]), 10, 64); err != nil {
			return err
		}
	}
	if len(h.times) == 0 || h.times[len(h.times)-1] != at {
		h.settle()
		h.times, h.states = append(h.times, at), append(h.states, state{})
	}
	h.change(n[0], n[1:])
	return nil
}

// change adds a row to the content as often as diff says.
func (h *history) change(diff int64, row []int64) {
	if h.ledger != nil {
		post(h.ledger.debits, row[0], row[2], diff)
		post(h.ledger.credits, row[1], row[2], diff)
		return
	}
	key := [2]int64{row[0], row[1]}
	if h.rows[key] += diff; h.rows[key] == 0 {
		delete(h.rows, key)
	}
}

// settle notes the content at the newest time, once that is complete.
func (h *history) settle() {
	if len(h.times) == 0 {
		return
	}
	var s state
	if h.ledger != nil {
		s = h.ledger.state()
	}
	for k, n := range h.rows {
		s.sum += k[1] * n
		s.print += print(k[0], k[1]) * uint64(n)
	}
	h.states[len(h.states)-1] = s
}

// at is the content at a time; before the first it is empty.
func (h *history) at(t int64) state {
	i, found := slices.BinarySearch(h.times, t)
	if !found {
		i--
	}
	if i < 0 {
		return state{}
	}
	return h.states[i]
}

// final is the content at the end.
func (h *history) final() string {
	keys := slices.SortedFunc(maps.Keys(h.rows), func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	var out []string
	for _, k := range keys {
		out = append(out, fmt.Sprint(k, h.rows[k]))
	}
	return strings.Join(out, " ")
}

// compare holds the histories together, and with what the transfers add up to, at every time that any of them has and
// all are complete at.
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
		should := subs["transfers"].at(at)
		for v, print := range map[string]uint64{"credits": should.credits, "debits": should.debits, "balance": should.balance, "direct": should.balance} {
			if subs[v].at(at).print != print {
				t.Errorf("at %d %s is not what the transfers add up to", at, v)
			}
		}
		if total := subs["total"].at(at); total.sum != 0 || total.print != print(0, 0) {
			t.Errorf("at %d the total is %d", at, total.sum)
		}
		if t.Failed() {
			return compared
		}
		compared++
	}
	return compared
}
