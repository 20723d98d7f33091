package coord

import (
	"context"
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sinks"
	"millrace/sources"
	"millrace/sql/ast"
)

// outside is what every source and sink has to say of the world that it reads or writes.
type outside struct {
	depends []uint64        // the connections and secrets it was made with
	place   string          // what it reads or writes, as a message names it
	leads   *connectionSpec // the address it was given by itself; nil when it is that of a connection of the catalog, or none
	letters *connectionSpec // by which a source writes dead letters; nil: as it reads
}

func (o *outside) world() *outside { return o }

// systemName is how the catalog shows a kind of system.
func systemName(k ast.ExternalKind) string {
	return strings.ReplaceAll(strings.ToLower(k.String()), " ", "-")
}

// at says where a source or sink leads that names brokers by itself or a connection.
func (o *outside) at(place, broker string, spec *connectionSpec) {
	o.place = place
	if broker != "" {
		o.leads = spec
	}
}

// sourceSpec is what the catalog keeps of a source: enough to open it again.
type sourceSpec interface {
	world() *outside
	// connector makes the connector without reaching for anything.
	connector(c *Coordinator) (sources.Described, *repr.Error)
	// schemas is where what Describe found is kept, to be read with after a restart.
	schemas() *foundSchemas
}

// foundSchemas are what the values and keys of a source are read with; empty where there are none.
type foundSchemas struct{ value, key string }

func (f *foundSchemas) schemas() *foundSchemas { return f }

// sourceKinds read the CREATE SOURCE of each kind of system, in either dialect.
var sourceKinds = map[ast.ExternalKind]func(*Session, *ast.CreateSource) (sourceSpec, *repr.Error){
	ast.ExternalKafka: (*Session).kafkaSource, ast.ExternalPostgres: (*Session).postgresSource,
	ast.ExternalLoadGenerator: (*Session).loadgenSource, ast.ExternalWebhook: (*Session).webhookSource,
	ast.ExternalFile: (*Session).fileSource,
}

// sourceSpec reads a CREATE SOURCE.
func (s *Session) sourceSpec(st *ast.CreateSource) (sourceSpec, *repr.Error) {
	read := sourceKinds[st.From.Kind]
	if read == nil {
		return nil, unsupported("CREATE SOURCE … FROM "+st.From.Kind.String(), st.From.Pos)
	}
	letters, id, err := s.lettersOf(st)
	if err != nil {
		return nil, err
	}
	rest := *st // what every kind of source has in common is read here
	rest.Options, rest.From.Options = dropOptions(st.Options, isErrorOption), dropOptions(st.From.Options, isErrorOption)
	spec, err := read(s, &rest)
	if err == nil && letters != nil {
		world := spec.world()
		world.letters, world.depends = letters, append(world.depends, id)
	}
	return spec, err
}

// lettersIn is the connection by which a source of the catalog writes dead letters; nil: as it reads.
func lettersIn(it *catalog.Item) *connectionSpec {
	if spec, ok := it.Def.(sourceSpec); ok {
		return spec.world().letters
	}
	return nil
}

// openSpec makes the connector of a source: it reaches for what is read, and learns the columns.
func (c *Coordinator) openSpec(ctx context.Context, spec sourceSpec) (*openSource, *repr.Error) {
	src, err := spec.connector(c)
	if err != nil {
		return nil, err
	}
	desc, keys, e := src.Describe(ctx)
	if e != nil {
		return nil, asError(e)
	}
	if err := c.describeTransactions(ctx, spec); err != nil {
		return nil, err
	}
	found := spec.schemas()
	found.value, found.key = src.Schemas()
	return &openSource{connector: src, desc: desc, keys: keys, grows: src.Grows(), place: spec.world().place}, nil
}

// sinkSpec is what the catalog keeps of a sink.
type sinkSpec interface {
	world() *outside
	// connector makes the connector of the sink with this number without reaching for anything.
	connector(c *Coordinator, id uint64) (SinkConnector, *repr.Error)
}

// SinkConnector is a sink that can be tried before it runs.
type SinkConnector interface {
	sinks.Sink
	// Check finds out whether what the sink needs is there.
	Check(ctx context.Context) *repr.Error
}

// sinkKinds read the CREATE SINK of each kind of system, in either dialect.
var sinkKinds = map[ast.ExternalKind]func(*Session, *ast.CreateSink, *catalog.Item) (sinkSpec, *repr.Error){
	ast.ExternalKafka: (*Session).kafkaSink, ast.ExternalPostgres: (*Session).postgresSink, ast.ExternalOpenSearch: (*Session).searchSink,
	ast.ExternalS3: (*Session).objectSink, ast.ExternalFile: (*Session).folderSink,
}

// sinkSpec reads a CREATE SINK from a relation.
func (s *Session) sinkSpec(st *ast.CreateSink, from *catalog.Item) (sinkSpec, *repr.Error) {
	read := sinkKinds[st.Into.Kind]
	if read == nil {
		return nil, unsupported("CREATE SINK … INTO "+st.Into.Kind.String(), st.Into.Pos)
	}
	return read(s, st, from)
}

// openSink makes the connector of a sink and tries what it needs.
func (c *Coordinator) openSink(ctx context.Context, spec sinkSpec, id uint64) (SinkConnector, *repr.Error) {
	sink, err := spec.connector(c, id)
	if err != nil {
		return nil, err
	}
	return sink, sink.Check(ctx)
}
