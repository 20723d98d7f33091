package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Committed reads the committed records of a partition, up to the end that it had when this was made. It asks the
// broker itself: a consumer would not say that it has come to the end when that is a marker or was compacted.
type Committed struct {
	Start, End int64 // the offset of the first record that is there, and the one behind the last

	cl        *kgo.Client
	topic     string
	id        [16]byte
	partition int32
	leader    int32
}

// NewCommitted looks up where a partition begins and ends.
func NewCommitted(ctx context.Context, cl *kgo.Client, topic string, partition int32) (*Committed, error) {
	adm := kadm.NewClient(cl)
	m, err := adm.Metadata(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	d := m.Topics[topic]
	if d.Err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", topic, d.Err)
	}
	p, ok := d.Partitions[partition]
	if ok && p.Err != nil {
		return nil, fmt.Errorf("look up partition %d of topic %s: %w", partition, topic, p.Err)
	}
	c := &Committed{cl: cl, topic: topic, id: d.ID, partition: partition, leader: p.Leader}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("look up offsets of topic %s: %w", topic, err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("look up offsets of topic %s: %w", topic, err)
	}
	start, _ := starts.Lookup(topic, partition)
	end, _ := ends.Lookup(topic, partition)
	if err := errors.Join(start.Err, end.Err); err != nil {
		return nil, fmt.Errorf("look up offsets of topic %s: %w", topic, err)
	}
	c.Start, c.End = start.Offset, end.Offset
	return c, nil
}

const committedBytes = 4 << 20 // of a fetch

// Each calls fn with the records from an offset on.
func (c *Committed) Each(ctx context.Context, from int64, fn func(*kgo.Record)) error {
	for at := from; at < c.End; {
		answer, err := c.fetch(ctx, at)
		if err != nil {
			return fmt.Errorf("read topic %s at offset %d: %w", c.topic, at, err)
		}
		opts := kgo.ProcessFetchPartitionOpts{Offset: at, IsolationLevel: kgo.ReadCommitted(), Topic: c.topic, Partition: c.partition}
		p, next := kgo.ProcessFetchPartition(opts, answer, kgo.DefaultDecompressor(), nil)
		if p.Err != nil {
			return fmt.Errorf("read topic %s at offset %d: %w", c.topic, at, p.Err)
		}
		for _, rec := range p.Records {
			if rec.Offset < c.End {
				fn(rec)
			}
		}
		switch {
		case next > at:
			at = next
		case len(answer.RecordBatches) > 0:
			return fmt.Errorf("read topic %s at offset %d: the broker's answer holds no whole batch", c.topic, at)
		default:
			return nil // everything up to the end was compacted
		}
	}
	return nil
}

func (c *Committed) fetch(ctx context.Context, at int64) (*kmsg.FetchResponseTopicPartition, error) {
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = c.partition, at, committedBytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = c.topic, c.id
	topic.Partitions = append(topic.Partitions, part)
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.IsolationLevel, req.SessionEpoch = committedBytes, 1, -1
	req.Topics = append(req.Topics, topic)
	resp, err := c.cl.Broker(int(c.leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	answer, ok := resp.(*kmsg.FetchResponse)
	if !ok || len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		if ok && answer.ErrorCode != 0 {
			return nil, kerr.ErrorForCode(answer.ErrorCode)
		}
		return nil, errors.New("the broker's answer does not name the partition")
	}
	p := &answer.Topics[0].Partitions[0]
	return p, kerr.ErrorForCode(p.ErrorCode)
}
