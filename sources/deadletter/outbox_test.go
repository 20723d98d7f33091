package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/internal/broker"
	"millrace/internal/broker/brokertest"
	"millrace/internal/clock"
	"millrace/sources"
)

// post is a broker, and what is said about letters to it.
type post struct {
	t      *testing.T
	fake   *kfake.Cluster
	policy sources.ErrorPolicy
	states []sources.State
	pruned string // a place that is not needed any more
}

func newPost(t *testing.T) *post {
	t.Helper()
	fake := brokertest.New(t, kfake.DefaultNumPartitions(2))
	return &post{t: t, fake: fake, policy: sources.ErrorPolicy{DeadLetters: "dead", Writer: "w", Broker: &broker.Options{Brokers: fake.ListenAddrs()}}}
}

func (p *post) outbox() *Outbox {
	o := New(Config{Reads: "a place", Policy: func() sources.ErrorPolicy { return p.policy }, Clock: clock.System{},
		Report: func(s sources.State) { p.states = append(p.states, s) }, Prune: func(written map[string]int64) { delete(written, p.pruned) }})
	p.t.Cleanup(o.Close)
	return o
}

// letters are some of a place, at positions.
func letters(place string, at ...int64) []Letter {
	out := make([]Letter, len(at))
	for i, n := range at {
		out[i] = Letter{Place: place, At: n, Value: fmt.Appendf(nil, "%s/%d", place, n), Where: []Fact{{"place", place}}, Error: "it is bad", Code: "22P02"}
	}
	return out
}

// write writes letters; all count as written, whether they were there or not.
func (p *post) write(o *Outbox, list ...[]Letter) {
	p.t.Helper()
	all := slices.Concat(list...)
	if n, err := o.Write(p.t.Context(), all); err != nil || n != int64(len(all)) {
		p.t.Fatalf("%d letters of %d are written: %v", n, len(all), err)
	}
}

// there are the values of the letters that are committed.
func (p *post) there(want string) {
	p.t.Helper()
	var got []string
	for _, rec := range brokertest.Committed(p.t, p.fake.ListenAddrs()[0], "dead") {
		got = append(got, string(rec.Value))
	}
	slices.Sort(got)
	if text := strings.Join(got, " "); text != want {
		p.t.Errorf("there are letters %s, wanted %s", text, want)
	}
}

// TestOnce: what was written is left out by whoever takes over, place by place; letters that came at once may stand in the same place.
func TestOnce(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	o := p.outbox()
	p.write(o, letters("a", 3, 7), letters("b", 5, 5))
	p.write(o, letters("a", 8))
	o.Close()
	again := p.outbox()
	p.write(again, letters("a", 3, 7, 8, 9), letters("b", 5, 5, 6), letters("c", 0))
	p.there("a/3 a/7 a/8 a/9 b/5 b/5 b/6 c/0")
}

// TestTakenOver: of two that have the same name the one that came last writes, and the other is told, not heard.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	old, now := p.outbox(), p.outbox()
	p.write(old, letters("a", 1))
	p.write(now, letters("a", 1, 2))
	ctx, cancel := context.WithCancel(t.Context())
	old.cfg.Report = func(sources.State) { cancel() }
	if _, err := old.Write(ctx, letters("a", 2, 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("who was taken over from writes: %v", err)
	}
	p.there("a/1 a/2")
}

// TestPrune: what is not needed any more is forgotten.
func TestPrune(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	o := p.outbox()
	p.write(o, letters("a", 1), letters("b", 1))
	p.pruned = "a"
	p.write(o, letters("c", 1))
	o.Close()
	again := p.outbox()
	p.write(again, letters("d", 1))
	if _, kept := again.w.written["a"]; kept || again.w.written["b"] != 2 {
		t.Errorf("it is kept that %v", again.w.written)
	}
}

// TestElsewhere: the policy may name another topic and other brokers while letters are written; without any nothing is.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	p, other := newPost(t), newPost(t)
	o := p.outbox()
	p.write(o, letters("a", 1))
	was := p.policy
	p.policy = other.policy
	p.write(o, letters("a", 1, 2))
	other.there("a/1 a/2")
	p.policy = sources.ErrorPolicy{}
	if n, err := o.Write(t.Context(), letters("a", 3)); n != 0 || err != nil {
		t.Errorf("without a topic %d are written: %v", n, err)
	}
	p.policy = sources.ErrorPolicy{DeadLetters: "dead", Writer: "w"}
	if n, err := o.Write(t.Context(), letters("a", 3)); n != 0 || err != nil {
		t.Errorf("without brokers %d are written: %v", n, err)
	}
	p.policy = was
	p.write(o, letters("a", 4))
	p.there("a/1 a/4")
}

// TestStall: while the broker is away the source is stalled and says which topic it cannot write to.
func TestStall(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	there := p.policy.Broker
	p.policy.Broker = &broker.Options{Brokers: []string{"127.0.0.1:1"}}
	o := p.outbox()
	stalled := make(chan struct{}, 100)
	o.cfg.Report = func(s sources.State) {
		p.states = append(p.states, s)
		p.policy.Broker = there // which the next attempt sees
		stalled <- struct{}{}
	}
	began := time.Now()
	p.write(o, letters("a", 1))
	<-stalled
	first, last := p.states[0], p.states[len(p.states)-1]
	if first.Status != "stalled" || !strings.Contains(first.Error, "cannot reach Kafka broker 127.0.0.1:1") || first.Hint == "" || last.Status != "running" {
		t.Errorf("after %s the states are %+v", time.Since(began), p.states)
	}
	p.there("a/1")
}
