package kafka

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
)

// How many records of each partition are looked at to find out what they are, and for how long.
const (
	sampleRecords  = 100
	samplePatience = 5 * time.Second
)

// newest reads the last records of each partition, the newest last. There may be none.
func (s *Source) newest(ctx context.Context) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.PatienceOnce)
	defer cancel()
	cl, err := s.cfg.Broker.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.cfg.Topic: {}}), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, err.Error())
	}
	defer cl.Close()
	left, err := s.tails(ctx, cl)
	if err != nil {
		return nil, err
	}
	var out []*kgo.Record
	for len(left) > 0 {
		pollCtx, stop := context.WithTimeout(ctx, samplePatience)
		fetches := cl.PollFetches(pollCtx)
		stop()
		if ctx.Err() != nil || fetches.NumRecords() == 0 {
			break
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	slices.SortStableFunc(out, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	return out, nil
}

// tails has the client read the last records of each partition, and gives where those end that have any.
func (s *Source) tails(ctx context.Context, cl *kgo.Client) (map[int32]int64, error) {
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, err
	}
	ends, err := adm.ListCommittedOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, err
	}
	left, from := map[int32]int64{}, map[int32]kgo.Offset{}
	for p, end := range ends[s.cfg.Topic] {
		start, _ := starts.Lookup(s.cfg.Topic, p)
		if end.Err == nil && start.Err == nil && start.Offset < end.Offset {
			left[p] = end.Offset
			from[p] = kgo.NewOffset().At(max(start.Offset, end.Offset-sampleRecords))
		}
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.cfg.Topic: from})
	return left, nil
}
