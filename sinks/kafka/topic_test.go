package kafka

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/repr"
)

// TestTopicMadeAnew: a sink whose topic was deleted and made anew between two transactions ends and says so; when it starts again it
// brings the topic to the view.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	cfg := w.config(JSON, []int{0})
	cfg.Partitions = 3
	r := w.run(cfg)
	for at := repr.Time(1); at < 5; at++ {
		r.send(tick(at, v, map[string]int64{string(row(int(at), "a", 1)): 1}))
		r.written(at)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.DeleteTopic(t.Context(), cfg.Topic); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(t.Context(), 3, 1, nil, cfg.Topic); err != nil {
		t.Fatal(err)
	}
	var said string
	for at := repr.Time(5); said == "" && at < 10_000_000; at += 1000 {
		select {
		case r.ticks <- tick(at, v, map[string]int64{string(row(int(at), "b", 2)): 1}):
		case err := <-r.done:
			said = err.Error()
		}
	}
	if !strings.Contains(said, "made anew") {
		t.Fatalf("the sink ends with %s", said)
	}
	r = w.run(cfg)
	all := map[string]int64{string(row(1, "a", 1)): 1, string(row(9, "z", 9)): 1}
	v = view{}
	r.send(tick(1_000_000_000, v, all))
	r.finish()
	w.expect(JSON, v)
}
