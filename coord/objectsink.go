package coord

import (
	"context"
	"errors"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/s3"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sinks"
	"millrace/sql/ast"
)

// ObjectSink is a sink into files, for whom makes the connector: the format of the files is heavy, and nothing else of this package needs
// it.
type ObjectSink struct {
	Folder    string     // where the files are; empty: in the store
	Store     s3.Options // of object storage
	Prefix    string
	Cols      repr.RowDesc
	Partition []int // columns
	Changes   bool  // rows with their time and diff
	Force     bool  // what is taken back is left out
	Name      string
	Run       sinks.Options
}

// objectSink is a sink into files, of object storage or of a folder of the server.
type objectSink struct {
	outside
	to             *connectionSpec // nil: into a folder
	bucket, prefix string
	partition      []int
	interval       time.Duration
	rows, force    bool
	desc           repr.RowDesc
}

const optionRunInterval = "run interval"

// defaultRunInterval is the time between two commits of a sink into files.
const defaultRunInterval = time.Minute

// objectSink reads CREATE SINK … INTO S3 CONNECTION c (BUCKET 'b', PREFIX 'p', PARTITION BY (a), RUN INTERVAL '1 minute').
func (s *Session) objectSink(st *ast.CreateSink, from *catalog.Item) (sinkSpec, *repr.Error) {
	spec := &objectSink{desc: from.Desc, interval: defaultRunInterval, rows: from.Grows}
	kind := ast.ConnectionAWS
	to, id, err := s.connection(st.Into.Connection, &kind)
	if err != nil {
		return nil, err
	}
	spec.to, spec.depends = to, append(spec.depends, id)
	if err := spec.read(st, from); err != nil {
		return nil, err
	}
	if spec.bucket == "" {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a sink into S3 needs the option BUCKET").At(st.Into.Pos)
	}
	spec.outside.place = "S3 " + spec.bucket + "/" + spec.prefix
	return spec, nil
}

// folderSink reads CREATE SINK … INTO FILE 'folder' (PARTITION BY (a), RUN INTERVAL '1 minute').
func (s *Session) folderSink(st *ast.CreateSink, from *catalog.Item) (sinkSpec, *repr.Error) {
	spec := &objectSink{desc: from.Desc, interval: defaultRunInterval, rows: from.Grows, prefix: path.Clean(st.Into.Address)}
	if !filepath.IsLocal(spec.prefix) || strings.HasPrefix(spec.prefix, "_") {
		return nil, repr.NewError(repr.CodeInvalidParameter, "invalid folder '"+st.Into.Address+"' of a sink").
			WithHint("write a path below that of --file-sinks, such as 'orders' or 'lake/orders'").At(st.Into.Pos)
	}
	if err := spec.read(st, from); err != nil {
		return nil, err
	}
	spec.outside.place = "folder " + spec.prefix
	return spec, nil
}

// aloneThere refuses a folder into which another sink writes files: who reads all that are there would take the rows of both.
func (c *Coordinator) aloneThere(spec sinkSpec, st *ast.CreateSink) *repr.Error {
	into, ok := spec.(*objectSink)
	if !ok {
		return nil
	}
	for _, it := range c.Catalog().Items() {
		other, ok := it.Def.(*objectSink)
		if ok && other.to == into.to && other.place == into.place {
			return repr.NewError(codeInUse, into.place+" is written by sink \""+it.Name+"\" already").
				WithHint("name another folder, or drop that sink; a view with UNION ALL brings two into one folder").At(st.Into.Pos)
		}
	}
	return nil
}

// read takes what both kinds have.
func (spec *objectSink) read(st *ast.CreateSink, from *catalog.Item) *repr.Error {
	plain := *st
	plain.Envelope, plain.Encoding = nil, ast.Encoding{}
	if f := st.Encoding.Both; f != nil && f.Kind != ast.FormatParquet || st.Encoding.Key != nil || st.Encoding.Value != nil {
		return unsupported("a FORMAT other than PARQUET of a sink into "+st.Into.Kind.String(), st.Pos)
	}
	if err := plainSink(&plain); err != nil {
		return err
	}
	if len(st.Key) > 0 {
		return unsupported("KEY of a sink into "+st.Into.Kind.String(), st.Key[0].Pos)
	}
	if err := spec.readEnvelope(st); err != nil {
		return err
	}
	return spec.readOptions(st, from)
}

// readEnvelope takes ENVELOPE NONE, which wants rows where the view may take rows back, too.
func (spec *objectSink) readEnvelope(st *ast.CreateSink) *repr.Error {
	e := st.Envelope
	if e == nil {
		return nil
	}
	if e.Kind != ast.EnvelopeNone {
		return unsupported("ENVELOPE "+e.Kind.String()+" of a sink into "+st.Into.Kind.String(), e.Pos)
	}
	for _, o := range e.Options {
		force, ok := optionBool(o)
		if o.Name != "force" || !ok {
			return unsupported("the option "+strings.ToUpper(o.Name)+" of ENVELOPE NONE", o.Pos)
		}
		spec.force = force
	}
	if !spec.rows && !spec.force {
		return repr.NewError(repr.CodeWrongObjectType, "ENVELOPE NONE has no place for a row that is taken back, and the relation may take rows back").
			WithHint("ENVELOPE NONE (FORCE) leaves out what is taken back; without ENVELOPE the files hold changes, with mz_timestamp and mz_diff").At(e.Pos)
	}
	spec.rows = true
	return nil
}

func (spec *objectSink) readOptions(st *ast.CreateSink, from *catalog.Item) *repr.Error {
	for i := range st.Into.Options {
		o := &st.Into.Options[i]
		var err *repr.Error
		switch {
		case o.Name == "bucket" && spec.to != nil:
			spec.bucket = o.Value.Text
		case (o.Name == "prefix" || o.Name == "path") && spec.to != nil:
			spec.prefix = o.Value.Text
		case o.Name == optionPartitionBy:
			spec.partition, err = optionColumns(o, from)
		case o.Name == optionRunInterval:
			spec.interval, err = optionDuration(o)
		default:
			known := []string{optionPartitionBy, optionRunInterval}
			if spec.to != nil {
				known = append(known, "bucket", "prefix")
			}
			err = unknownOption(o, " of a sink into "+st.Into.Kind.String(), known...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// optionColumns are the columns that an option names: a, or (a, b).
func optionColumns(o *ast.Option, from *catalog.Item) ([]int, *repr.Error) {
	values := o.Value.List
	if o.Value.Kind != ast.OptionList {
		values = []ast.OptionValue{o.Value}
	}
	var out []int
	for _, v := range values {
		name := v.Text
		if v.Kind == ast.OptionName {
			name = v.Name.Last()
		}
		i := from.Desc.Index(name)
		if i < 0 {
			return nil, repr.NewError(repr.CodeUndefinedColumn, "column \""+name+"\" of \""+from.Name+"\" does not exist").At(v.Pos)
		}
		out = append(out, i)
	}
	return out, nil
}

func (spec *objectSink) connector(c *Coordinator, id uint64) (SinkConnector, *repr.Error) {
	run := c.runOptions()
	run.Interval = spec.interval
	if c.opts.Sink != nil {
		return c.opts.Sink(spec.prefix, run), nil
	}
	if c.opts.ObjectSink == nil {
		return nil, unsupported("a sink into files on this server", 0)
	}
	o := ObjectSink{Prefix: spec.prefix, Cols: spec.desc, Partition: spec.partition, Changes: !spec.rows, Force: spec.force,
		Name: c.sinkName("files", id), Run: run}
	switch {
	case spec.to != nil:
		o.Store = c.storeOptions(spec.to, spec.bucket)
	case c.opts.FileSinks == "":
		return nil, repr.NewError(repr.CodeInsufficientPrivilege, "sinks may not write files of this server").
			WithHint("start it with --file-sinks and the folder below which they may")
	default:
		o.Folder = c.opts.FileSinks
	}
	sink, err := c.opts.ObjectSink(o)
	if err != nil {
		return nil, asError(err)
	}
	return sink, nil
}

// storeOptions are how a bucket is reached.
func (c *Coordinator) storeOptions(to *connectionSpec, bucket string) s3.Options {
	return s3.Options{Endpoint: to.url, Region: to.region, Bucket: bucket, AccessKey: to.user, SecretKey: to.pass, Dialer: c.dialer(), Clock: c.opts.Clock}
}

// tryStore tries whether the endpoint answers and knows the keys; which bucket is meant only a sink knows.
func (c *Coordinator) tryStore(ctx context.Context, spec *connectionSpec) *repr.Error {
	store, e := s3.New(c.storeOptions(spec, ""))
	if e != nil {
		return repr.NewError(repr.CodeInvalidParameter, "invalid ENDPOINT").WithHint("write it like http://localhost:9000")
	}
	defer store.Close()
	e = store.Try(ctx)
	answer, answered := errors.AsType[*s3.Error](e)
	switch {
	case e == nil:
		return nil
	case answered && (answer.Status == http.StatusForbidden || answer.Status == http.StatusUnauthorized || answer.Status == http.StatusBadRequest):
		return repr.NewError(repr.CodeInvalidAuthorization, "object storage refuses the keys of the connection: "+answer.Error()).
			WithHint("check ACCESS KEY ID, SECRET ACCESS KEY and REGION")
	}
	return repr.NewError(repr.CodeCannotConnect, "cannot reach object storage at "+store.Endpoint()).WithDetail(e.Error()).
		WithHint("check the address, and that the server runs")
}

// optionDuration reads an interval of a millisecond or more.
func optionDuration(o *ast.Option) (time.Duration, *repr.Error) {
	d, err := pgfmt.ParseText(repr.TypeOf(repr.KindInterval), o.Value.Text, nil)
	if err != nil {
		return 0, err.At(o.Value.Pos)
	}
	months, days, micros := d.IntervalParts()
	out := time.Duration(micros)*time.Microsecond + time.Duration(days)*24*time.Hour
	if months != 0 || out < time.Millisecond {
		return 0, repr.NewError(repr.CodeInvalidParameter, strings.ToUpper(o.Name)+" wants an interval of a millisecond or more, without months").At(o.Value.Pos)
	}
	return out, nil
}
