package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/broker/brokertest"
	"millrace/sources"
)

// letters are the dead letters that are committed.
func (c *cluster) letters(t *testing.T) []*kgo.Record {
	t.Helper()
	return brokertest.Committed(t, c.addr, "dead")
}

// positions are where the records stood that dead letters are about.
func positions(records []*kgo.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, brokertest.Header(r, "millrace.partition")+"/"+brokertest.Header(r, "millrace.offset"))
	}
	slices.Sort(out)
	return out
}

func (c *cluster) deadConfig() Config {
	cfg := c.config("t")
	cfg.ValueFormat = FormatJSON
	return cfg
}

// runUntil runs a source from offsets, as a server does that keeps nothing else, until it has handed over so many records.
func runUntil(t *testing.T, cfg Config, to *sink, records int64) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Follow(sources.ErrorPolicy{DeadLetters: "dead", Writer: "w"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil, to) }()
	to.until(t, fmt.Sprintf("%d records", records), func() bool { return to.records >= records })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestDeadLetters: a bad record is written as it is, with headers that say where it stood; a source that reads it again after it was
// stopped writes it no second time.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "t")
	bad := &kgo.Record{Topic: "t", Partition: 1, Key: []byte("k"), Value: []byte("no json"), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("x")}}}
	c.write(t, "t", 0, `1`, `{`, `2`)
	if err := c.cl.ProduceSync(context.Background(), bad).FirstErr(); err != nil {
		t.Fatal(err)
	}
	first := newSink()
	runUntil(t, c.deadConfig(), first, 4)
	got := c.letters(t)
	if where := positions(got); !slices.Equal(where, []string{"0/1", "1/0"}) {
		t.Fatalf("there are letters of %v", where)
	}
	i := slices.IndexFunc(got, func(r *kgo.Record) bool { return string(r.Key) == "k" })
	if i < 0 || string(got[i].Value) != "no json" || brokertest.Header(got[i], "trace") != "x" || brokertest.Header(got[i], "millrace.topic") != "t" ||
		brokertest.Header(got[i], "millrace.error_code") != "22P02" || !strings.Contains(brokertest.Header(got[i], "millrace.error"), "json") {
		t.Errorf("the letter of the record with a key is %+v", got)
	}
	c.write(t, "t", 0, `}`)
	again := newSink()
	runUntil(t, c.deadConfig(), again, 5)
	if where := positions(c.letters(t)); !slices.Equal(where, []string{"0/1", "0/3", "1/0"}) {
		t.Errorf("after reading again there are letters of %v", where)
	}
	if len(again.errors) != 3 {
		t.Errorf("after reading again the errors are %q", again.errors)
	}
}

// TestDeadLettersAreThereFirst: nothing of a batch is handed over before its letters are committed, and a server that ends between the two
// writes them once.
func TestDeadLettersAreThereFirst(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.write(t, "t", 0, `{`, `1`)
	s, err := New(c.deadConfig())
	if err != nil {
		t.Fatal(err)
	}
	s.Follow(sources.ErrorPolicy{DeadLetters: "dead", Writer: "w"})
	to := newSink()
	to.hold = make(chan struct{}, 1) // for the batch that says where partitions end
	to.hold <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil, to) }()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if len(c.letters(t)) == 1 {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("no letter is written")
		}
	}
	cancel()
	<-done
	if to.records != 0 {
		t.Fatalf("%d records were handed over", to.records)
	}
	runUntil(t, c.deadConfig(), newSink(), 2)
	if where := positions(c.letters(t)); !slices.Equal(where, []string{"0/0"}) {
		t.Errorf("there are letters of %v", where)
	}
}

// TestDeadLettersThatAreTooLarge: of a record that the topic does not take the headers are written, and the source goes on.
func TestDeadLettersThatAreTooLarge(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	most := "100000"
	if _, err := c.adm.CreateTopic(context.Background(), 1, 1, map[string]*string{"max.message.bytes": &most}, "dead"); err != nil {
		t.Fatal(err)
	}
	c.write(t, "t", 0, strings.Repeat("x", 200_000), "{", `1`)
	runUntil(t, c.deadConfig(), newSink(), 3)
	got := c.letters(t)
	if len(got) != 2 || got[0].Value != nil || !strings.Contains(brokertest.Header(got[0], "millrace.left_out"), "value of 200000 bytes") || string(got[1].Value) != "{" {
		t.Errorf("the letters are %+v", got)
	}
}

// TestDeadLettersThatAreDenied: a source that may not write its letters is stalled and says so, and goes on when it need not write them.
func TestDeadLettersThatAreDenied(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.fake.ControlKey(int16(kmsg.InitProducerID), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return resp, nil, req.(*kmsg.InitProducerIDRequest).TransactionalID != nil
	})
	c.write(t, "t", 0, `{`, `1`)
	s, err := New(c.deadConfig())
	if err != nil {
		t.Fatal(err)
	}
	s.Follow(sources.ErrorPolicy{DeadLetters: "dead", Writer: "w"})
	to := newSink()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil, to) }()
	defer func() { cancel(); <-done }()
	to.until(t, "a stall", func() bool {
		return slices.ContainsFunc(to.states, func(st sources.State) bool {
			return st.Status == statusStalled && strings.Contains(st.Error, "denies access") && strings.Contains(st.Error, `write dead letters to topic "dead"`)
		})
	})
	s.Follow(sources.ErrorPolicy{})
	to.until(t, "the records", func() bool { return to.records == 2 && to.last().Status == statusRunning })
}
