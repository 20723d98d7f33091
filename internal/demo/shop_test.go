package demo

import (
	"reflect"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func history(seed uint64, n int) (snapshot []change, events []event, s *shop) {
	s = newShop(seed)
	snapshot = s.snapshot(noon, 100)
	for i := range n {
		events = append(events, s.next(noon.Add(time.Duration(i)*time.Millisecond)))
	}
	return snapshot, events, s
}

func TestOneSeedIsOneHistory(t *testing.T) {
	t.Parallel()
	a, ae, _ := history(1, 500)
	b, be, _ := history(1, 500)
	if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(ae, be) {
		t.Error("two histories of one seed differ")
	}
	c, _, _ := history(2, 0)
	if reflect.DeepEqual(a, c) {
		t.Error("two seeds give one history")
	}
}

// The changes, applied in order, are of rows as they stand, and lead to the shop's own table.
func TestChangesFitTheTable(t *testing.T) {
	t.Parallel()
	snapshot, events, s := history(3, 20000)
	table, ops, position := map[int64]user{}, map[string]int{}, int64(0)
	apply := func(c change) {
		if c.before != nil {
			if table[c.before.id] != *c.before {
				t.Fatalf("%s: before is %+v, the table has %+v", c.op, *c.before, table[c.before.id])
			}
			delete(table, c.before.id)
		}
		if c.after != nil {
			if _, ok := table[c.after.id]; ok {
				t.Fatalf("%s: user %d is there twice", c.op, c.after.id)
			}
			table[c.after.id] = *c.after
		}
		ops[c.op]++
	}
	for _, c := range snapshot {
		apply(c)
	}
	views := 0
	for _, e := range events {
		if e.view != nil {
			views++
			if _, ok := table[e.view.UserID]; !ok {
				t.Fatalf("user %d looks at pages and is not there", e.view.UserID)
			}
			continue
		}
		if e.change.position <= position {
			t.Fatalf("position %d comes after %d", e.change.position, position)
		}
		position = e.change.position
		apply(*e.change)
	}
	for _, u := range s.users {
		if table[u.id] != u {
			t.Fatalf("the shop has %+v, the table %+v", u, table[u.id])
		}
	}
	if len(table) != len(s.users) || ops[opRead] != 100 {
		t.Errorf("the table has %d rows, the shop %d; %d were read", len(table), len(s.users), ops[opRead])
	}
	for _, op := range []string{opCreate, opUpdate, opDelete} {
		if ops[op] == 0 {
			t.Errorf("no %s in %v", op, ops)
		}
	}
	if share := views * 100 / len(events); share < 93 || share > 97 {
		t.Errorf("%d %% are page views", share)
	}
}

// The last user does not leave, however long it goes on.
func TestTheLastUserStays(t *testing.T) {
	t.Parallel()
	s := newShop(4)
	s.snapshot(noon, 1)
	for range 5000 {
		s.change(noon)
		if len(s.users) == 0 {
			t.Fatal("nobody is left")
		}
	}
}

func TestChannelWeights(t *testing.T) {
	t.Parallel()
	total := 0
	for _, c := range channels {
		total += c.weight
	}
	if total != 100 {
		t.Errorf("the weights add up to %d", total)
	}
	if reach := products; reach < 56 {
		t.Errorf("there is no product 56 of %d", reach)
	}
}
