package kafka

import (
	"context"
	"fmt"
	"time"

	"millrace/repr"
)

// lookEvery is how often it is looked whether the topic is still the one that was written to.
const lookEvery = time.Second

// sameTopic makes sure that the topic is the one that was written to: a client goes on with one that was made anew under its name, in
// which all records from before are missing. A sink that has just started compares its topic with the view, then with all that is in it.
func (s *Sink) sameTopic(ctx context.Context) error {
	d, err := s.describe(ctx, s.conn, s.cfg.Topic)
	if err != nil {
		return err
	}
	s.looked = s.cfg.Clock.Now()
	now, was := d.ID.String(), s.progress.Topic
	s.progress.Topic = now
	switch {
	case was == "" || was == now:
		return nil
	case s.fresh:
		s.progress.Since = map[int32]int64{}
		return nil
	}
	return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("topic %q on Kafka broker %s was deleted and made anew", s.cfg.Topic, s.brokers())).
		WithDetail(fmt.Sprintf("The sink had written to it up to time %d.", s.progress.Time)).
		WithHint("ALTER CONNECTION … SET starts the sink again: it compares the topic with the view. Or drop the sink, and create it anew with another topic.")
}
