package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/internal/registry"
	"millrace/repr"
)

const nameHint = "A topic's name has at most 249 letters, digits, dots, underscores and hyphens."

// unreachableError is a failure to connect to one broker.
type unreachableError struct {
	addr string
	err  error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("cannot reach Kafka broker %s: %s", e.addr, strings.TrimPrefix(e.err.Error(), "unable to dial: "))
}

func (e *unreachableError) Unwrap() error { return e.err }

// refusals are the answers of a broker that no retry changes.
var refusals = map[*kerr.Error]struct{ code, hint string }{
	kerr.TopicAuthorizationFailed:           {repr.CodeInsufficientPrivilege, "Allow the user to describe, create and write the topic."},
	kerr.ClusterAuthorizationFailed:         {repr.CodeInsufficientPrivilege, "Allow the user to create topics, or create the topic yourself."},
	kerr.TransactionalIDAuthorizationFailed: {repr.CodeInsufficientPrivilege, "Allow the user to describe and write the transactional id."},
	kerr.InvalidTopicException:              {repr.CodeInvalidParameter, nameHint},
	kerr.InvalidReplicationFactor:           {repr.CodeInvalidParameter, "Name a replication factor of at most the number of brokers."},
	kerr.InvalidPartitions:                  {repr.CodeInvalidParameter, "Name a partition count of at least one."},
	kerr.InvalidConfig:                      {repr.CodeInvalidParameter, "Check TOPIC CONFIG, or create the topic yourself."},
	kerr.PolicyViolation:                    {repr.CodeInvalidParameter, "Create the topic yourself, as the broker's policy wants it."},
	kerr.InvalidTransactionTimeout:          {repr.CodeInvalidParameter, "Raise transaction.max.timeout.ms of the broker."},
	kerr.MessageTooLarge:                    {repr.CodeProgramLimit, "Leave large columns out of the sink's view; a record has at most 1 MB."},
	kerr.InvalidRecord:                      {repr.CodeInvalidParameter, "A compacted topic needs a sink with a key."},
	kerr.UnsupportedForMessageFormat:        {repr.CodeFeatureNotSupported, "Transactions need Kafka 0.11 or later."},
	kerr.UnsupportedVersion:                 {repr.CodeFeatureNotSupported, "Transactions need Kafka 0.11 or later."},
}

// explain puts an error into the words of a user, and says whether retrying is of no use.
func (s *Sink) explain(err error) (e *repr.Error, fatal bool) {
	var answer *kerr.Error
	if errors.As(err, &e) {
		return e, true
	}
	if errors.Is(err, registry.ErrUnreachable) {
		return repr.NewError(repr.CodeCannotConnect, err.Error()).
			WithHint("Check that the schema registry runs and listens there."), false
	}
	if errors.As(err, &answer) {
		return s.explainAnswer(answer, err)
	}
	var dial *unreachableError
	if s.conn != nil && s.conn.trouble.err() != nil {
		err = s.conn.trouble.err()
	}
	if errors.As(err, &dial) {
		return repr.NewError(repr.CodeCannotConnect, dial.Error()).
			WithHint("Check that the broker runs, listens there and advertises an address that can be reached from here."), false
	}
	var network *net.OpError
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) {
		return repr.NewError(repr.CodeCannotConnect, fmt.Sprintf("no answer from Kafka broker %s: %s", s.brokers(), err)).
			WithHint("Check that the broker runs and that nothing on the way holds its answers back."), false
	}
	return repr.NewError(repr.CodeConnectionFailure, fmt.Sprintf("Kafka broker %s: %s", s.brokers(), err)), false
}

func (s *Sink) explainAnswer(answer *kerr.Error, err error) (e *repr.Error, fatal bool) {
	if r, ok := refusals[answer]; ok {
		return repr.NewError(r.code, fmt.Sprintf("Kafka broker %s: %s", s.brokers(), err)).WithHint(r.hint), true
	}
	switch answer {
	case kerr.SaslAuthenticationFailed: // the password may be put right on either side
		return repr.NewError(repr.CodeInvalidAuthorization, fmt.Sprintf("Kafka broker %s: %s", s.brokers(), err)).
			WithHint("Check the user and the password of the connection; ALTER CONNECTION and ALTER SECRET change them."), false
	case kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping:
		// The broker ends a transaction that is open for too long in the same way.
		if limit := s.transactionTimeout(); s.conn != nil && s.cfg.Clock.Now().Sub(s.loop.Began) >= limit {
			s.overdue++
			return repr.NewError(repr.CodeConnectionFailure, fmt.Sprintf("a transaction to topic %q took longer than %s", s.cfg.Topic, limit)), false
		}
		return s.fenced(), true
	}
	return repr.NewError(repr.CodeConnectionFailure, fmt.Sprintf("Kafka broker %s: %s", s.brokers(), err)), false
}

// fenced is the end of a sink whose place another one has taken.
func (s *Sink) fenced() *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("another server has taken over topic %q on Kafka broker %s", s.cfg.Topic, s.brokers())).
		WithDetail(fmt.Sprintf("It writes under transactional id %q, so it runs on a copy of this server's data.", s.cfg.TransactionalID)).
		WithHint("Keep one of the two servers; on the other drop the sink, and create it anew with another topic.")
}

// outrun is the end of a sink whose topic holds what the server's data do not.
func (s *Sink) outrun(found progress) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("topic %q on Kafka broker %s holds changes up to time %d, and the data of this server end at %d",
		s.cfg.Topic, s.brokers(), found.Time, s.cfg.Restored)).WithDetail("The data are an older copy of those that wrote the topic.").
		WithHint("Drop the sink and create it anew with another topic.")
}
