package coord

import (
	"context"
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
	spec, err := connectionOf(st)
	if err != nil {
		return nil, err
	}
	if validates(st.With) {
		if err := s.c.validateConnection(ctx, spec); err != nil {
			return nil, err
		}
	}
	it.CreateSQL, it.Statement, it.Def = createText(withoutPassword(st)), ast.Format(st), spec
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
		if o := &shown.Options[i]; o.Name == "password" && o.Value.Kind == ast.OptionString {
			o.Value.Text = hidden
		}
	}
	return &shown
}

// credentials are a user and password inside a URL.
var credentials = regexp.MustCompile(`://[^/@'\s]+@`)

// createText is the text of a statement that makes an object, without the credentials in its addresses.
func createText(st ast.Statement) string {
	return credentials.ReplaceAllString(ast.Format(st), "://"+hidden+"@")
}

// validates says whether a connection is tried when it is made: yes, unless WITH (VALIDATE = false).
func validates(with []ast.Option) bool {
	if o, ok := ast.FindOption(with, "validate"); ok {
		v, _ := optionBool(o)
		return v
	}
	return true
}

// connectionOf reads the options of CREATE CONNECTION.
func connectionOf(st *ast.CreateConnection) (*connectionSpec, *repr.Error) {
	spec := &connectionSpec{kind: st.Kind}
	switch st.Kind {
	case ast.ConnectionKafka, ast.ConnectionRegistry:
	default:
		return nil, unsupported("CREATE CONNECTION … TO "+st.Kind.String(), st.Pos)
	}
	for _, o := range st.Options {
		switch {
		case st.Kind == ast.ConnectionKafka && (o.Name == "broker" || o.Name == "brokers"):
			spec.brokers = append(spec.brokers, brokersOf(o.Value)...)
		case st.Kind == ast.ConnectionKafka && o.Name == "security protocol":
			if !strings.EqualFold(o.Value.Text, "plaintext") {
				return nil, unsupported("SECURITY PROTOCOL "+strings.ToUpper(o.Value.Text), o.Pos)
			}
		case st.Kind == ast.ConnectionRegistry && o.Name == "url":
			spec.url = o.Value.Text
		case st.Kind == ast.ConnectionRegistry && (o.Name == "username" || o.Name == "user"):
			spec.user = o.Value.Text
		case st.Kind == ast.ConnectionRegistry && o.Name == "password" && o.Value.Kind == ast.OptionString:
			spec.pass = o.Value.Text
		default:
			return nil, unsupported("the connection option "+strings.ToUpper(o.Name), o.Pos)
		}
	}
	if st.Kind == ast.ConnectionKafka && len(spec.brokers) == 0 {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Kafka connection needs the option BROKER").At(st.Pos)
	}
	if st.Kind == ast.ConnectionRegistry && spec.url == "" {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a schema registry connection needs the option URL").At(st.Pos)
	}
	return spec, nil
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
	return &Result{Tag: "VALIDATE CONNECTION"}, s.c.validateConnection(ctx, spec)
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
// brokerOptions say how to reach brokers.
func (c *Coordinator) brokerOptions(addrs []string) broker.Options {
	return broker.Options{Brokers: addrs, Dialer: c.dialer()}
}

func (c *Coordinator) dialer() *dial.Dialer { return &dial.Dialer{Aliases: c.opts.HostAliases} }

// registryClient makes a client of a schema registry.
func (c *Coordinator) registryClient(spec *connectionSpec) (*registry.Client, *repr.Error) {
	client, err := registry.New(registry.Options{URL: spec.url, User: spec.user, Password: spec.pass, Dialer: c.dialer(), Clock: c.opts.Clock})
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, "invalid schema registry address").
			WithHint("write it like http://localhost:8081")
	}
	return client, nil
}

// connectTimeout bounds how long a connection is tried.
const connectTimeout = 4 * time.Second

// validateConnection tries whether what the connection leads to answers.
func (c *Coordinator) validateConnection(ctx context.Context, spec *connectionSpec) *repr.Error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if spec.kind == ast.ConnectionRegistry {
		client, err := c.registryClient(spec)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.Check(ctx); err != nil {
			return repr.NewError(repr.CodeCannotConnect, "cannot reach the schema registry at "+client.URL()).WithDetail(err.Error()).
				WithHint("check the address, and that the registry runs")
		}
		return nil
	}
	var last error
	for _, addr := range spec.brokers {
		conn, err := c.dialer().DialContext(ctx, "tcp", addr)
		if err == nil {
			return asConnectError(conn.Close())
		}
		last = err
	}
	return repr.NewError(repr.CodeCannotConnect, "cannot reach Kafka broker "+strings.Join(spec.brokers, ", ")).WithDetail(last.Error()).
		WithHint("check the address, and that the broker runs")
}

func asConnectError(err error) *repr.Error {
	if err == nil {
		return nil
	}
	return repr.NewError(repr.CodeConnectionFailure, err.Error())
}
