package coord

import (
	"cmp"
	"context"
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/broker"
	"millrace/internal/dial"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/sql/ast"
)

// connectionSpec is what the catalog keeps of a connection.
type connectionSpec struct {
	kind    ast.ConnectionKind
	brokers []string // Kafka
	url     string   // schema registry
	user    string
	pass    string

	host, port, database string // PostgreSQL
	sslMode              string
	region               string // object storage, whose address is url

	login
	secrets []uint64 // the secrets that its options name
}

// kafkaPort is the port of a broker that is named without one.
const kafkaPort = "9092"

// withPort adds the port to a broker address that has none.
func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), kafkaPort)
}

// brokerList splits a list of broker addresses.
func brokerList(list string) []string {
	var out []string
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, withPort(part))
		}
	}
	return out
}

func (s *Session) createConnection(ctx context.Context, st *ast.CreateConnection) (*Result, *repr.Error) {
	const tag = "CREATE CONNECTION"
	if st.OrReplace {
		return nil, unsupported("CREATE OR REPLACE CONNECTION", st.Pos)
	}
	it, err := s.newItem(st.Name, catalog.Connection, st.IfNotExists)
	if err != nil || it == nil {
		return &Result{Tag: tag}, err
	}
	spec, err := s.connectionOf(st)
	if err != nil {
		return nil, err
	}
	if validates(st.With) {
		if err := s.c.validateConnection(ctx, spec); err != nil {
			return nil, err
		}
		s.noteReplication(ctx, spec)
	}
	it.CreateSQL, it.Statement, it.Def, it.Depends = createText(withoutPassword(st)), ast.Format(st), spec, spec.secrets
	if err := s.add(ctx, it, nil); err != nil {
		return nil, err
	}
	return &Result{Tag: tag}, nil
}

// hidden stands in the text of a statement where a secret stood.
const hidden = "<hidden>"

// withoutPassword is the statement as the catalog may show it.
func withoutPassword(st *ast.CreateConnection) *ast.CreateConnection {
	shown := *st
	shown.Options = slices.Clone(st.Options)
	for i := range shown.Options {
		if o := &shown.Options[i]; slices.Contains(secretOptions, o.Name) && o.Value.Kind == ast.OptionString {
			o.Value.Text = hidden
		}
	}
	return &shown
}

// credentials are a user and password inside a URL.
var credentials = regexp.MustCompile(`://[^/@'\s]+@`)

// createText is the text of a statement that makes an object, without the credentials in its addresses.
func createText(st ast.Statement) string {
	text := credentials.ReplaceAllString(ast.Format(withoutLogin(st)), "://"+hidden+"@")
	if _, options := st.(*ast.CreateConnection); options {
		return text // PASSWORD is an option there: SECRET behind it is no password, and withoutPassword has seen to strings
	}
	return passwords.ReplaceAllString(text, "${1}"+hidden)
}

// validates says whether a connection is tried when it is made: yes, unless WITH (VALIDATE = false).
func validates(with []ast.Option) bool {
	if o, ok := ast.FindOption(with, "validate"); ok {
		v, _ := optionBool(o)
		return v
	}
	return true
}

// connectionKind is how a kind of connection is read and tried.
type connectionKind struct {
	options map[string]func(spec *connectionSpec, o *ast.Option) *repr.Error // by name
	more    []map[string]func(spec *connectionSpec, o *ast.Option) *repr.Error
	needs   func(spec *connectionSpec) string // the option that is missing; empty for none
	try     func(c *Coordinator, ctx context.Context, spec *connectionSpec) *repr.Error
}

// connectionKinds are the kinds there are.
var connectionKinds = map[ast.ConnectionKind]*connectionKind{
	ast.ConnectionKafka: {
		options: map[string]func(*connectionSpec, *ast.Option) *repr.Error{
			"broker": takeBrokers, "brokers": takeBrokers,
		},
		more:  []map[string]func(*connectionSpec, *ast.Option) *repr.Error{kafkaLogin, tlsOptions},
		needs: func(spec *connectionSpec) string { return missing("BROKER", len(spec.brokers) > 0) },
		try:   (*Coordinator).tryBrokers,
	},
	ast.ConnectionRegistry: {
		options: map[string]func(*connectionSpec, *ast.Option) *repr.Error{
			"url":      takeText(func(spec *connectionSpec) *string { return &spec.url }),
			"user":     takeText(func(spec *connectionSpec) *string { return &spec.user }),
			"username": takeText(func(spec *connectionSpec) *string { return &spec.user }),
			"password": takeText(func(spec *connectionSpec) *string { return &spec.pass }),
		},
		more:  []map[string]func(*connectionSpec, *ast.Option) *repr.Error{tlsOptions},
		needs: func(spec *connectionSpec) string { return missing("URL", spec.url != "") },
		try:   (*Coordinator).tryRegistry,
	},
	ast.ConnectionPostgres: {
		options: map[string]func(*connectionSpec, *ast.Option) *repr.Error{
			"host":     takeText(func(spec *connectionSpec) *string { return &spec.host }),
			"port":     takePort,
			"database": takeText(func(spec *connectionSpec) *string { return &spec.database }),
			"user":     takeText(func(spec *connectionSpec) *string { return &spec.user }),
			"password": takeText(func(spec *connectionSpec) *string { return &spec.pass }),
			"ssl mode": takeText(func(spec *connectionSpec) *string { return &spec.sslMode }),
		},
		needs: func(spec *connectionSpec) string {
			return cmp.Or(missing("HOST", spec.host != ""), missing("USER", spec.user != ""))
		},
		try: (*Coordinator).tryPostgres,
	},
	ast.ConnectionOpenSearch: {
		options: map[string]func(*connectionSpec, *ast.Option) *repr.Error{
			"url":      takeText(func(spec *connectionSpec) *string { return &spec.url }),
			"user":     takeText(func(spec *connectionSpec) *string { return &spec.user }),
			"password": takeText(func(spec *connectionSpec) *string { return &spec.pass }),
		},
		needs: func(spec *connectionSpec) string { return missing("URL", spec.url != "") },
		try:   (*Coordinator).tryOpenSearch,
	},
	ast.ConnectionAWS: {
		options: map[string]func(*connectionSpec, *ast.Option) *repr.Error{
			"endpoint":          takeText(func(spec *connectionSpec) *string { return &spec.url }),
			"region":            takeText(func(spec *connectionSpec) *string { return &spec.region }),
			"access key id":     takeText(func(spec *connectionSpec) *string { return &spec.user }),
			"secret access key": takeText(func(spec *connectionSpec) *string { return &spec.pass }),
		},
		needs: func(spec *connectionSpec) string { return missing("ACCESS KEY ID", spec.user != "") },
		try:   (*Coordinator).tryStore,
	},
}

func missing(option string, there bool) string {
	if there {
		return ""
	}
	return option
}

func takeBrokers(spec *connectionSpec, o *ast.Option) *repr.Error {
	spec.brokers = append(spec.brokers, brokersOf(o.Value)...)
	return nil
}

// takeText takes an option that is a string.
func takeText(field func(*connectionSpec) *string) func(*connectionSpec, *ast.Option) *repr.Error {
	return func(spec *connectionSpec, o *ast.Option) *repr.Error {
		if o.Value.Kind != ast.OptionString {
			return unsupported("a value that is not a string for the connection option "+strings.ToUpper(o.Name), o.Pos)
		}
		*field(spec) = o.Value.Text
		return nil
	}
}

// connectionOf reads the options of CREATE CONNECTION.
func (s *Session) connectionOf(st *ast.CreateConnection) (*connectionSpec, *repr.Error) {
	spec, kind := &connectionSpec{kind: st.Kind}, connectionKinds[st.Kind]
	if kind == nil {
		return nil, unsupported("CREATE CONNECTION … TO "+st.Kind.String(), st.Pos)
	}
	options, err := s.revealed(st.Options, &spec.secrets)
	if err != nil {
		return nil, err
	}
	for i := range options {
		o := &options[i]
		take := kind.option(o.Name)
		if take == nil {
			return nil, unknownOption(o, " of a connection to "+st.Kind.String(), namesIn(append(kind.more, kind.options)...)...)
		}
		if err := take(spec, o); err != nil {
			return nil, err
		}
	}
	if option := kind.needs(spec); option != "" {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a connection to "+st.Kind.String()+" needs the option "+option).At(st.Pos)
	}
	if st.Kind == ast.ConnectionKafka {
		return spec, spec.settle(st.Pos)
	}
	_, err = spec.certificates(st.Pos)
	return spec, err
}

// option finds how an option is taken; nil when there is none of that name.
func (k *connectionKind) option(name string) func(spec *connectionSpec, o *ast.Option) *repr.Error {
	for _, table := range append(k.more, k.options) {
		if take := table[name]; take != nil {
			return take
		}
	}
	return nil
}

func brokersOf(v ast.OptionValue) []string {
	if v.Kind != ast.OptionList {
		return brokerList(v.Text)
	}
	var out []string
	for _, item := range v.List {
		out = append(out, brokersOf(item)...)
	}
	return out
}

func (s *Session) validateConnection(ctx context.Context, st *ast.ValidateConnection) (*Result, *repr.Error) {
	spec, _, err := s.connection(st.Name, nil)
	if err != nil {
		return nil, err
	}
	if err := s.c.validateConnection(ctx, spec); err != nil {
		return nil, err
	}
	s.noteReplication(ctx, spec)
	return &Result{Tag: "VALIDATE CONNECTION"}, nil
}

// connection finds a connection by name; kind, when given, is what it has to be.
func (s *Session) connection(name ast.Name, kind *ast.ConnectionKind) (*connectionSpec, uint64, *repr.Error) {
	it := s.c.Catalog().FindOther(name.Parts, s.path())
	if it == nil || it.Kind != catalog.Connection {
		return nil, 0, repr.NewError(repr.CodeUndefinedObject, "connection \""+name.String()+"\" does not exist").
			WithHint("CREATE CONNECTION makes one; SHOW CONNECTIONS lists them").At(name.Pos)
	}
	if it.Failed != nil {
		return nil, 0, errFailed(it).At(name.Pos)
	}
	spec := it.Def.(*connectionSpec)
	if kind != nil && spec.kind != *kind {
		return nil, 0, repr.NewError(repr.CodeWrongObjectType, "connection \""+it.Name+"\" is to "+spec.kind.String()+", not to "+kind.String()).At(name.Pos)
	}
	return spec, it.ID, nil
}

// dialer connects by way of the aliases of the server.
func (c *Coordinator) dialer() *dial.Dialer { return &dial.Dialer{Aliases: c.opts.HostAliases} }

// registryClient makes a client of a schema registry.
func (c *Coordinator) registryClient(spec *connectionSpec) (*registry.Client, *repr.Error) {
	secure, failed := spec.certificates(0)
	if failed != nil {
		return nil, failed
	}
	client, err := registry.New(registry.Options{URL: spec.url, User: spec.user, Password: spec.pass, TLS: secure, Dialer: c.dialer(), Clock: c.opts.Clock})
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, "invalid schema registry address \""+addressShown(spec.url)+"\"").
			WithHint("write it like http://localhost:8081")
	}
	return client, nil
}

// addressShown is an address as it may be shown: a password may stand in front of the host, also in one that does not parse.
func addressShown(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// connectTimeout bounds how long a connection is tried.
const connectTimeout = 4 * time.Second

// validateConnection tries whether what the connection leads to answers.
func (c *Coordinator) validateConnection(ctx context.Context, spec *connectionSpec) *repr.Error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return connectionKinds[spec.kind].try(c, ctx, spec)
}

func (c *Coordinator) tryRegistry(ctx context.Context, spec *connectionSpec) *repr.Error {
	client, err := c.registryClient(spec)
	if err != nil {
		return err
	}
	defer client.Close()
	switch err := client.Check(ctx); {
	case errors.Is(err, registry.ErrNotFound):
		return repr.NewError(repr.CodeCannotConnect, "there is no schema registry at "+client.URL()).
			WithHint("check the address; a registry other than Confluent's has that interface under a path, such as http://localhost:8080/apis/ccompat/v7")
	case err != nil:
		return repr.NewError(repr.CodeCannotConnect, "cannot reach the schema registry at "+client.URL()).WithDetail(err.Error()).
			WithHint("check the address, and that the registry runs")
	}
	return nil
}

func (c *Coordinator) tryBrokers(ctx context.Context, spec *connectionSpec) *repr.Error {
	o, err := c.brokerOptions(spec)
	if err != nil {
		return err
	}
	var p *broker.Problem
	if e := o.Try(ctx); errors.As(e, &p) {
		return &repr.Error{Code: p.Code, Message: p.Message, Hint: p.Hint}
	} else if e != nil {
		return repr.NewError(repr.CodeCannotConnect, e.Error())
	}
	return nil
}
