package brokertest

import (
	"context"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
)

// New starts a cluster of one broker that ends with the test.
func New(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Client is a client that ends with the test.
func Client(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// Committed are the records of a topic that are committed at this moment, one partition behind another; none of a topic that is not there.
func Committed(t testing.TB, addr, topic string) []*kgo.Record {
	t.Helper()
	cl, err := (&broker.Options{Brokers: []string{addr}}).Client()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	details, err := kadm.NewClient(cl).ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var out []*kgo.Record
	for _, p := range details[topic].Partitions.Numbers() {
		r, err := broker.NewCommitted(t.Context(), cl, topic, p)
		if err == nil {
			err = r.Each(t.Context(), r.Start, func(rec *kgo.Record) { out = append(out, rec) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Follow hands over the committed records of a topic as they come, from the first one on, until it is stopped or the test ends. Those
// of all partitions come from one goroutine.
func Follow(t testing.TB, addr, topic string, take func(*kgo.Record)) (stop func()) {
	t.Helper()
	cl := Client(t, addr, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(take)
		}
	})
	stop = func() { cancel(); wait.Wait(); cl.Close() }
	t.Cleanup(stop)
	return stop
}

// Header is the first value that a record has under a name, "" without one.
func Header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
