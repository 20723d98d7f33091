package coord

import (
	"context"
	"strconv"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sinks/postgres"
	"millrace/sql/ast"
)

// postgresSink is a sink into a table of a PostgreSQL server.
type postgresSink struct {
	outside
	to            *connectionSpec
	schema, table string
	desc          repr.RowDesc
	key           []int
	every         time.Duration // between two commits at least; 0: as the connector has it
}

func (spec *postgresSink) uniqueBy() []int { return spec.key }

// postgresSink reads CREATE SINK … INTO POSTGRES CONNECTION c (TABLE 't').
func (s *Session) postgresSink(st *ast.CreateSink, from *catalog.Item) (sinkSpec, *repr.Error) {
	if st.Into.Connection.IsZero() {
		return nil, unsupported("CREATE SINK … INTO POSTGRES without a connection of the catalog", st.Into.Pos)
	}
	spec := &postgresSink{desc: from.Desc}
	kind := ast.ConnectionPostgres
	to, id, err := s.connection(st.Into.Connection, &kind)
	if err == nil {
		spec.to, spec.depends = to, append(spec.depends, id)
		err = plainSink(st)
	}
	if err == nil {
		err = sinkTexts(st, &spec.every, map[string]*string{"table": &spec.table, "schema": &spec.schema})
	}
	if err == nil {
		err = needText(st, "TABLE", spec.table)
	}
	if schema, table, ok := strings.Cut(spec.table, "."); ok && spec.schema == "" { // written as in SQL
		spec.schema, spec.table = schema, table
	}
	if err == nil {
		spec.key, err = sinkKey(st, from)
	}
	if err != nil {
		return nil, err
	}
	spec.outside.place = "PostgreSQL " + spec.table
	return spec, nil
}

func (spec *postgresSink) connector(c *Coordinator, id uint64) (SinkConnector, *repr.Error) {
	if c.opts.Sink != nil {
		return c.opts.Sink(spec.table, c.runOptions()), nil
	}
	cfg := c.postgresConfig(spec.to)
	cfg.Schema, cfg.Table, cfg.Cols, cfg.Key = spec.schema, spec.table, spec.desc, spec.key
	cfg.Name, cfg.Run.Interval = c.sinkName(spec.table, id), spec.every
	sink, err := postgres.New(cfg)
	if err != nil {
		return nil, asError(err)
	}
	return sink, nil
}

// postgresConfig is how a connection is reached.
func (c *Coordinator) postgresConfig(to *connectionSpec) postgres.Config {
	port, _ := strconv.Atoi(to.port) // takePort has looked at it
	return postgres.Config{Host: to.host, Port: port, Database: to.database, User: to.user, Password: to.pass, SSLMode: to.sslMode,
		Run: c.runOptions(), Dialer: c.dialer()}
}

// takePort takes a port, written as a number or a string.
func takePort(spec *connectionSpec, o *ast.Option) *repr.Error {
	if n, err := strconv.Atoi(o.Value.Text); err != nil || n < 1 || n > 65535 {
		return repr.NewError(repr.CodeInvalidParameter, "PORT wants a number from 1 to 65535").At(o.Pos)
	}
	spec.port = o.Value.Text
	return nil
}

func (c *Coordinator) tryPostgres(ctx context.Context, spec *connectionSpec) *repr.Error {
	cfg := c.postgresConfig(spec)
	return postgres.Ping(ctx, &cfg)
}
