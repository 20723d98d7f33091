package coord

import (
	"context"
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	sinkkafka "millrace/sinks/kafka"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// A sink that is altered goes on in the place that it writes to, exactly behind what it wrote. What would make that another content, or
// put it elsewhere, cannot be changed.

// optionCommitInterval is the time between two commits of a sink at least.
const optionCommitInterval = "commit interval"

// alterable is a sink of which some options can change while it is there.
type alterable interface {
	// changeable are their names.
	changeable() []string
	// switchable says why the sink cannot go on with another relation; nil when it can.
	switchable(old, now *catalog.Item) *repr.Error
}

// reason is why an option of a sink cannot change, and what to do instead.
type reason struct{ why, instead string }

var (
	writtenThere = reason{"what the sink has written would stay where it is", "create a sink into the other place, and drop this one: what it wrote stays"}
	whenMade     = reason{"it is of a topic that is made, and this one is there", "the tools of Kafka change a topic that is there"}
)

// fixedOptions are the options of sinks that cannot change.
var fixedOptions = map[string]reason{
	"topic": writtenThere, "table": writtenThere, "schema": writtenThere, "index": writtenThere, "bucket": writtenThere,
	"prefix": writtenThere, "path": writtenThere,
	"partition count": whenMade, "topic partition count": whenMade, "partition_count": whenMade,
	"replication factor": whenMade, "topic replication factor": whenMade, "replication_factor": whenMade,
	"topic config": whenMade, "retention_ms": whenMade, "retention_bytes": whenMade,
	"snapshot": {"what there was at first is written already, or left out", "drop the sink and create it anew into another place"},
	"connection": {"another server does not hold what the sink has written",
		"ALTER CONNECTION … SET changes where a connection leads, and its sinks go on there"},
	optionPartitionBy: {"what is written already would lie elsewhere than what comes: the changes of a key in two partitions, or files of one content in two kinds of folders",
		"of a Kafka sink with ENVELOPE NONE it can be changed; create another sink otherwise"},
}

func (spec *kafkaSink) changeable() []string {
	out := []string{optionCommitInterval, "compression type"}
	if spec.cfg.Envelope == sinkkafka.Append {
		out = append(out, optionPartitionBy)
	}
	return out
}

func (spec *postgresSink) changeable() []string { return []string{optionCommitInterval} }

func (spec *searchSink) changeable() []string { return []string{optionCommitInterval} }

func (spec *objectSink) changeable() []string { return []string{optionRunInterval} }

// alterSink runs ALTER SINK … SET (…) and RESET (…): the sink starts again as it will be, behind what it has written.
func (s *Session) alterSink(ctx context.Context, st *ast.AlterOptions, it *catalog.Item) *repr.Error {
	made, err := sinkStatement(it)
	if err != nil {
		return err
	}
	may := it.Def.(alterable).changeable()
	named := map[string]bool{}
	for i := range st.Options {
		o := &st.Options[i]
		if err := checkChange(o, may, made); err != nil {
			return err
		}
		named[o.Name] = true
	}
	gone := func(name string) bool { return named[name] }
	made.Into.Options, made.Options = dropOptions(made.Into.Options, gone), dropOptions(made.Options, gone)
	if !st.Reset {
		made.Into.Options = append(made.Into.Options, st.Options...)
	}
	altered, err := s.sinkAs(ctx, it, made, s.c.Catalog().Item(it.On))
	if err != nil {
		return err
	}
	return s.putSink(ctx, it, altered)
}

// sinkStatement is the statement that makes a sink.
func sinkStatement(it *catalog.Item) (*ast.CreateSink, *repr.Error) {
	parsed, err := parse.Parse(it.Statement)
	if err != nil {
		return nil, asError(err)
	}
	return parsed[0].Stmt.(*ast.CreateSink), nil
}

// checkChange refuses an option that is not among those that may change.
func checkChange(o *ast.Option, may []string, made *ast.CreateSink) *repr.Error {
	for _, name := range may {
		if name == o.Name {
			return nil
		}
	}
	if fixed, ok := fixedOptions[o.Name]; ok {
		return repr.NewError(repr.CodeFeatureNotSupported, "the option "+strings.ToUpper(o.Name)+" of a sink cannot be changed").
			WithDetail("For " + fixed.why + ".").WithHint(fixed.instead).At(o.Pos)
	}
	return unknownOption(o, " in ALTER of a sink into "+made.Into.Kind.String(), may...)
}

// sinkAs is a sink as a statement says, from a relation. What it needs is tried.
func (s *Session) sinkAs(ctx context.Context, it *catalog.Item, made *ast.CreateSink, from *catalog.Item) (*catalog.Item, *repr.Error) {
	if from == nil {
		return nil, repr.NewError(repr.CodeUndefinedTable, "what sink \""+it.Name+"\" reads was dropped meanwhile")
	}
	spec, err := s.c.maker(it.Path).sinkSpec(made, from)
	if err != nil {
		return nil, err
	}
	if _, err := s.c.openSink(ctx, spec, it.ID); err != nil {
		return nil, err
	}
	altered := *it
	altered.Statement, altered.CreateSQL, altered.Def = ast.Format(made), createText(made), spec
	altered.On, altered.Depends = from.ID, append(spec.world().depends, from.ID)
	return &altered, nil
}

// putSink puts a sink in the place of what it was, and starts it again.
func (s *Session) putSink(ctx context.Context, it, altered *catalog.Item) *repr.Error {
	var failure *repr.Error
	err := s.c.do(context.WithoutCancel(ctx), func() { failure = s.c.replaceSink(it, altered) })
	if err == nil {
		err = failure
	}
	return err
}

// replaceSink makes a sink another durably, and starts it again. One that reads another relation from now on gets nothing of the old one
// at the time of the change or later: its time tells by which of the two a target was last written, also after a crash between the
// change and the next commit. It runs in the loop.
func (c *Coordinator) replaceSink(was, altered *catalog.Item) *repr.Error {
	snap := c.catalog.Load()
	now := snap.Item(was.ID)
	if now == nil || now.Statement != was.Statement || now.Def != was.Def {
		return repr.NewError(repr.CodeUndefinedObject, "sink \""+was.Name+"\" was changed meanwhile").WithHint("run the statement again")
	}
	for _, id := range altered.Depends {
		if snap.Item(id) == nil {
			return repr.NewError(repr.CodeUndefinedTable, "a relation that \""+was.Name+"\" needs was dropped meanwhile")
		}
	}
	next := *altered
	next.Name, next.Comments, next.Since = now.Name, now.Comments, now.Since
	switched := next.On != now.On
	if r := c.sinks[was.ID]; switched {
		next.Since = c.oracle.complete + 1
		if r != nil {
			r.detach()
		}
	}
	err := c.commitCatalog(snap.With(&next))
	if err == nil && switched && c.oracle.complete < next.Since { // without a journal
		c.tickSafely(c.oracle.after())
	}
	c.reopenSink(was.ID)
	return err
}

// switchSink runs ALTER SINK … SET FROM: from a time on the sink writes another relation, and at that time what is different between it
// and what the target holds.
func (s *Session) switchSink(ctx context.Context, st *ast.AlterSinkFrom) (*Result, *repr.Error) {
	res := &Result{Tag: "ALTER SINK"}
	it, err := s.findFor(ast.KindSink, st.Name, st.IfExists)
	if err != nil || it == nil {
		return res, err
	}
	if it.Failed != nil {
		return nil, errFailed(it).At(st.Name.Pos)
	}
	from, err := s.sinkInput(st.From)
	if err != nil {
		return nil, err
	}
	old := s.c.Catalog().Item(it.On)
	switch {
	case from.On == it.ID && from.Hidden:
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+from.Name+"\" is what sink \""+it.Name+"\" could not write").At(st.From.Pos)
	case old == nil || from.ID == old.ID:
		return res, nil
	}
	if err := it.Def.(alterable).switchable(old, from); err != nil {
		return nil, err.At(st.From.Pos)
	}
	made, err := sinkStatement(it)
	if err != nil {
		return nil, err
	}
	made.From = ast.Name{At: ast.At{Pos: st.From.Pos}, Parts: []string{from.Schema, from.Name}}
	altered, err := s.sinkAs(ctx, it, made, from)
	if err != nil {
		return nil, err
	}
	if err := s.proveKey(made, from, altered.Def.(sinkSpec)); err != nil {
		return nil, err.At(st.From.Pos)
	}
	if err := s.awaitReady(ctx, []uint64{from.ID}); err != nil {
		return nil, err
	}
	return res, s.putSink(ctx, it, altered)
}

// sameColumns refuses a relation whose columns are not those that a sink writes. nulls says that it matters which may be NULL.
func sameColumns(old, now *catalog.Item, nulls func(was, is repr.Column) bool) *repr.Error {
	differ := func(why string) *repr.Error {
		return repr.NewError(repr.CodeDatatypeMismatch, "the columns of \""+now.Name+"\" are not those that the sink writes: "+why).
			WithHint("make a view that has the columns of \"" + old.Name + "\", by name, type and order")
	}
	if len(old.Desc) != len(now.Desc) {
		return differ("there are " + itoa(int64(len(now.Desc))) + " and not " + itoa(int64(len(old.Desc))))
	}
	for i, was := range old.Desc {
		is := now.Desc[i]
		switch {
		case is.Name != was.Name:
			return differ("\"" + is.Name + "\" stands where \"" + was.Name + "\" did")
		case is.Type != was.Type:
			return differ("\"" + is.Name + "\" is of type " + is.Type.String() + ", not " + was.Type.String())
		case nulls(was, is):
			return differ("\"" + is.Name + "\" may be NULL in one of them and not in the other")
		}
	}
	return nil
}

// errCannotSwitch refuses another relation for a sink that cannot compare its content with what the target holds.
func errCannotSwitch(why, instead string) *repr.Error {
	return repr.NewError(repr.CodeFeatureNotSupported, "SET FROM of this sink is not supported").WithDetail(why).WithHint(instead)
}

func (spec *kafkaSink) switchable(old, now *catalog.Item) *repr.Error {
	switch {
	case spec.cfg.Envelope == sinkkafka.Append && !spec.cfg.Force:
		return errCannotSwitch("ENVELOPE NONE has no record that takes back what the other relation does not have.",
			"create a sink from the other relation into another topic; with ENVELOPE NONE (FORCE), UPSERT or DEBEZIUM it can go over")
	case !spec.cfg.Snapshot:
		return errCannotSwitch("A sink without a snapshot does not hold the content that the other relation could be compared with.",
			"create a sink from the other relation into another topic")
	}
	exact := spec.cfg.Envelope != sinkkafka.Upsert && spec.cfg.Format == sinkkafka.Avro // records are compared as they are encoded
	return sameColumns(old, now, func(was, is repr.Column) bool { return exact && was.NotNull != is.NotNull })
}

func (spec *postgresSink) switchable(old, now *catalog.Item) *repr.Error {
	return sameColumns(old, now, func(was, is repr.Column) bool { return was.NotNull && !is.NotNull })
}

func (spec *searchSink) switchable(old, now *catalog.Item) *repr.Error {
	return sameColumns(old, now, func(repr.Column, repr.Column) bool { return false })
}

func (spec *objectSink) switchable(old, now *catalog.Item) *repr.Error {
	switch {
	case spec.rows && !spec.force:
		return errCannotSwitch("The files hold rows, and none in them takes back what the other relation does not have.",
			"create a sink from the other relation with another prefix or folder; with ENVELOPE NONE (FORCE) it can go over")
	case !spec.rows && now.Grows:
		return errCannotSwitch("The files hold changes, and those of \""+now.Name+"\", which takes no row back, would be rows.",
			"create a sink from the other relation with another prefix or folder")
	}
	return sameColumns(old, now, func(repr.Column, repr.Column) bool { return false })
}

// detach keeps the changes from now on from a sink: it ends behind those that were published. It runs in the loop.
func (r *sinkRun) detach() {
	if r.started != nil {
		delete(r.col.readers, r.started.sub)
	}
}
