package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sources/infer"
)

// inferRecords is how many records are read at most to learn columns from.
const inferRecords = 1000

// errEmpty says that there is nothing to learn columns from.
func (s *Source) errEmpty(what string) error {
	return (&repr.Error{Code: repr.CodeObjectNotReady, Message: fmt.Sprintf("topic %q has no %s to learn the columns from", s.cfg.Topic, what)}).
		WithHint("Write a record to the topic, or say the columns: CREATE SOURCE … (name type, …) FROM KAFKA ….")
}

// sample reads the first values or keys of the topic, so many at most. The records of transactions that are open are left out.
func (s *Source) sample(ctx context.Context, of side, most int) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.PatienceOnce)
	defer cancel()
	cl, err := s.cfg.Broker.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.cfg.Topic: {}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes/fetchParts))
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, err.Error())
	}
	defer cl.CloseAllowingRebalance()
	left, starts, err := s.span(ctx, cl)
	if err != nil {
		return nil, asError(s.cfg.Broker.Explain(err))
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.cfg.Topic: starts})
	var out [][]byte
	for len(left) > 0 && len(out) < most {
		fetches := cl.PollRecords(ctx, most)
		if err := fetches.Err0(); err != nil {
			if errors.Is(err, context.DeadlineExceeded) && len(out) > 0 {
				break // the rest may be markers of transactions
			}
			if p := s.cfg.Broker.Explain(err); p != nil {
				return nil, asError(p)
			}
			return nil, err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			b := r.Value
			if of.suffix == "-key" {
				b = r.Key
			}
			if b != nil && len(out) < most {
				out = append(out, b)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return out, nil
}

// span is where the partitions begin that have records, and where they end.
func (s *Source) span(ctx context.Context, cl *kgo.Client) (ends map[int32]int64, starts map[int32]kgo.Offset, err error) {
	adm := kadm.NewClient(cl)
	first, err := adm.ListStartOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, nil, err
	}
	last, err := adm.ListCommittedOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, nil, err
	}
	ends, starts = map[int32]int64{}, map[int32]kgo.Offset{}
	last.Each(func(end kadm.ListedOffset) {
		if start, ok := first.Lookup(s.cfg.Topic, end.Partition); ok && start.Offset < end.Offset {
			ends[end.Partition], starts[end.Partition] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	})
	return ends, starts, nil
}

// header is the first message, which says the names of the columns.
func (s *Source) header(ctx context.Context, of side) (string, error) {
	if of.kept != "" {
		return of.kept, nil
	}
	first, err := s.sample(ctx, of, 1)
	if err != nil {
		return "", err
	}
	if len(first) == 0 || len(first[0]) == 0 {
		return "", s.errEmpty("header")
	}
	return string(first[0]), nil
}

// infer finds the columns of JSON by what the first messages have. A value keeps what no column has.
func (s *Source) infer(ctx context.Context, of side) (cols repr.RowDesc, k infer.Kept, err error) {
	if of.kept != "" {
		k, cols, err = infer.Unkeep(of.kept)
		return cols, k, err
	}
	values, err := s.sample(ctx, of, inferRecords)
	if err != nil {
		return nil, k, err
	}
	var found infer.Fields
	for _, v := range values {
		found.Add(v)
	}
	if found.Len() == 0 {
		return nil, k, s.errEmpty("JSON object")
	}
	cols = found.Columns()
	return cols, infer.Kept{Columns: infer.KeepColumns(cols), Rest: of.suffix == suffixValue}, nil
}
