package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// SQLSTATEs of problems.
const (
	codeUnreachable = "08001"
	codeNoTopic     = "42704"
	codeNoAccess    = "42501"
	codeNoLogin     = "28000"
	codeOther       = "08006"
)

// Problem is what is wrong with Kafka, as a user sees it.
type Problem struct {
	Code    string // SQLSTATE
	Message string
	Hint    string
	// Lasting: a retry will not mend it.
	Lasting bool
	cause   error
}

func (p *Problem) Error() string { return p.Message }

// Unwrap is the error of the client library.
func (p *Problem) Unwrap() error { return p.cause }

// Explain turns an error of the client library into a problem. It is nil when the error is, or when only ctx ended.
func (o *Options) Explain(err error) *Problem {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return nil
	}
	var known *Problem
	if errors.As(err, &known) {
		return known
	}
	where := strings.Join(o.Seeds(), ", ")
	p := &Problem{Code: codeOther, Message: fmt.Sprintf("Kafka broker %s: %v", where, err), cause: err}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		p.Code, p.Lasting = codeNoLogin, true
		p.Message = fmt.Sprintf("Kafka broker %s denies the login: %v", where, err)
		p.Hint = "Check SASL MECHANISMS, SASL USERNAME and SASL PASSWORD of the connection."
		if errors.Is(err, kerr.IllegalSaslState) {
			p.Hint = "The broker takes no login at this address: leave SASL out, or name the port that wants one."
		}
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		p.Code, p.Lasting = codeNoAccess, true
		p.Message = fmt.Sprintf("Kafka broker %s denies access: %v", where, err)
		p.Hint = "Grant the user of the connection the right to this topic."
	case explainTLS(p, err, where):
	case isDial(err):
		o.explainDial(p, err, where)
	case errors.Is(err, context.DeadlineExceeded):
		p.Code = codeUnreachable
		p.Message = fmt.Sprintf("cannot reach Kafka broker %s: no answer in time", where)
		p.Hint = "Check the address, and whether the broker wants TLS or SASL."
	case errors.As(err, new(*kgo.ErrFirstReadEOF)), errors.Is(err, io.EOF):
		p.Code = codeUnreachable
		p.Message = fmt.Sprintf("Kafka broker %s closed the connection", where)
		p.Hint = "The broker may want TLS or another login, or something other than Kafka listens there."
	}
	return p
}

// explainTLS says what two sides of TLS do not agree on; false when the error is none of TLS.
func explainTLS(p *Problem, err error, where string) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &verify):
		p.Message = fmt.Sprintf("the certificate of Kafka broker %s is not trusted: %v", where, verify.Err)
		p.Hint = "Give the certificate of who signed it as SSL CERTIFICATE AUTHORITY of the connection; it has to bear the name in the address."
	case errors.As(err, &record):
		p.Message = fmt.Sprintf("Kafka broker %s does not speak TLS there: %v", where, record.Msg)
		p.Hint = "Check the port, and SECURITY PROTOCOL of the connection."
	case errors.As(err, &alert):
		p.Message = fmt.Sprintf("Kafka broker %s refuses the TLS connection: %v", where, alert)
		p.Hint = "It may want a certificate: SSL CERTIFICATE and SSL KEY of the connection."
	default:
		return false
	}
	p.Code = codeUnreachable
	return true
}

func isDial(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// explainDial tells the address that the user gave from one that a broker advertised.
func (o *Options) explainDial(p *Problem, err error, where string) {
	p.Code = codeUnreachable
	p.Message = fmt.Sprintf("cannot reach Kafka broker %s: %v", where, rootOf(err))
	p.Hint = "Check the address, and that the broker is up."
	var op *net.OpError
	if errors.As(err, &op) && op.Timeout() {
		p.Hint = "Check the address, and whether the broker wants TLS or SASL."
	}
	text := err.Error()
	for _, seed := range o.Seeds() {
		host, port, _ := net.SplitHostPort(seed)
		if host == "localhost" && (strings.Contains(text, "127.0.0.1:"+port+":") || strings.Contains(text, "[::1]:"+port+":")) {
			return // that is its address
		}
		if strings.Contains(text, seed) || strings.Contains(text, host) || strings.Contains(text, o.dialer().Resolve(seed)) {
			return
		}
	}
	p.Message = fmt.Sprintf("cannot reach a Kafka broker that %s names: %v", where, rootOf(err))
	p.Hint = "The brokers advertise addresses (advertised.listeners) that cannot be reached from here; a host alias can stand in for one."
}

// rootOf is the part of a dial error that says what happened where.
func rootOf(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op
	}
	return err
}
