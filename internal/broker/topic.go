package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topic is what a broker says of a topic.
type Topic struct {
	ID         [16]byte // zero when the broker is too old to give topics ids
	Partitions []int32  // in order
}

// Lookup asks for a topic. The error is a *Problem unless ctx was cancelled.
func (o *Options) Lookup(ctx context.Context, cl *kgo.Client, topic string) (Topic, error) {
	ctx, cancel := context.WithTimeout(ctx, PatienceOnce)
	defer cancel()
	topics, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err != nil {
		return Topic{}, o.wrap(ctx, err)
	}
	detail, ok := topics[topic]
	if !ok || errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
		return Topic{}, o.noTopic(ctx, cl, topic)
	}
	if detail.Err != nil {
		if errors.Is(detail.Err, kerr.InvalidTopicException) {
			return Topic{}, &Problem{Code: codeNoTopic, Message: fmt.Sprintf("topic name %q is not valid", topic), Lasting: true, cause: detail.Err}
		}
		return Topic{}, o.wrap(ctx, fmt.Errorf("topic %q: %w", topic, detail.Err))
	}
	return Topic{ID: [16]byte(detail.ID), Partitions: detail.Partitions.Numbers()}, nil
}

func (o *Options) wrap(ctx context.Context, err error) error {
	if p := o.Explain(err); p != nil {
		return p
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (o *Options) noTopic(ctx context.Context, cl *kgo.Client, topic string) error {
	p := &Problem{Code: codeNoTopic, cause: kerr.UnknownTopicOrPartition,
		Message: fmt.Sprintf("topic %q does not exist on Kafka broker %s", topic, strings.Join(o.Seeds(), ", "))}
	all, err := kadm.NewClient(cl).ListTopics(ctx)
	if err != nil {
		return p
	}
	names := all.Names()
	slices.SortFunc(names, func(a, b string) int {
		if d := distance(a, topic) - distance(b, topic); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	const most = 5
	switch {
	case len(names) == 0:
		p.Hint = "There is no topic at all there."
	case len(names) > most:
		p.Hint = fmt.Sprintf("There are %d topics; the names most like it are %s.", len(names), quoteAll(names[:most]))
	default:
		p.Hint = fmt.Sprintf("The topics there are %s.", quoteAll(names))
	}
	return p
}

func quoteAll(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(out, ", ")
}

// distance is how many letters must change to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
