package postgres

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/internal/dial"
	"millrace/repr"
	"millrace/sinks"
)

// Config says what to write, and where.
type Config struct {
	Host     string
	Port     int    // 5432 when 0
	Database string // the name of the user when empty
	User     string
	Password string
	SSLMode  string // disable, require, verify-ca or verify-full; disable when empty

	Schema string // that the server's search path begins with when empty
	Table  string // made when missing
	Cols   repr.RowDesc
	Key    []int // columns of the key

	Name   string // names this sink for ever in millrace_progress
	Run    sinks.Options
	Dialer *dial.Dialer
}

// connectTimeout bounds one attempt to connect.
const connectTimeout = 4 * time.Second

// New makes a sink; it does not connect yet.
func New(cfg Config) (*Sink, error) {
	switch {
	case cfg.Table == "":
		return nil, repr.NewError(repr.CodeInvalidParameter, "a PostgreSQL sink needs a table")
	case len(cfg.Key) == 0:
		return nil, repr.NewError(repr.CodeInvalidParameter, "a PostgreSQL sink needs a key").
			WithHint("Add KEY (…): the columns by which a row of the table is found again.")
	}
	for _, c := range cfg.Cols {
		if c.Type.Kind == repr.KindRecord || c.Type.Kind == repr.KindNull {
			return nil, repr.NewError(repr.CodeFeatureNotSupported, fmt.Sprintf("column %q of type %s in a PostgreSQL sink is not supported", c.Name, c.Type))
		}
	}
	if cfg.Port == 0 {
		cfg.Port = 5432
	}
	if cfg.Run.Log == nil {
		cfg.Run.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Run.Place = "table " + cfg.table() + " on " + cfg.address()
	t := &target{cfg: cfg}
	return &Sink{target: t, Runner: sinks.NewRunner(t, cfg.Run)}, nil
}

// Sink writes one view to one table.
type Sink struct {
	*sinks.Runner
	target *target
}

// Check finds out whether the server answers, and an existing table fits and is empty.
func (s *Sink) Check(ctx context.Context) *repr.Error {
	t := &target{cfg: s.target.cfg}
	defer t.Close(ctx)
	err := t.connect(ctx)
	if err == nil {
		err = t.rehearse(ctx)
	}
	if err != nil {
		e, _ := t.Explain(err)
		return e
	}
	return nil
}

func (c *Config) address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// table is the table's name as SQL writes it.
func (c *Config) table() string {
	if c.Schema == "" {
		return quoted(c.Table)
	}
	return quoted(c.Schema) + "." + quoted(c.Table)
}

// ledger is the name of the table of progress, in the schema of the table.
func (c *Config) ledger() string {
	if c.Schema == "" {
		return "millrace_progress"
	}
	return quoted(c.Schema) + ".millrace_progress"
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// connection is how the driver connects.
func (c *Config) connection() (*pgx.ConnConfig, error) {
	out, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable") // nothing comes from the environment that is set below
	if err != nil {
		return nil, err
	}
	out.Host, out.Port, out.Database, out.User, out.Password = c.Host, uint16(c.Port), c.Database, c.User, c.Password
	if out.Database == "" {
		out.Database = c.User
	}
	out.ConnectTimeout, out.Fallbacks = connectTimeout, nil
	out.DialFunc = c.Dialer.DialContext
	out.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer knows aliases
	out.RuntimeParams = map[string]string{"application_name": "millrace", "datestyle": "ISO, MDY", "intervalstyle": "postgres",
		"timezone": "UTC", "client_encoding": "UTF8", "statement_timeout": "0", "extra_float_digits": "3"}
	if out.TLSConfig, err = c.tls(); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Config) tls() (*tls.Config, error) {
	switch strings.ToLower(c.SSLMode) {
	case "", "disable":
		return nil, nil
	case "require":
		return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, nil // as PostgreSQL's own clients understand it
	case "verify-full", "verify_full":
		return &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}, nil
	}
	return nil, repr.NewError(repr.CodeFeatureNotSupported, fmt.Sprintf("SSL MODE %q is not supported", c.SSLMode)).
		WithHint("There are disable, require and verify-full.")
}

// Ping tries whether the server lets us in.
func Ping(ctx context.Context, c *Config) *repr.Error {
	t := &target{cfg: *c}
	t.cfg.Run.Place = "PostgreSQL at " + c.address()
	t.cfg.Run.Log = slog.New(slog.DiscardHandler)
	defer t.Close(ctx)
	if err := t.connect(ctx); err != nil {
		e, _ := t.Explain(err)
		return e
	}
	return nil
}
