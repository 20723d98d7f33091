package nexmark

import (
	"strings"
	"testing"

	"millrace/sources/generator"
)

// TestFirstEvents pins the form of each kind; bench/generate pins all bytes of long files.
func TestFirstEvents(t *testing.T) {
	t.Parallel()
	g := New(42, 100)
	counts := [3]int{}
	var changes []generator.Change
	for range 50 {
		e := g.Next()
		counts[e.Table]++
		changes = append(changes, e.Change())
	}
	if counts != [3]int{1, 3, 46} {
		t.Errorf("an epoch has %v people, auctions and bids", counts)
	}
	got := generator.Statements(Tables, changes[:1], 1)[0]
	if !strings.HasPrefix(got, "INSERT INTO person VALUES (1000, '") || !strings.Contains(got, "'2023-11-14 22:13:20'") {
		t.Errorf("the first person is %s", got)
	}
	for _, c := range changes {
		if len(c.New) != len(Tables[c.Table].Columns) {
			t.Errorf("a row of %s has %d values", Tables[c.Table].Name, len(c.New))
		}
	}
}

// TestReferences: whoever bids or sells is there, and so is what is bid for, and no auction ends before it begins.
func TestReferences(t *testing.T) {
	t.Parallel()
	for _, micros := range []int64{1, 100, 20_000} {
		g := New(7, micros)
		people, auctions, last := map[int64]bool{}, map[int64]bool{}, int64(0)
		for range 20_000 {
			e := g.Next()
			at := e.Person.At + e.Auction.At + e.Bid.At // one of them is not zero
			switch e.Table {
			case Person:
				people[e.Person.ID] = true
			case Auction:
				auctions[e.Auction.ID] = true
				if !people[e.Auction.Seller] || e.Auction.Expires <= e.Auction.At || e.Auction.Reserve <= e.Auction.Initial {
					t.Fatalf("an auction of nobody, or that ends before it begins: %+v", e.Auction)
				}
			default:
				if !auctions[e.Bid.Auction] || !people[e.Bid.Bidder] {
					t.Fatalf("a bid of nobody or for nothing: %+v", e.Bid)
				}
			}
			if at < last {
				t.Fatalf("time goes back to %d from %d", at, last)
			}
			last = at
		}
	}
}
