package budget

import (
	"math/rand"
	"sync"
	"testing"
)

func TestPartsCountTowardsTheWhole(t *testing.T) {
	t.Parallel()
	server := New("server", 100)
	queries := server.Part("queries", 60, 80)
	a, b := queries.Part("a", 40, 0), queries.Part("b", 40, 0)
	a.Take(30)
	b.Take(30)
	if a.Excess() != nil || b.Excess() != nil || server.Held() != 60 || queries.Held() != 60 {
		t.Fatalf("held %d of %d: %v %v", queries.Held(), server.Held(), a.Excess(), b.Excess())
	}
	a.Take(5)
	if e := a.Excess(); e == nil || e.Name != "queries" || e.Own || e.Most != 60 {
		t.Errorf("a meets %+v, not the limit of all queries", e)
	}
	if b.Excess() != nil {
		t.Error("b is exceeded by what a took")
	}
	a.Close()
	b.Take(5)
	if b.Excess() != nil || server.Held() != 35 {
		t.Errorf("after a has gone: %+v, %d held", b.Excess(), server.Held())
	}
	b.Take(6)
	if e := b.Excess(); e == nil || !e.Own || e.Most != 40 {
		t.Errorf("b meets %+v, not its own limit", e)
	}
	b.Close()
	if server.Held() != 0 {
		t.Errorf("%d held when all is closed", server.Held())
	}
}

func TestAPartGivesWayBeforeTheWholeIsFull(t *testing.T) {
	t.Parallel()
	server := New("server", 100)
	kept, queries := server.Part("kept", 0, 0), server.Part("queries", 0, 80)
	kept.Set(75)
	called := 0
	q := queries.Part("q", 0, 0)
	q.OnOver(func() { called++ })
	if !q.Room(5) || q.Room(6) {
		t.Error("room is not what is left up to 80")
	}
	q.Take(10)
	if e := q.Excess(); e == nil || e.Name != "server" || e.Most != 80 || called != 1 {
		t.Errorf("q meets %+v, called %d times", e, called)
	}
	kept.Set(90)
	if kept.Excess() != nil || server.Held() != 100 {
		t.Errorf("kept meets %+v, %d held", kept.Excess(), server.Held())
	}
}

func TestNilHasNoLimit(t *testing.T) {
	t.Parallel()
	var b *Budget
	b.Take(1 << 60)
	b.Set(5)
	b.Close()
	if !b.Room(1<<60) || b.Excess() != nil || b.Held() != 0 || b.Most() != 0 {
		t.Error("the nil budget counts")
	}
}

// TestManyTakeAtOnce holds the sums of the tree against those of its leaves.
func TestManyTakeAtOnce(t *testing.T) {
	t.Parallel()
	server := New("server", 0)
	sums := make([]int64, 8)
	var wg sync.WaitGroup
	for i := range sums {
		part := server.Part("part", 0, 0)
		wg.Go(func() {
			r := rand.New(rand.NewSource(int64(i)))
			for range 1000 {
				n := r.Int63n(1000) - 400
				part.Take(n)
				sums[i] += n
			}
			if part.Held() != sums[i] {
				t.Errorf("part %d holds %d, took %d", i, part.Held(), sums[i])
			}
		})
	}
	wg.Wait()
	var sum int64
	for _, n := range sums {
		sum += n
	}
	if server.Held() != sum {
		t.Errorf("the whole holds %d, its parts %d", server.Held(), sum)
	}
}

// TestWhatIsInUseSpeaksToo has more in use than is counted: who asks for much meets the limit of the whole, what lasts does not.
func TestWhatIsInUseSpeaksToo(t *testing.T) {
	t.Parallel()
	const most = 100 << 20
	inUse := int64(most)
	server := New("the server", most)
	server.Watch(func(n int64) bool { return inUse+n <= most+most/20 })
	views, query := server.Part("views", 0, 0), server.Part("a query", 0, 0)
	views.Lasts()
	view := views.Part("a view", 0, 0)
	query.Take(watchBytes)
	view.Take(watchBytes)
	if query.Excess() != nil || view.Excess() != nil {
		t.Fatalf("at the limit: %+v, %+v", query.Excess(), view.Excess())
	}
	inUse = most + most/10
	query.Take(watchBytes - 1)
	if view.Take(watchBytes); query.Excess() != nil || view.Excess() != nil {
		t.Fatalf("who asks for little, or lasts: %+v, %+v", query.Excess(), view.Excess())
	}
	byAndBy := server.Part("another query", 0, 0)
	for range 4 {
		if byAndBy.Excess() != nil {
			t.Fatalf("before it has asked for much: %+v", byAndBy.Excess())
		}
		byAndBy.Take(watchBytes / 4)
	}
	query.Take(watchBytes)
	for _, b := range []*Budget{query, byAndBy} {
		if e := b.Excess(); e == nil || e.Name != "the server" || e.Own {
			t.Errorf("beyond it: %+v", e)
		}
	}
	if other := server.Part("another", 0, 0); other.Room(1<<20) || !other.Room(0) {
		t.Error("room for much, or none for nothing")
	}
}

func TestMomentsAndMoves(t *testing.T) {
	t.Parallel()
	server := New("server", 0)
	fresh, lasting := server.Part("new", 0, 100), server.Part("old", 0, 100)
	lasting.Lasts()
	b := fresh.Part("b", 10, 0)
	b.Take(9)
	if !b.Passing(91) || b.Passing(92) {
		t.Error("the room for a moment is not what the whole has left")
	}
	other := fresh.Part("c", 0, 0)
	other.Take(20)
	other.Move(lasting)
	if fresh.Held() != 9 || lasting.Held() != 20 || server.Held() != 29 {
		t.Errorf("after it moved: %d, %d, %d", fresh.Held(), lasting.Held(), server.Held())
	}
	if !other.Passing(1000) || other.Excess() != nil {
		t.Error("what lasts is given up for a moment's need")
	}
	if other.Close(); server.Held() != 9 || lasting.Held() != 0 {
		t.Errorf("after it closed: %d, %d", server.Held(), lasting.Held())
	}
	var none *Budget
	if none.Move(server); !none.Passing(1 << 60) {
		t.Error("the nil budget has a limit")
	}
}

// TestExcessOfAPart: what a part has met of the whole says what the whole would hold, and what the part would.
func TestExcessOfAPart(t *testing.T) {
	t.Parallel()
	whole := New("whole", 100)
	beside, part := whole.Part("beside", 0, 0), whole.Part("part", 0, 0)
	beside.Take(70)
	part.Take(20)
	if part.Room(15) {
		t.Fatal("there is room for 105 of 100")
	}
	if e := part.Excess(); e.Name != "whole" || e.Most != 100 || e.Held != 35 || e.All != 105 || e.Own {
		t.Errorf("it met %+v", e)
	}
}

// TestAMomentsNeedIsLookedInto: room for a moment is looked for in what is really in use, also by what lasts, which is not refused it.
func TestAMomentsNeedIsLookedInto(t *testing.T) {
	t.Parallel()
	server := New("the server", 0)
	looked := 0
	server.Watch(func(int64) bool { looked++; return false })
	lasting := server.Part("rows", 0, 0)
	lasting.Lasts()
	b := lasting.Part("a batch", 0, 0)
	if !b.Passing(watchBytes) || b.Excess() != nil || looked != 1 {
		t.Errorf("looked %d times: %+v", looked, b.Excess())
	}
	if !b.Passing(watchBytes-1) || looked != 1 {
		t.Errorf("looked %d times, for little too", looked)
	}
	if b.Take(watchBytes); looked != 1 {
		t.Errorf("looked %d times, for what it holds too", looked)
	}
}
