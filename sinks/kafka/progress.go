package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
)

// topicSpec is a topic that is created when it is missing.
type topicSpec struct {
	name        string
	partitions  int32
	replication int16
	configs     map[string]*string
}

func (s *Sink) topic() topicSpec {
	t := topicSpec{name: s.cfg.Topic, partitions: orDefault(s.cfg.Partitions), replication: orDefault(s.cfg.Replication), configs: map[string]*string{}}
	if s.cfg.Envelope == Upsert { // the last record of a key must stay, however old it is
		t.configs["cleanup.policy"] = kadm.StringPtr("compact")
	}
	for k, v := range s.cfg.Configs {
		t.configs[k] = kadm.StringPtr(v)
	}
	return t
}

func (s *Sink) progressTopic() topicSpec {
	return topicSpec{name: s.cfg.ProgressTopic, partitions: 1, replication: orDefault(s.cfg.Replication),
		configs: map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}}
}

// orDefault is a number for the broker, to whom -1 means that it chooses.
func orDefault[N int16 | int32](n N) N {
	if n <= 0 {
		return -1
	}
	return n
}

// ensureTopic returns how many partitions a topic has. It creates a topic that is missing if it may; then there is
// nothing in it.
func (s *Sink) ensureTopic(ctx context.Context, t topicSpec, mayCreate bool) (partitions int32, created bool, err error) {
	c := s.conn
	d, err := s.describe(ctx, c, t.name)
	if err == nil {
		return int32(len(d.Partitions)), false, nil
	}
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return 0, false, err
	}
	if !mayCreate {
		return 0, false, repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("topic %q is gone from Kafka broker %s", t.name, s.brokers())).
			WithDetail(fmt.Sprintf("The sink had written to it up to time %d.", s.progress.Time)).
			WithHint("Drop the sink and create it anew to write the topic from the beginning.")
	}
	answer, err := c.admin.CreateTopic(ctx, t.partitions, t.replication, t.configs, t.name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return 0, false, fmt.Errorf("create topic %s: %w", t.name, withText(err, answer.ErrMessage))
	}
	if err == nil && answer.NumPartitions > 0 {
		s.cfg.Log.Info("topic is created", "topic", t.name, "partitions", answer.NumPartitions)
		return answer.NumPartitions, true, s.awaitTopic(ctx, t.name)
	}
	if d, err = s.describe(ctx, c, t.name); err != nil {
		return 0, false, err
	}
	return int32(len(d.Partitions)), false, nil
}

// How often, and how many times, a topic that was just created is looked for.
const (
	awaitEvery = 50 * time.Millisecond
	awaitTimes = 40
)

// awaitTopic waits until every partition of a topic that was just created has a leader: brokers learn of it one by one.
// When that takes too long it is for the retry to say so.
func (s *Sink) awaitTopic(ctx context.Context, name string) error {
	for range awaitTimes {
		d, err := s.describe(ctx, s.conn, name)
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return err
		}
		led := err == nil
		for _, p := range d.Partitions {
			led = led && p.Err == nil && p.Leader >= 0
		}
		if led {
			return nil
		}
		if err := s.cfg.Clock.Sleep(ctx, awaitEvery); err != nil {
			return err
		}
	}
	return nil
}

// withText adds what the broker says beyond its code.
func withText(err error, text string) error {
	if text == "" {
		return err
	}
	return fmt.Errorf("%s: %w", text, err)
}

func (s *Sink) describe(ctx context.Context, c *connection, topic string) (kadm.TopicDetail, error) {
	m, err := c.admin.Metadata(ctx, topic)
	if err != nil {
		return kadm.TopicDetail{}, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	d := m.Topics[topic]
	if d.Err != nil {
		return d, fmt.Errorf("look up topic %s: %w", topic, d.Err)
	}
	return d, nil
}

// endOf are the offsets that the next records of the topic will have.
func (s *Sink) endOf(ctx context.Context, created bool) (map[int32]int64, error) {
	c := s.conn
	ends := map[int32]int64{}
	for p := range c.partitions {
		ends[p] = 0
	}
	if created {
		return ends, nil
	}
	listed, err := c.admin.ListEndOffsets(ctx, s.cfg.Topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look up offsets of topic %s: %w", s.cfg.Topic, err)
	}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// tail is how many offsets at the end of the progress topic are read first; more only when they do not suffice.
const tail = 1000

// readProgress is the last progress of this sink that was committed. It is an error when a stranger has written it.
func (s *Sink) readProgress(ctx context.Context, c *connection) (progress, error) {
	r, err := broker.NewCommitted(ctx, c.client, s.cfg.ProgressTopic, 0)
	if err != nil {
		return progress{}, err
	}
	for n := int64(tail); ; n *= 100 {
		from := max(r.End-n, r.Start)
		found, err := s.lastProgress(ctx, r, from)
		if err == nil && found.Writer != "" && s.cfg.Writer != "" && !s.cfg.Known(found.Writer) {
			err = s.fenced()
		}
		if err != nil || found.known || from == r.Start {
			return found, err
		}
	}
}

func (s *Sink) lastProgress(ctx context.Context, r *broker.Committed, from int64) (progress, error) {
	var found progress
	var bad error
	err := r.Each(ctx, from, func(rec *kgo.Record) {
		if string(rec.Key) != s.cfg.TransactionalID {
			return
		}
		found = progress{}
		bad = json.Unmarshal(rec.Value, &found)
		found.known = bad == nil
	})
	if err == nil && bad != nil {
		err = repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("topic %q holds progress of transactional id %q that cannot be read: %s",
			s.cfg.ProgressTopic, s.cfg.TransactionalID, bad)).WithHint("Name another progress topic.")
	}
	return found, err
}

func (s *Sink) brokers() string { return strings.Join(s.cfg.Brokers, ", ") }
