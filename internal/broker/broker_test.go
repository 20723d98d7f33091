package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/clock"
)

func TestSeeds(t *testing.T) {
	t.Parallel()
	o := &Options{Brokers: []string{"kafka", "a:1, b:2", "[::1]:9", "", "::1"}}
	want := []string{"kafka:9092", "a:1", "b:2", "[::1]:9", "[::1]:9092"}
	if got := o.Seeds(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := (&Options{}).Client(); err == nil {
		t.Error("a client without a broker")
	}
	if _, err := (&Options{Brokers: []string{"a"}, SASL: "GSSAPI"}).Client(); err == nil {
		t.Error("a client with an unknown SASL mechanism")
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ann", "secret"), kfake.SeedTopics(3, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tc := range []struct {
		user, password, want string
	}{
		{"ann", "secret", ""},
		{"ann", "wrongpass", "closed the connection"},
	} {
		o := &Options{Brokers: c.ListenAddrs(), SASL: "SCRAM-SHA-256", User: tc.user, Password: tc.password}
		cl, err := o.Client()
		if err != nil {
			t.Fatal(err)
		}
		topic, err := o.Lookup(context.Background(), cl, "t")
		cl.Close()
		if tc.want == "" {
			if err != nil || len(topic.Partitions) != 3 || topic.ID == [16]byte{} {
				t.Errorf("got %v, %v", topic, err)
			}
			continue
		}
		var p *Problem
		if !errors.As(err, &p) || !strings.Contains(p.Hint, "login") || !strings.Contains(p.Message, tc.want) || strings.Contains(p.Message, tc.password) {
			t.Errorf("got %v", err)
		}
	}
}

func TestExplainLasting(t *testing.T) {
	t.Parallel()
	o := &Options{Brokers: []string{"kafka:9092"}}
	for err, code := range map[error]string{
		kerr.SaslAuthenticationFailed: codeNoLogin, kerr.TopicAuthorizationFailed: codeNoAccess,
	} {
		p := o.Explain(fmt.Errorf("topic %q: %w", "t", err))
		if p == nil || !p.Lasting || p.Code != code || p.Hint == "" || !errors.Is(p, err) {
			t.Errorf("%v: got %+v", err, p)
		}
	}
}

func TestExplainAdvertisedAddress(t *testing.T) {
	t.Parallel()
	o := &Options{Brokers: []string{"kafka:9092"}}
	p := o.Explain(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "inside.example", Err: "no such host", IsNotFound: true}})
	if p == nil || !strings.Contains(p.Hint, "advertise") || p.Lasting {
		t.Errorf("got %+v", p)
	}
	if o.Explain(nil) != nil || o.Explain(context.Canceled) != nil {
		t.Error("nothing is wrong, and it is explained")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Unix(0, 0))
	h := NewHealth(clk)
	refused := errors.New("refused")
	seed, one, two := kgo.BrokerMetadata{NodeID: -7}, kgo.BrokerMetadata{NodeID: 1}, kgo.BrokerMetadata{NodeID: 2}
	check := func(step string, want error) {
		t.Helper()
		if got := h.Err(); got != want {
			t.Errorf("%s: got %v, want %v", step, got, want)
		}
	}
	check("at first", nil)
	h.OnBrokerConnect(seed, 0, nil, refused)
	check("a seed is away", refused)
	h.OnBrokerE2E(one, 0, kgo.BrokerE2E{})
	check("another answers", nil)
	h.OnBrokerConnect(two, 0, nil, refused)
	h.OnBrokerE2E(one, 0, kgo.BrokerE2E{})
	check("a broker that is needed is away", refused)
	h.OnBrokerE2E(two, 0, kgo.BrokerE2E{ReadErr: errors.New("cut")})
	check("a read of it fails", refused)
	h.OnBrokerConnect(two, 0, nil, nil)
	check("it is back", nil)
	h.OnBrokerConnect(two, 0, nil, refused)
	clk.Advance(staleAfter + time.Second)
	check("nobody asks for it any more", nil)
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for fails := range 100 {
		wait := Backoff(fails)
		if wait < last || wait < minBackoff || wait > maxBackoff {
			t.Errorf("%s behind %d failures, and %s behind one fewer", wait, fails, last)
		}
		last = wait
	}
	if last != maxBackoff {
		t.Errorf("%s at last", last)
	}
}
