package broker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"millrace/internal/dial"
)

const (
	clientID    = "millrace"
	defaultPort = "9092"
	// PatienceOnce bounds a single question to a broker, such as whether a topic exists.
	PatienceOnce = 4 * time.Second
	// minBackoff and maxBackoff bound how long a client waits until it tries a broker again; the library's own most is five seconds, which a
	// source would stay behind when the broker is there again.
	minBackoff = 250 * time.Millisecond
	maxBackoff = time.Second
)

// Options say where the brokers are and how to reach them.
type Options struct {
	Brokers  []string // host, or host:port; the port is 9092 when none is given
	Dialer   *dial.Dialer
	TLS      *tls.Config // nil: without TLS
	SASL     string      // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or empty for none
	User     string
	Password string
}

// Seeds are the brokers with their ports.
func (o *Options) Seeds() []string {
	seeds := make([]string, 0, len(o.Brokers))
	for _, list := range o.Brokers {
		for _, b := range strings.Split(list, ",") {
			b = strings.TrimSpace(b)
			if b == "" {
				continue
			}
			if _, _, err := net.SplitHostPort(b); err != nil {
				b = net.JoinHostPort(strings.Trim(b, "[]"), defaultPort)
			}
			seeds = append(seeds, b)
		}
	}
	return seeds
}

// Client makes a client; it does not connect yet.
func (o *Options) Client(more ...kgo.Opt) (*kgo.Client, error) {
	seeds := o.Seeds()
	if len(seeds) == 0 {
		return nil, fmt.Errorf("no Kafka broker is given")
	}
	opts := []kgo.Opt{kgo.SeedBrokers(seeds...), kgo.ClientID(clientID),
		kgo.RetryTimeout(PatienceOnce), kgo.RequestTimeoutOverhead(PatienceOnce), kgo.RetryBackoffFn(Backoff),
		kgo.MetadataMaxAge(10 * time.Second), kgo.MetadataMinAge(250 * time.Millisecond)}
	secure, err := o.Security()
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(append(opts, secure...), more...)...)
}

// Backoff is how long a client of a broker waits behind so many failures in a row.
func Backoff(fails int) time.Duration {
	wait := minBackoff
	for ; fails > 1 && wait < maxBackoff; fails-- {
		wait *= 2
	}
	return wait
}

// Security are the options of a client that say how it dials and logs in.
func (o *Options) Security() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.Dialer(o.dialer().DialContext)}
	if o.TLS != nil {
		opts[0] = kgo.Dialer(o.dialTLS)
	}
	mechanism, err := o.mechanism()
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// Try finds out whether a broker answers and lets us in. What is wrong is a *Problem.
func (o *Options) Try(ctx context.Context) error {
	cl, err := o.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, PatienceOnce)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		if p := o.Explain(err); p != nil {
			return p
		}
		return err
	}
	return nil
}

func (o *Options) dialer() *dial.Dialer {
	if o.Dialer == nil {
		return &dial.Dialer{}
	}
	return o.Dialer
}

func (o *Options) mechanism() (sasl.Mechanism, error) {
	switch strings.ToUpper(o.SASL) {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Auth{User: o.User, Pass: o.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: o.User, Pass: o.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: o.User, Pass: o.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("SASL mechanism %q is not supported; want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", o.SASL)
}
