package coord

import (
	"context"
	"time"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sinks/opensearch"
	"millrace/sql/ast"
)

// searchSink is a sink into an index of OpenSearch or Elasticsearch.
type searchSink struct {
	outside
	to    *connectionSpec
	index string
	desc  repr.RowDesc
	key   []int
	every time.Duration // between two commits at least; 0: as the connector has it
}

func (spec *searchSink) uniqueBy() []int { return spec.key }

// searchSink reads CREATE SINK … INTO OPENSEARCH CONNECTION c (INDEX 'i').
func (s *Session) searchSink(st *ast.CreateSink, from *catalog.Item) (sinkSpec, *repr.Error) {
	spec := &searchSink{desc: from.Desc}
	kind := ast.ConnectionOpenSearch
	to, id, err := s.connection(st.Into.Connection, &kind)
	if err == nil {
		spec.to, spec.depends = to, append(spec.depends, id)
		err = plainSink(st)
	}
	if err == nil {
		err = sinkTexts(st, &spec.every, map[string]*string{"index": &spec.index})
	}
	if err == nil {
		err = needText(st, "INDEX", spec.index)
	}
	if err == nil {
		spec.key, err = sinkKey(st, from)
	}
	if err != nil {
		return nil, err
	}
	spec.outside.place = "OpenSearch " + spec.index
	return spec, nil
}

func (spec *searchSink) connector(c *Coordinator, id uint64) (SinkConnector, *repr.Error) {
	if c.opts.Sink != nil {
		return c.opts.Sink(spec.index, c.runOptions()), nil
	}
	cfg := opensearch.Config{URL: spec.to.url, User: spec.to.user, Password: spec.to.pass, Index: spec.index,
		Cols: spec.desc, Key: spec.key, Name: c.sinkName(spec.index, id), Run: c.runOptions(), Dialer: c.dialer()}
	cfg.Run.Interval = spec.every
	sink, err := opensearch.New(cfg)
	if err != nil {
		return nil, asError(err)
	}
	return sink, nil
}

func (c *Coordinator) tryOpenSearch(ctx context.Context, spec *connectionSpec) *repr.Error {
	client, err := opensearch.NewClient(spec.url, spec.user, spec.pass, c.dialer())
	if err != nil {
		return asError(err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return client.Problem(err)
	}
	return nil
}
