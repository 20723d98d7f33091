package coord

import (
	"context"
	"regexp"
	"strconv"

	"millrace/internal/spool"
	"millrace/repr"
	"millrace/sources"
	"millrace/sources/postgres"
	"millrace/sql/ast"
)

// postgresSource is a source that reads a publication. The value of what it found is the name of its replication slot.
type postgresSource struct {
	outside
	foundSchemas
	address     postgres.Address
	publication string
}

// postgresSource reads a CREATE SOURCE … FROM POSTGRES.
func (s *Session) postgresSource(st *ast.CreateSource) (sourceSpec, *repr.Error) {
	if len(st.Columns) > 0 || len(st.ColumnNames) > 0 || len(st.Constraints) > 0 {
		return nil, unsupported("a list of columns of a Postgres source", st.Pos)
	}
	if st.Encoding != (ast.Encoding{}) || st.Envelope != nil || len(st.Includes) > 0 {
		return nil, unsupported("FORMAT, INCLUDE or ENVELOPE of a Postgres source", st.Pos)
	}
	spec := &postgresSource{publication: st.From.Publication}
	options, known := st.Options, []string{optionRetain}
	if st.From.Address != "" {
		var err *repr.Error
		if spec.address, err = postgres.ParseAddress(st.From.Address); err != nil {
			return nil, err.At(st.From.Pos)
		}
		options = append(options[:len(options):len(options)], st.From.Options...)
	} else {
		kind := ast.ConnectionPostgres
		from, id, err := s.connection(st.From.Connection, &kind)
		if err != nil {
			return nil, err
		}
		known = append(known, "publication")
		spec.address, spec.depends = from.postgresAddress(), []uint64{id}
		for _, o := range st.From.Options {
			if o.Name != "publication" {
				options = append(options[:len(options):len(options)], o)
				continue
			}
			spec.publication = o.Value.Text
		}
	}
	for i := range options {
		if o := &options[i]; o.Name != optionRetain {
			return nil, unknownOption(o, " of a PostgreSQL source", known...)
		}
	}
	spec.address = spec.address.Normal()
	spec.place = "PostgreSQL " + spec.address.String()
	if len(spec.depends) == 0 {
		a := spec.address
		spec.leads = &connectionSpec{kind: ast.ConnectionPostgres, host: a.Host, port: strconv.Itoa(a.Port), database: a.Database,
			user: a.User, pass: a.Password, sslMode: a.SSLMode}
	}
	return spec, nil
}

// Where transactions that are open on the other side go that do not fit in memory, and how much of the disk is left to the log.
const (
	spillFolder = "spill"
	spillSpare  = 64 << 20
)

// clearSpill removes what a crash has left of such transactions: they come again.
func (c *Coordinator) clearSpill() {
	if on, dir := c.opts.Journal.Folder(spillFolder); !c.opts.Dormant {
		if err := spool.Clear(on, dir); err != nil {
			c.opts.Log.Warn("what a crash left in the data directory stays there", "err", err)
		}
	}
}

// slotPrefix begins the name of every slot of ours.
const slotPrefix = "millrace_"

func (spec *postgresSource) connector(c *Coordinator) (sources.Described, *repr.Error) {
	if spec.value == "" {
		name, err := newName(c.opts.Random)
		if err != nil {
			return nil, err
		}
		spec.value = slotPrefix + name
	}
	address := spec.address
	address.Dialer = c.dialer()
	cfg := postgres.Config{Address: address, Publication: spec.publication, Slot: spec.value,
		Temporary: c.opts.Journal == nil, MostBytes: limitTransaction.of(c.opts.MemoryLimit), Log: c.opts.Log, Clock: c.opts.Clock}
	if c.opts.Journal != nil {
		on, dir := c.opts.Journal.Folder(spillFolder)
		cfg.Spill = &spool.Options{FS: on, Dir: dir, Prefix: spec.value, Memory: limitOpen.of(c.opts.MemoryLimit), Spare: spillSpare}
	}
	src, err := postgres.New(cfg)
	if err != nil {
		return nil, asError(err)
	}
	return src, nil
}

// reconnectPostgres has a source connect as its definition says now. It runs in the loop.
func (c *Coordinator) reconnectPostgres(r *sourceRun, spec *postgresSource) {
	if src, ok := r.connector.(*postgres.Source); ok {
		to := spec.address
		to.Dialer = c.dialer()
		src.Reconnect(to)
		r.place = spec.place
		r.again()
	}
}

// postgresAddress is the address of a connection to a PostgreSQL.
func (spec *connectionSpec) postgresAddress() postgres.Address {
	port, _ := strconv.Atoi(spec.port) // it was checked when the option was read
	return postgres.Address{Host: spec.host, Port: port, Database: spec.database, User: spec.user, Password: spec.pass, SSLMode: spec.sslMode}
}

// noteReplication tells of a connection to a PostgreSQL what keeps it from being one of a source; one of a sink needs no more than it has.
func (s *Session) noteReplication(ctx context.Context, spec *connectionSpec) {
	if spec.kind != ast.ConnectionPostgres {
		return
	}
	address := spec.postgresAddress().Normal()
	address.Dialer = s.c.dialer()
	if err := postgres.Check(ctx, address); err != nil {
		e := asError(err)
		s.notice(Notice{Severity: "NOTICE", Code: e.Code, Message: "no source can read by this connection: " + e.Message, Hint: e.Hint})
	}
}

// passwords are passwords in an address of libpq's form, inside the text of a statement.
var passwords = regexp.MustCompile(`(?i)(\bpassword\s*=\s*)(''(?:[^'\\]|\\.)*''|(?:[^\s'\\]|\\.)+)`)
