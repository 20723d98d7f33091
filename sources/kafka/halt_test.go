package kafka

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/clock"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/sources"
)

// leaping is a clock that goes on by an hour whenever it is asked, so that nothing is remembered for long.
type leaping struct {
	clock.System
	asked *atomic.Int64
}

func (l leaping) Now() time.Time { return time.Unix(l.asked.Add(3600), 0) }

// TestSchemaThatComesLate: a source that stops at records that cannot be decoded goes on when the schema of one is registered, and leaves
// none out.
func TestSchemaThatComesLate(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	s := newShop(t, "t")
	late, err := avro.NewEncoder("Late", userCols)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, c, "t", nil, s.user(1, "a"))
	second := s.user(2, "b")
	value, err := late.AppendChange(avro.AppendFrame(nil, s.kid+1), nil, second)
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.key.Append(avro.AppendFrame(nil, s.kid), second[:repr.PrefixLen(second, 1)])
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cl.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Key: key, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.write(t, c, "t", nil, s.user(3, "c"))
	cfg := s.config(c, "t")
	if cfg.Registry, err = registry.New(registry.Options{URL: s.srv.URL, Clock: leaping{asked: new(atomic.Int64)}}); err != nil {
		t.Fatal(err)
	}
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	src.Follow(sources.ErrorPolicy{OnError: sources.Fail})
	to, _, _ := startSource(t, src, nil)
	to.until(t, "a stop", func() bool {
		return to.last().Status == statusFailed && strings.Contains(to.last().Error, "the record at offset 1 of partition 0") && len(to.rows) == 1
	})
	id, err := s.client.Register(context.Background(), "t-late", late.EnvelopeSchema("Envelope"))
	if err != nil || id != s.kid+1 {
		t.Fatalf("the schema has the number %d: %v", id, err)
	}
	src.Follow(sources.ErrorPolicy{OnError: sources.Fail}) // it is tried at once
	want := []string{"1|a +1", "2|b +1", "3|c +1"}
	to.until(t, "going on", func() bool {
		return slices.Equal(to.rows, want) && to.last().Status == statusRunning && len(to.errors) == 0
	})
}
