package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/internal/dial"
	"millrace/repr"
)

// Address is a database and who reads it.
type Address struct {
	Host     string
	Port     int
	Database string
	User     string
	Password string
	SSLMode  string       // disable, require, verify-ca or verify-full; empty: prefer
	Dialer   *dial.Dialer `json:"-"`
}

// defaultPort is where a server listens of which no port is named.
const defaultPort = 5432

// String is the address as messages show it: without the password.
func (a Address) String() string {
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) + "/" + a.Database
}

// Normal is the address with what was left out.
func (a Address) Normal() Address {
	if a.Port == 0 {
		a.Port = defaultPort
	}
	if a.User == "" {
		a.User = "postgres"
	}
	if a.Database == "" {
		a.Database = a.User
	}
	return a
}

// sslModes are the values of sslmode.
var sslModes = map[string]bool{"": true, "disable": true, "allow": true, "prefer": true, "require": true, "verify-ca": true, "verify-full": true}

// ParseAddress reads the form host=… port=… of libpq.
func ParseAddress(text string) (Address, *repr.Error) {
	a := Address{}
	fields := map[string]func(string){
		"host": func(v string) { a.Host = v }, "hostaddr": func(v string) { a.Host = v }, "user": func(v string) { a.User = v },
		"password": func(v string) { a.Password = v }, "dbname": func(v string) { a.Database = v },
		"sslmode": func(v string) { a.SSLMode = v }, "port": func(v string) { a.Port, _ = strconv.Atoi(v) },
		"application_name": func(string) {}, "connect_timeout": func(string) {},
	}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		name, after, ok := strings.Cut(rest, "=")
		set := fields[strings.TrimSpace(name)]
		if !ok || set == nil {
			return a, repr.NewError(repr.CodeInvalidParameter, "invalid connection option \""+strings.TrimSpace(name)+"\"").
				WithHint("write the address as in 'host=localhost port=5432 user=u password=p dbname=d'")
		}
		var value string
		value, rest = conninfoValue(strings.TrimLeft(after, " "))
		set(value)
	}
	return a.Normal(), a.Valid()
}

// Valid says what is wrong with an address.
func (a Address) Valid() *repr.Error {
	switch {
	case a.Host == "":
		return repr.NewError(repr.CodeInvalidParameter, "a connection to POSTGRES needs the option HOST")
	case !sslModes[a.SSLMode]:
		return repr.NewError(repr.CodeInvalidParameter, "invalid sslmode value: \""+a.SSLMode+"\"").
			WithHint("it is one of disable, prefer, require, verify-ca, verify-full")
	case a.Port < 0 || a.Port > 65535:
		return repr.NewError(repr.CodeInvalidParameter, "invalid port number: "+strconv.Itoa(a.Port))
	}
	return nil
}

// conninfoValue reads a value, in quotes or without.
func conninfoValue(s string) (value, rest string) {
	var b strings.Builder
	quoted := strings.HasPrefix(s, "'")
	i := 0
	if quoted {
		i = 1
	}
	for ; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
		case quoted && s[i] == '\'':
			return b.String(), s[i+1:]
		case !quoted && s[i] == ' ':
			return b.String(), s[i:]
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// settings have every session print values in one way, that of pgfmt.
var settings = map[string]string{
	"client_encoding": "UTF8", "datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "3", "timezone": "UTC",
	"bytea_output": "hex", "application_name": "millrace", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
}

// conn is a session on the other side.
type conn struct {
	*pgconn.PgConn
	addr Address
}

// connectPatience bounds one attempt to connect.
const connectPatience = 10 * time.Second

// connect opens a session; one for replication speaks its commands too.
func (a Address) connect(ctx context.Context, replication bool) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `'`, `\'`) + "'"
	}
	// All that the library would take from the environment of the server is said.
	text := fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s passfile=/dev/null servicefile=/dev/null target_session_attrs=any",
		quote(a.Host), a.Port, quote(a.User), quote(a.Password), quote(a.Database))
	mode := a.SSLMode
	if mode == "" {
		mode = "prefer"
	}
	cfg, err := pgconn.ParseConfig(text + " sslmode=" + mode)
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, "invalid address of a PostgreSQL: "+a.String())
	}
	for name, value := range settings {
		cfg.RuntimeParams[name] = value
	}
	if replication {
		cfg.RuntimeParams["replication"] = "database"
	}
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.DialFunc = a.Dialer.DialContext
	c, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, explain(err, a)
	}
	return &conn{PgConn: c, addr: a}, nil
}

// close ends a session.
func (c *conn) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Close(ctx) // nothing depends on how it ends
}

// query runs a statement and gives its rows as texts; a value that is nil is NULL.
func (c *conn) query(ctx context.Context, sql string) ([][][]byte, error) {
	res, err := c.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, explain(err, c.addr)
	}
	if len(res) == 0 {
		return nil, nil
	}
	return res[len(res)-1].Rows, nil
}

// hints say what to do about errors of the other side.
var hints = map[string]string{
	"28P01": "check USER and PASSWORD of the connection",
	"28000": "check USER of the connection, and pg_hba.conf of the server, which has to let it in, for replication too",
	"3D000": "check DATABASE of the connection",
	"42501": "let a superuser GRANT what is missing, or ALTER ROLE … REPLICATION when it is that",
	"42704": "make it there, and then run ALTER SOURCE … RESNAPSHOT here: what changed meanwhile cannot be had any more",
	"53300": "raise max_connections or max_wal_senders of the server, or close what is not used",
	"53400": "raise max_replication_slots of the server, or drop slots that nobody uses: SELECT * FROM pg_replication_slots lists them",
}

// codeNotNow is the error of a server that may be ready later.
const codeNotNow = "57P03"

// passing are the errors of the other side that a retry may mend, by code or class.
var passing = []string{"08", "28", "3D", "42501", "53", "55006", "57", "58"}

// explain turns an error of the library into one for people.
func explain(err error, a Address) *repr.Error {
	var known *repr.Error
	if errors.As(err, &known) {
		return known
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		out := repr.NewError(pg.Code, pg.Message+" (PostgreSQL at "+a.String()+")").WithDetail(pg.Detail).WithHint(pg.Hint)
		if h := hints[pg.Code]; h != "" && pg.Hint == "" {
			out = out.WithHint(h)
		}
		return out
	}
	var network net.Error
	var parsing *pgconn.ConnectError
	switch {
	case errors.As(err, &network): // what stands around it names each try, with and without TLS
		err = network
	case errors.As(err, &parsing):
		err = parsing.Unwrap()
	default:
		return repr.NewError(repr.CodeConnectionFailure, "the connection to PostgreSQL at "+a.String()+" was cut").WithDetail(err.Error())
	}
	return repr.NewError(repr.CodeCannotConnect, "cannot reach PostgreSQL at "+a.String()).WithDetail(strings.Join(strings.Fields(err.Error()), " ")).
		WithHint("check HOST and PORT, and that the server runs")
}

// canMend says whether trying again may help. A role and its password are among it: they may be put right on the other side.
func canMend(err *repr.Error) bool {
	for _, p := range passing {
		if strings.HasPrefix(err.Code, p) {
			return true
		}
	}
	return false
}
