package coord

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
)

// In the dialect of 2021 a source or sink that names its broker or registry by itself says in WITH (…) how to log in there.

// formerLogin are the options of a login in the words of 2021, and what they are called of a connection.
var formerLogin = map[string]string{
	"security_protocol": "security protocol", "sasl_mechanisms": "sasl mechanisms", "sasl_mechanism": "sasl mechanisms",
	"sasl_username": "sasl username", "sasl_password": "sasl password",
	"ssl_ca_pem": "ssl certificate authority", "ssl_certificate_pem": "ssl certificate", "ssl_key_pem": "ssl key",
	"username": "username", "password": "password",
}

// formerFiles are options that name files of the server or what its process was started with, and those in whose place they stand.
var formerFiles = map[string]string{
	"ssl_ca_location": "ssl_ca_pem", "ssl_certificate_location": "ssl_certificate_pem", "ssl_key_location": "ssl_key_pem",
	"sasl_password_env": "sasl_password",
}

// isFormerLogin says whether an option is of a login in the words of 2021.
func isFormerLogin(name string) bool { return formerLogin[name] != "" || formerFiles[name] != "" }

// loginIn takes the login out of options: it goes to spec, as the options of a connection do.
func (s *Session) loginIn(options []ast.Option, spec *connectionSpec, depends *[]uint64) *repr.Error {
	named := slices.DeleteFunc(slices.Clone(options), func(o ast.Option) bool { return !isFormerLogin(o.Name) })
	named, err := s.revealed(named, depends)
	if err != nil {
		return err
	}
	kind := connectionKinds[spec.kind]
	for i := range named {
		o := &named[i]
		if instead := formerFiles[o.Name]; instead != "" {
			return unsupported("the option "+o.Name+", for SQL does not read what is the server's own,", o.Pos).
				WithHint("write the value itself: " + instead + " = '…', or " + instead + " = SECRET name")
		}
		take := kind.option(formerLogin[o.Name])
		if take == nil {
			return unsupported("the option "+o.Name+" of "+spec.kind.String(), o.Pos)
		}
		if err := take(spec, o); err != nil {
			return err
		}
	}
	if spec.kind == ast.ConnectionKafka {
		return spec.settle(0)
	}
	_, err = spec.certificates(0)
	return err
}

// formerBroker is the broker that a source or sink names by itself, with the login that stands in either list of its options.
func (s *Session) formerBroker(from *ast.External, more []ast.Option, depends *[]uint64) (*connectionSpec, *repr.Error) {
	spec := &connectionSpec{kind: ast.ConnectionKafka, brokers: brokerList(from.Broker)}
	err := s.loginIn(append(slices.Clone(from.Options), more...), spec, depends)
	if err != nil {
		return nil, err.At(from.Pos)
	}
	return spec, nil
}

// withoutLogin is a statement as the catalog may show it: without the secrets of a login in the words of 2021.
func withoutLogin(stmt ast.Statement) ast.Statement {
	switch st := stmt.(type) {
	case *ast.CreateSource:
		shown := *st
		shown.From.Options, shown.Options = hideLogin(st.From.Options), hideLogin(st.Options)
		shown.Encoding = hideIn(st.Encoding)
		if st.Envelope != nil && st.Envelope.KeyFormat != nil {
			e := *st.Envelope
			e.KeyFormat = hideInFormat(e.KeyFormat)
			shown.Envelope = &e
		}
		return &shown
	case *ast.CreateSink:
		shown := *st
		shown.Into.Options, shown.Options = hideLogin(st.Into.Options), hideLogin(st.Options)
		shown.Encoding = hideIn(st.Encoding)
		return &shown
	default:
		return stmt
	}
}

func hideIn(e ast.Encoding) ast.Encoding {
	return ast.Encoding{Both: hideInFormat(e.Both), Key: hideInFormat(e.Key), Value: hideInFormat(e.Value)}
}

func hideInFormat(f *ast.MessageFormat) *ast.MessageFormat {
	if f == nil || len(f.Options) == 0 {
		return f
	}
	shown := *f
	shown.Options = hideLogin(f.Options)
	return &shown
}

// hideLogin is a list of options without the values that are secrets.
func hideLogin(list []ast.Option) []ast.Option {
	shown := slices.Clone(list)
	for i := range shown {
		if o := &shown[i]; slices.Contains(secretOptions, formerLogin[o.Name]) && o.Value.Kind != ast.OptionSecret {
			o.Value = ast.OptionValue{Kind: ast.OptionString, Text: hidden}
		}
	}
	return shown
}
