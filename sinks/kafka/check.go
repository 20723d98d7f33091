package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/internal/registry"
	"millrace/repr"
)

// checkTimeout leaves a caller that waits for five seconds the time to hear of it.
const checkTimeout = 4500 * time.Millisecond

// Check finds out within five seconds whether the sink could run: brokers answer, the topics exist or can be
// created, the schemas are registered. It is not called while Run runs.
func (s *Sink) Check(ctx context.Context) *repr.Error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	c, err := s.dial()
	if err != nil {
		return repr.NewError(repr.CodeInvalidParameter, err.Error())
	}
	s.conn = c
	defer func() { s.conn = nil }()
	defer c.client.Close()
	// A request waits for a connection that is being set up for longer than its context says; this ends it.
	defer context.AfterFunc(ctx, c.client.Close)()
	for _, step := range []func(context.Context) error{s.checkBroker, s.checkTopics, s.register} {
		err := step(ctx)
		if err != nil && ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		if err != nil {
			e, _ := s.explain(err)
			return e
		}
	}
	return nil
}

func (s *Sink) checkBroker(ctx context.Context) error {
	if err := s.conn.client.Ping(ctx); err != nil {
		return fmt.Errorf("ask for its version: %w", err)
	}
	return nil
}

func (s *Sink) checkTopics(ctx context.Context) error {
	c := s.conn
	for _, t := range []topicSpec{s.topic(), s.progressTopic()} {
		d, err := s.describe(ctx, c, t.name)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			err = s.checkCreate(ctx, t)
		}
		if err != nil {
			return err
		}
		if len(d.Partitions) == 0 {
			continue
		}
		listed, err := c.admin.ListEndOffsets(ctx, t.name)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return fmt.Errorf("look up offsets of topic %s: %w", t.name, err)
		}
	}
	return nil
}

func (s *Sink) checkCreate(ctx context.Context, t topicSpec) error {
	answers, err := s.conn.admin.ValidateCreateTopics(ctx, t.partitions, t.replication, t.configs, t.name)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", t.name, err)
	}
	if a := answers[t.name]; a.Err != nil && !errors.Is(a.Err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", t.name, withText(a.Err, a.ErrMessage))
	}
	return nil
}

// register makes the schemas known, once.
func (s *Sink) register(ctx context.Context) error {
	if s.enc.registered {
		return nil
	}
	for _, c := range []struct {
		*codec
		subject string
	}{{s.enc.value, s.cfg.Topic + "-value"}, {s.enc.keys, s.cfg.Topic + "-key"}} {
		if c.codec == nil || c.format != Avro {
			continue
		}
		var err error
		if c.id, err = s.registerSubject(ctx, c.subject, c.schema); err != nil {
			return err
		}
	}
	s.enc.registered = true
	return nil
}

func (s *Sink) registerSubject(ctx context.Context, subject, schema string) (int, error) {
	id, err := s.cfg.Registry.Register(ctx, subject, schema)
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, registry.ErrUnreachable):
		return 0, err
	case ctx.Err() != nil:
		return 0, fmt.Errorf("%w: register subject %q at %s: %w", registry.ErrUnreachable, subject, s.cfg.Registry.URL(), ctx.Err())
	case errors.Is(err, registry.ErrDenied):
		return 0, repr.NewError(repr.CodeInvalidAuthorization, err.Error()).WithHint("Check the user and the password of the schema registry.")
	default:
		return 0, repr.NewError(repr.CodeInvalidParameter, err.Error()).
			WithHint("The subject may hold a schema that this one is not compatible with: write to another topic, or delete the subject.")
	}
}
