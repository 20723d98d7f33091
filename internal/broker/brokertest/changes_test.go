package brokertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestChanges: what is committed adds up however its JSON is written; what is not, and what was taken back, is not seen.
func TestChanges(t *testing.T) {
	t.Parallel()
	addr := New(t, kfake.SeedTopics(2, "t")).ListenAddrs()[0]
	cl := Client(t, addr, kgo.TransactionalID("w"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	c := FollowChanges(t, addr, "t")
	for _, batch := range []struct {
		end    kgo.TransactionEndTry
		values []string
		rows   string
		read   int
	}{
		{kgo.TryCommit, []string{`{"before":null,"after":{"a":1,"b":9007199254740993}}`, `{"after":{"a":2}}`}, "{\"b\": 9007199254740993, \"a\": 1}\n{\"a\": 2}\n", 2},
		{kgo.TryAbort, []string{`{"after":{"a":3}}`}, "{\"b\": 9007199254740993, \"a\": 1}\n{\"a\": 2}", 2},
		{kgo.TryCommit, []string{`{"before":{"b":9007199254740993,"a":1},"after":{"a":2}}`}, "{\"a\": 2}\n{\"a\": 2}", 3},
		{kgo.TryCommit, []string{`{"before":{"a":2}}`, `{"before":{"a":2}}`}, "", 5},
	} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, v := range batch.values {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(v), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(v)}}}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(context.Background(), batch.end); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); c.Is(batch.rows) != nil; time.Sleep(time.Millisecond) {
			if time.Since(began) > 20*time.Second {
				t.Fatal(c.Is(batch.rows))
			}
		}
		got := Committed(t, addr, "t")
		if len(got) != batch.read || Header(got[0], "h") != string(got[0].Value) || Header(got[0], "none") != "" {
			t.Errorf("%d records are read, want %d", len(got), batch.read)
		}
	}
	if err := c.Is(`{"a": 1}`); err == nil || !strings.Contains(err.Error(), "map[a:1] -1 times") {
		t.Errorf("a row that is missing is told as %v", err)
	}
	if got := Committed(t, addr, "none"); len(got) != 0 {
		t.Errorf("%d records are read of a topic that is not there", len(got))
	}
}
