package coord

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sources"
	"millrace/sql/ast"
	"millrace/sql/parse"
	"millrace/sql/plan"
)

// restoring brings a coordinator to where its journal ends, before the loop runs: the catalog as it was last, and the base
// collections with their history since a base time. Views, sources and sinks are started behind it, by the revival.
type restoring struct {
	c      *Coordinator
	j      *journal.Journal
	notes  map[string][]byte
	items  []*catalog.Item      // in the order of their numbers
	base   repr.Time            // earlier times cannot be read
	from   map[uint64]repr.Time // from when on times can be told apart, by object
	ticks  []repr.Time          // of the ticks that are not folded
	folded repr.Time            // the last tick that is
	last   repr.Time
	loads  map[uint64]*load
	mu     sync.Mutex // guards rows and said, for collections are read side by side
	rows   int64      // read so far
	said   time.Time
	total  int64                           // about how many rows there are
	states map[uint64]*arrangement.Builder // what connectors remember, by source
}

// load is a base collection being read from the journal.
type load struct {
	col   *collection
	rows  *arrangement.Builder
	base  repr.Time // from when on times can be told apart
	chunk repr.Time // pseudo times before the base
	ready bool      // all up to the base is in
}

// restore reads the journal.
func (c *Coordinator) restore() (*restoring, error) {
	st := c.opts.Journal.State()
	r := &restoring{c: c, j: c.opts.Journal, notes: st.Notes, base: repr.Time(st.Folded), folded: repr.Time(st.Folded), last: repr.Time(st.Last), loads: map[uint64]*load{},
		from: map[uint64]repr.Time{}, states: map[uint64]*arrangement.Builder{}}
	if err := r.catalog(); err != nil {
		return nil, err
	}
	if r.last == 0 {
		return r, nil
	}
	r.chooseBases()
	if err := r.read(); err != nil {
		return nil, err
	}
	c.oracle.complete = r.last
	return r, nil
}

// catalog makes the objects again, each after those that it needs.
func (r *restoring) catalog() *repr.Error {
	if r.notes[frameNote] == nil {
		return nil // a journal that has just begun
	}
	if err := r.leaveOut(); err != nil {
		return err
	}
	var f catalog.Frame
	if err := json.Unmarshal(r.notes[frameNote], &f); err != nil {
		return damagedNote(frameNote, err)
	}
	snap := r.c.catalog.Load().Within(f)
	r.c.catalog.Store(snap)
	notes, err := r.objects()
	if err != nil {
		return err
	}
	id := func(n *objectNote) uint64 { return n.ID }
	needs := func(n *objectNote) []uint64 { return append(slices.Clone(n.Depends), n.On) }
	for _, n := range catalog.InOrder(notes, id, needs) {
		it, err := r.object(n)
		if err != nil {
			return err
		}
		r.c.catalog.Store(r.c.catalog.Load().With(it))
		r.c.retain(&catalog.Change{Set: []*catalog.Item{it}})
		if it.Failed == nil && it.Kind == catalog.Subscription {
			if err := r.named(it); err != nil {
				return err
			}
		}
		if it.Failed == nil {
			r.items = append(r.items, it)
		}
	}
	return nil
}

// objects are the notes of the objects, in the order of their numbers.
func (r *restoring) objects() ([]*objectNote, *repr.Error) {
	var keys []string
	for k := range r.notes {
		if strings.HasPrefix(k, itemNotes) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var notes []*objectNote
	for _, k := range keys {
		n := &objectNote{}
		if err := json.Unmarshal(r.notes[k], n); err != nil {
			return nil, damagedNote(k, err)
		}
		notes = append(notes, n)
	}
	return notes, nil
}

func damagedNote(key string, err error) *repr.Error {
	return repr.NewError(repr.CodeInternal, "the note \""+key+"\" of the journal does not parse").WithDetail(err.Error())
}

// maker is a session as the one that made an object was, as far as that matters to its statement.
func (c *Coordinator) maker(path []string) *Session {
	s := &Session{c: c, opts: SessionOptions{User: catalog.DefaultUser}, settings: newSettings(c, catalog.DefaultUser),
		prepared: map[string]*Prepared{}, cursors: map[string]*cursor{}}
	quoted := make([]string, len(path))
	for i, p := range path {
		quoted[i] = ast.QuoteIdent(p)
	}
	s.settings.values["search_path"] = strings.Join(quoted, ", ")
	return s
}

// object makes an object of the catalog again. One that cannot be made is there as failed, with its name and statement, and
// what is kept of it stays in the journal: it must not keep the others away.
func (r *restoring) object(n *objectNote) (*catalog.Item, *repr.Error) {
	it, err := n.item()
	if it == nil {
		return nil, err.WithHint("a newer release made it: run that one")
	}
	if on := r.c.Catalog().Item(n.On); n.Hidden && on != nil {
		it.Retain = on.Retain
	}
	if err == nil && n.SQL != "" {
		bug := r.c.guarded("making "+n.Name+" again", func() error {
			if e := r.c.define(it, n); e != nil {
				return e
			}
			return nil
		})
		if bug != nil {
			err = asError(bug)
		}
	}
	if err != nil {
		r.c.opts.Log.Error("an object cannot be made again: it is in the catalog as failed, the rest goes on", "kind", n.Kind,
			"object", it.FullName(), "err", err)
		it = &catalog.Item{ID: it.ID, OID: it.OID, Schema: it.Schema, Name: it.Name, Kind: it.Kind, CreateSQL: it.CreateSQL,
			Statement: it.Statement, System: systemIn(n.SQL), Path: it.Path, Depends: it.Depends, On: it.On, From: it.From, Hidden: it.Hidden, Failed: err}
	}
	return it, nil
}

// systemIn is the kind of system that a statement names, as far as it can be read.
func systemIn(statement string) string {
	parsed, err := parse.Parse(statement)
	if err != nil || len(parsed) != 1 {
		return ""
	}
	switch st := parsed[0].Stmt.(type) {
	case *ast.CreateSource:
		return systemOf(st)
	case *ast.CreateSink:
		return systemName(st.Into.Kind)
	default:
		return ""
	}
}

// errFailed refuses what needs an object that could not be made again.
func errFailed(it *catalog.Item) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, it.Kind.String()+" \""+it.Name+"\" could not be made again when the server started: "+
		it.Failed.Message).WithDetail(it.Failed.Detail).WithHint("what was kept of it is still there: the release that made it can read it; or drop it")
}

// define makes of an object what its statement says.
func (c *Coordinator) define(it *catalog.Item, n *objectNote) (err *repr.Error) {
	parsed, e := parse.Parse(n.SQL)
	if e != nil {
		return asError(e)
	}
	if on := c.Catalog().Item(n.On); on != nil && on.Failed != nil {
		return errFailed(on)
	}
	s := c.maker(n.Path)
	if it.Retain, err = retention(optionsOf(parsed[0].Stmt)); err != nil {
		return err
	}
	if it.Lenient, err = lenientIn(parsed[0].Stmt); err != nil {
		return err
	}
	switch st := parsed[0].Stmt.(type) {
	case *ast.CreateTable:
		if it.Desc, _, err = plan.Columns(st.Columns, st.Constraints); err == nil {
			it.Columns, err = s.columnDefs(st, it.Desc)
		}
	case *ast.CreateTableFromSource:
		def := &fedDef{}
		if len(n.Schemas) > 0 {
			def.value = n.Schemas[0]
		}
		it.Def = def
	case *ast.CreateView:
		err = s.queryOf(it, st.Query, st.Columns)
	case *ast.CreateMaterializedView:
		err = s.queryOf(it, st.Query, st.Columns)
	case *ast.CreateIndex:
	case *ast.CreateConnection:
		it.Def, err = s.connectionOf(st)
	case *ast.CreateSecret:
		it.Def, err = secretOf(st.Value)
	case *ast.CreateSource:
		var spec sourceSpec
		if spec, err = s.sourceSpec(st); err == nil {
			if len(n.Schemas) == 2 {
				found := spec.schemas()
				found.value, found.key = n.Schemas[0], n.Schemas[1]
			}
			it.Def, it.System = spec, systemOf(st)
		}
	case *ast.CreateSubscription:
		it.Def, err = subscriptionSpecOf(st.Options)
	case *ast.CreateSink:
		it.System = systemName(st.Into.Kind)
		it.Def, err = s.sinkSpec(st, c.Catalog().Item(n.On))
	default:
		err = repr.NewError(repr.CodeInternal, "a statement that makes no object")
	}
	return err
}

// queryOf binds the query of a view.
func (s *Session) queryOf(it *catalog.Item, q *ast.Query, columns []ast.Ident) *repr.Error {
	env := s.env(s.c.Catalog())
	env.Sees = it.Sees
	bound, err := plan.QueryAsView(env, q, columns, it.Kind == catalog.MaterializedView)
	if err != nil {
		return err
	}
	it.Desc, it.Query, it.QueryText = bound.Cols, q, ast.Format(q)
	return nil
}

// chooseBases says from which time on the times of each collection can be told apart: as far back as AS OF reaches in it and in
// what is computed from it, or as far as the journal does where a sink may still have to write what is older. No object can be read
// at a time before it was made, as it could not be then.
func (r *restoring) chooseBases() {
	byID := map[uint64]*catalog.Item{}
	for _, it := range r.items {
		byID[it.ID] = it
	}
	var need func(id uint64, t repr.Time)
	need = func(id uint64, t repr.Time) {
		it := byID[id]
		if it == nil {
			return
		}
		t = max(t, it.Since)
		if known, ok := r.from[id]; ok && known <= t {
			return
		}
		r.from[id] = t
		for _, d := range it.Needs() {
			need(d, t)
		}
	}
	r.base = max(r.last, 1)
	for _, it := range r.items {
		keep := r.c.opts.RetainHistory
		if it.Retain > 0 {
			keep = it.Retain
		}
		known := r.knownFrom(it.ID)
		t := max(reachBack(r.last, keep), known)
		if it.Kind == catalog.Sink {
			t = known
		}
		if n := r.c.named[it.ID]; n != nil {
			t = max(n.needs(r.last), known)
		}
		need(it.ID, t)
		r.base = min(r.base, r.from[it.ID])
	}
}

// knownFrom is the time from which on the journal can tell the times of an object apart, and of all that it is computed from.
func (r *restoring) knownFrom(id uint64) repr.Time {
	since := max(r.folded, 1)
	for _, base := range basesIn(r.c.Catalog().Item, id) {
		since = max(since, repr.Time(r.j.Since(base)))
	}
	return since
}

// first raises what begins with time itself to just before the first record: nothing was there before it. It leaves room for the
// steps in which views are filled.
func (r *restoring) first(t repr.Time) {
	if r.base > 1 {
		return
	}
	r.base = max(t-1, 1)
	for id := range r.from {
		r.from[id] = max(r.from[id], r.base)
	}
	for _, l := range r.loads {
		l.base = max(l.base, r.base)
	}
}

// read fills the base collections.
func (r *restoring) read() error {
	for _, it := range r.items {
		if it.Kind != catalog.Table && it.Kind != catalog.Source {
			continue
		}
		col := emptyCollection(it.ID, it.Name)
		col.next = arrangement.NewBuilderOn(r.c.memory.queued)
		col.ok.BeginFill()
		r.c.collections[it.ID] = col
		r.c.order = append(r.c.order, col)
		r.loads[it.ID] = &load{col: col, rows: arrangement.NewBuilder(), base: r.from[it.ID]}
		if it.Kind == catalog.Source && !it.Hidden {
			r.states[stateOf(it.ID)] = arrangement.NewBuilder()
		}
	}
	r.said = r.c.opts.Clock.Now()
	for _, id := range r.j.Collections() {
		r.total += r.j.Rows(id)
	}
	if err := r.readBases(); err != nil {
		return err
	}
	err := r.j.Ticks(func(rec *journal.Record) error {
		t := repr.Time(rec.Time)
		r.first(t)
		r.settle(t)
		r.ticks = append(r.ticks, t)
		for _, ch := range rec.Changes {
			r.apply(repr.Time(rec.Time), ch)
		}
		return nil
	})
	r.settle(never)
	for _, l := range r.loads {
		if l.col.ok.Upper() <= r.last {
			l.col.ok.Append(r.last, arrangement.Batch{})
			l.col.errs.Append(r.last, arrangement.Batch{})
		}
	}
	return err
}

// readBases reads what is folded, as many collections at a time as may be. Each has a place of its own where its rows go.
func (r *restoring) readBases() error {
	ids := r.j.Collections()
	errs := make([]error, len(ids))
	room := newSideBySide(r.c.opts.AtOnce)
	for i, id := range ids {
		take := r.take(id)
		room.run(func() {
			if err := r.j.Read(id, take); err != nil {
				errs[i] = fmt.Errorf("read collection %d: %w", id, err)
			}
		})
	}
	room.wait()
	return errors.Join(errs...)
}

// take adds rows to what a collection held at the base time.
func (r *restoring) take(id uint64) func(row []byte, diff int64) error {
	if b := r.states[id]; b != nil {
		return func(row []byte, diff int64) error { b.Add(row, diff); return nil }
	}
	l := r.loads[id]
	if l == nil {
		return func([]byte, int64) error { return nil } // it was dropped behind the fold
	}
	return func(row []byte, diff int64) error {
		l.rows.Add(row, diff)
		if l.rows.Len() >= hydrateChunk || len(l.rows.Open()) >= chunkBytes {
			r.say(l)
			l.flush()
		}
		return nil
	}
}

// say tells, every second, how far the reading is.
func (r *restoring) say(l *load) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows += int64(l.rows.Len())
	if now := r.c.opts.Clock.Now(); now.Sub(r.said) >= noticeEvery {
		r.said = now
		r.c.opts.Log.Info("reading what is kept", "object", l.col.name, "rows", r.rows, "of about", r.total)
	}
}

// chunkBytes is how much of rows is read before they become part of a collection.
const chunkBytes = 16 << 20

func (l *load) flush() {
	if l.rows.Len() == 0 {
		return
	}
	l.chunk++
	l.col.ok.Append(l.chunk, l.rows.Seal())
	l.rows.Reset()
}

// settle ends the base of the collections that are told apart at a time: what is added from now on has a time of its own.
func (r *restoring) settle(t repr.Time) {
	for _, l := range r.loads {
		if l.ready || t <= l.base {
			continue
		}
		l.ready = true
		l.flush()
		l.col.ok.EndFill()
		l.col.ok.Append(l.base, arrangement.Batch{})
		l.col.errs.Append(l.base, arrangement.Batch{})
		l.col.advance(l.base)
	}
}

// apply takes a change of a tick: into the base, or as a change at its time.
func (r *restoring) apply(t repr.Time, ch journal.Change) {
	l := r.loads[ch.Collection]
	if l == nil || t <= l.base {
		take := r.take(ch.Collection)
		for i := range ch.Rows.Len() {
			_ = take(ch.Rows.Row(i), ch.Rows.Diff(i)) // it never fails
		}
		return
	}
	for i := range ch.Rows.Len() {
		l.rows.Add(ch.Rows.Row(i), ch.Rows.Diff(i))
	}
	l.col.ok.Append(t, l.rows.Seal())
	l.col.errs.Append(t, arrangement.Batch{})
	l.col.changed = t
	l.rows.Reset()
}

// offsets are how far a source has read.
func (r *restoring) offsets(source uint64) map[int32]int64 {
	out := map[int32]int64{}
	for k, v := range r.notes {
		if id, p, ok := parseOffsetNote(k); ok && id == source {
			out[p], _ = binary.Varint(v)
		}
	}
	return out
}

// remembered gives a connector what it remembered.
func (r *restoring) remembered(ctx context.Context, source uint64, to sources.Connector) error {
	s, ok := to.(sources.Stateful)
	if !ok {
		return nil
	}
	if s, ok := to.(sources.Recalling); ok {
		content, err := r.c.contentOf(ctx, source)
		if err != nil {
			return err
		}
		s.Recall(content)
	}
	b := r.states[stateOf(source)].Seal()
	return s.Restore(func(yield func(row []byte, diff repr.Diff) bool) {
		for i := range b.Len() {
			if !yield(b.Row(i), b.Diff(i)) {
				return
			}
		}
	})
}

// stateOf is the number under which the journal keeps what the connector of a source remembers.
func stateOf(source uint64) uint64 { return source | 1<<62 }

// HoldsRows says whether a collection of a journal is one of rows: what the connector of a source remembers is written as it likes.
func HoldsRows(collection uint64) bool { return collection < stateOf(0) }
