package coord

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sql/ast"
)

// login is how a connection proves who it is and whom it talks to.
type login struct {
	protocol  string // of Kafka: one of protocols; empty: as the other options want it
	mechanism string // of SASL
	saslUser  string
	saslPass  string
	authority string // PEM, as the next two
	cert, key string
}

// protocols are the values of SECURITY PROTOCOL: whether TLS and SASL are used.
var protocols = map[string]struct{ tls, sasl bool }{
	"PLAINTEXT": {false, false}, "SSL": {true, false}, "SASL_PLAINTEXT": {false, true}, "SASL_SSL": {true, true},
}

// mechanisms are the values of SASL MECHANISMS.
var mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// word is the value of an option that is a word or a string, in upper case.
func word(o *ast.Option) string { return strings.ToUpper(o.Value.Text) }

func takeProtocol(spec *connectionSpec, o *ast.Option) *repr.Error {
	spec.protocol = strings.ReplaceAll(word(o), " ", "_")
	if _, ok := protocols[spec.protocol]; !ok {
		return repr.NewError(repr.CodeInvalidParameter, "unrecognized SECURITY PROTOCOL \""+o.Value.Text+"\"").
			WithHint("the protocols are PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL").At(o.Pos)
	}
	return nil
}

func takeMechanism(spec *connectionSpec, o *ast.Option) *repr.Error {
	spec.mechanism = word(o)
	if !slices.Contains(mechanisms, spec.mechanism) {
		return repr.NewError(repr.CodeInvalidParameter, "unrecognized SASL mechanism \""+o.Value.Text+"\"").
			WithHint("the mechanisms are " + strings.Join(mechanisms, ", ")).At(o.Pos)
	}
	return nil
}

// takeAuthority takes certificates that a server's has to be signed by.
func takeAuthority(spec *connectionSpec, o *ast.Option) *repr.Error {
	spec.authority = o.Value.Text
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(spec.authority)) {
		return errPEM(o)
	}
	return nil
}

func errPEM(o *ast.Option) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "the value of "+strings.ToUpper(o.Name)+" is no certificate in PEM").
		WithHint("write the text of the file that begins with -----BEGIN CERTIFICATE-----, or name a secret that holds it").At(o.Pos)
}

// kafkaLogin and tlsOptions are the options of a login, by the words of Materialize.
var kafkaLogin = map[string]func(*connectionSpec, *ast.Option) *repr.Error{
	"security protocol": takeProtocol, "sasl mechanisms": takeMechanism, "sasl mechanism": takeMechanism,
	"sasl username": takeText(func(spec *connectionSpec) *string { return &spec.saslUser }),
	"sasl password": takeText(func(spec *connectionSpec) *string { return &spec.saslPass }),
}

var tlsOptions = map[string]func(*connectionSpec, *ast.Option) *repr.Error{
	"ssl certificate authority": takeAuthority,
	"ssl certificate":           takeText(func(spec *connectionSpec) *string { return &spec.cert }),
	"ssl key":                   takeText(func(spec *connectionSpec) *string { return &spec.key }),
}

// secretOptions are the options whose strings are never shown.
var secretOptions = []string{"password", "sasl password", "ssl key", "secret access key"}

// settle gives a login of Kafka the protocol that its options want, and refuses options that do not go together.
func (l *login) settle(pos int) *repr.Error {
	wantsSASL := l.mechanism != "" || l.saslUser != "" || l.saslPass != ""
	wantsTLS := l.authority != "" || l.cert != "" || l.key != ""
	if l.protocol == "" {
		switch {
		case wantsSASL:
			l.protocol = "SASL_SSL"
		case wantsTLS:
			l.protocol = "SSL"
		default:
			l.protocol = "PLAINTEXT"
		}
	}
	p := protocols[l.protocol]
	invalid := func(message, hint string) *repr.Error {
		return repr.NewError(repr.CodeInvalidParameter, message).WithHint(hint).At(pos)
	}
	switch {
	case p.sasl && (l.mechanism == "" || l.saslUser == "" || l.saslPass == ""):
		return invalid("SECURITY PROTOCOL "+l.protocol+" needs SASL MECHANISMS, SASL USERNAME and SASL PASSWORD",
			"write them as in SASL MECHANISMS 'SCRAM-SHA-256', SASL USERNAME 'u', SASL PASSWORD SECRET s")
	case !p.sasl && wantsSASL:
		return invalid("SECURITY PROTOCOL "+l.protocol+" has no SASL options", "use SASL_SSL, or SASL_PLAINTEXT without encryption")
	case !p.tls && wantsTLS:
		return invalid("SECURITY PROTOCOL "+l.protocol+" has no SSL options", "use SSL or SASL_SSL")
	}
	_, err := l.certificates(pos)
	return err
}

// certificates is what TLS needs to know.
func (l *login) certificates(pos int) (*tls.Config, *repr.Error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.authority != "" {
		cfg.RootCAs = x509.NewCertPool()
		cfg.RootCAs.AppendCertsFromPEM([]byte(l.authority))
	}
	if l.cert == "" && l.key == "" {
		return cfg, nil
	}
	pair, err := tls.X509KeyPair([]byte(l.cert), []byte(l.key))
	if err != nil {
		// The error is about the form of the key, and says nothing of its content.
		return nil, repr.NewError(repr.CodeInvalidParameter, "SSL CERTIFICATE and SSL KEY are no pair of certificate and key in PEM").
			WithDetail(err.Error()).WithHint("both have to be given: the certificate as text, the key as a SECRET").At(pos)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

// brokerOptions say how to reach the brokers of a connection.
func (c *Coordinator) brokerOptions(spec *connectionSpec) (broker.Options, *repr.Error) {
	o := broker.Options{Brokers: spec.brokers, Dialer: c.dialer()}
	p := protocols[spec.protocol]
	if p.sasl {
		o.SASL, o.User, o.Password = spec.mechanism, spec.saslUser, spec.saslPass
	}
	if !p.tls {
		return o, nil
	}
	var err *repr.Error
	o.TLS, err = spec.certificates(0)
	return o, err
}
