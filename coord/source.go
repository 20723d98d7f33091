package coord

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sources"
	"millrace/sources/infer"
	"millrace/sql/ast"
)

// sourceRun is a running source. Its fields belong to the loop; the connector has a goroutine of its own and speaks
// through Push and Report.
type sourceRun struct {
	c         *Coordinator
	id        uint64
	place     string // what it reads, as a message names it
	col       *collection
	errCol    *collection
	cancel    context.CancelFunc
	connector sources.Connector
	state     sources.State
	next      map[int32]int64 // offsets bound by complete ticks and by the one that waits
	high      map[int32]int64
	moved     map[int32]bool       // partitions that the next tick binds
	ended     chan struct{}        // closed when the connector runs no more
	rerun     bool                 // it begins again when it has ended
	bound     []int32              // those that the last tick bound
	remembers *arrangement.Builder // what the connector wants kept with the next tick
	kept      arrangement.Batch    // what it had kept with the last
	target    map[int32]int64      // what the topic held when it was first read
	ready     chan struct{}        // closed when the first reading has ended
	caughtUp  bool
	unseen    bool // nobody can have been shown anything of it while it is not caught up
	stopped   bool

	gate  *gateRun        // keeps its transactions whole; nil when they need not be
	ahead map[int32]int64 // the offsets behind what it was given
	over  int64           // which transactions are over for it, as last noted
	gated atomic.Int64    // bytes that it holds back
	room  chan struct{}   // something is not held back any more

	whole  *whole       // what its next batch has had of it before; it belongs to the connector's goroutine
	pushed atomic.Int64 // batches that it has sent to the loop
	taken  int64        // those that have come there

	settling int64         // of these, those that the last tick had
	settled  int64         // and those that are durable
	more     chan struct{} // closed when these are more

	letters *connectionSpec // by which it writes dead letters; nil: as it reads
	warden  *warden
	errs    *errorLog
	writer  string // its name to the broker when it writes dead letters; empty: it has none yet

	good, bad, bytes int64 // records, and bytes of them, since it was made
	lettered         int64 // bad records written to the topic of dead letters
	newestMS         int64
}

// Push hands a batch to the loop; it blocks while ticks are full.
func (r *sourceRun) Push(ctx context.Context, b *sources.Batch) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.admit(ctx, b); err != nil {
		return err
	}
	if b.Bury != nil {
		if err := b.Bury(ctx); err != nil {
			return err
		}
	}
	if err := r.awaitRoom(ctx); err != nil {
		return err
	}
	r.c.turn(ctx)
	defer r.c.turn(ctx) // what was handed over is the loop's now
	sent := sourceBatch{run: r, batch: b, size: batchSize(b), whole: r.whole}
	if sent.whole != nil { // it is taken although the server may be near its limit, for that has it go
		sent.whole.seal()
		r.c.wholes.Add(1)
	}
	r.c.memory.arriving.Take(sent.size)
	r.pushed.Add(1)
	select {
	case r.c.batches <- sent:
		r.whole = nil
		return nil
	case <-ctx.Done():
		r.pushed.Add(-1)
		r.c.memory.arriving.Take(-sent.size)
		if sent.whole != nil {
			r.c.wholes.Add(-1)
		}
		return ctx.Err()
	}
}

// updateBytes is what an update takes beside its row.
const updateBytes = 32

// batchSize is about the memory of a batch.
func batchSize(b *sources.Batch) int64 {
	var n int64
	lists := [][]sources.Update{b.Updates, b.Errors, b.State}
	for i := range b.Parts {
		lists = append(lists, b.Parts[i].Updates)
	}
	for _, list := range lists {
		n += int64(len(list)) * updateBytes // the room behind that is not its own: it is used again
		for i := range list {
			n += int64(len(list[i].Row))
		}
	}
	return n
}

// Report takes a change of state.
func (r *sourceRun) Report(st sources.State) {
	r.c.later(func() {
		if r.state != st {
			r.c.opts.Log.Info("source", "object", r.col.name, "status", st.Status, "err", st.Error)
		}
		r.state = st
		if st.Status == "stalled" || st.Status == "failed" {
			r.wake()
		}
	})
}

// current is the state of the source. One that could read on is held back while the server is near its memory limit.
func (r *sourceRun) current() sources.State {
	if r.gate != nil && r.state.Status == "running" {
		if st, waits := r.gate.stateOf(r); waits {
			return st
		}
	}
	m := r.c.memory
	if !m.pressed.Load() || r.state.Status == "failed" || r.state.Status == "stalled" {
		return r.state
	}
	e := m.refusal("and reads no more", "")
	return sources.State{Status: "stalled", Error: "memory limit: " + e.Detail, Hint: e.Hint}
}

// wake lets those look again who wait for the first reading.
func (r *sourceRun) wake() {
	close(r.ready)
	r.ready = make(chan struct{})
}

// position is how many records were read and how many the topic holds.
func (r *sourceRun) position() (read, high int64) {
	for p, n := range r.next {
		read += n
		high += max(r.high[p], n)
	}
	return read, high
}

// queueBatch takes a batch into the next tick, unless it waits for its transaction. It runs in the loop.
func (c *Coordinator) queueBatch(b sourceBatch) {
	if g := b.run.gate; g != nil && !b.run.stopped {
		g.hold(b)
		return
	}
	c.takeBatch(b)
}

// takeBatch takes a batch into the next tick. It runs in the loop.
func (c *Coordinator) takeBatch(b sourceBatch) {
	r := b.run
	r.taken++
	c.memory.arriving.Take(-b.size)
	if b.whole != nil {
		c.queueWhole(r, b.whole)
	}
	if r.stopped {
		return
	}
	for _, u := range b.batch.Updates {
		r.col.queue(u.Row, u.Diff)
	}
	for i := range b.batch.Parts {
		c.queuePart(r, &b.batch.Parts[i])
	}
	if c.opts.Journal != nil {
		for _, u := range b.batch.State {
			r.remembers.Add(u.Row, u.Diff)
		}
	}
	now := repr.TimestampTZ(c.opts.Clock.Now().UnixMicro() + unixEpochMicros)
	for _, u := range b.batch.Errors {
		row := u.Row
		if repr.IsNull(row) { // the first column is the time at which the error was met
			row = append(repr.Append(nil, now), repr.Skip(row)...)
		}
		r.errs.take(row, u.Diff)
	}
	for _, p := range b.batch.Progress {
		r.next[p.Partition] = p.Next
		r.moved[p.Partition] = true
		if p.High >= 0 {
			r.high[p.Partition] = p.High
			if _, seen := r.target[p.Partition]; !seen {
				r.target[p.Partition] = p.High
			}
		}
	}
	r.errs.changed = r.errs.changed || b.batch.Records > 0
	r.good += b.batch.Records - b.batch.Bad
	r.bad += b.batch.Bad
	r.lettered += b.batch.Letters
	r.bytes += b.batch.Bytes
	r.newestMS = max(r.newestMS, b.batch.NewestMS)
	c.queued = true
	c.queuedRows += len(b.batch.Updates) + len(b.batch.Errors)
	c.queuedBytes += b.size
	b.batch.Release()
}

// bind gives the offsets that the tick binds.
func (r *sourceRun) bind(out []sourceOffset) []sourceOffset {
	parts := make([]int32, 0, len(r.moved))
	for p := range r.moved {
		parts = append(parts, p)
	}
	slices.Sort(parts)
	for _, p := range parts {
		out = append(out, sourceOffset{source: r.id, partition: p, next: r.next[p]})
	}
	r.bound, r.settling = parts, r.taken
	clear(r.moved)
	return out
}

// remember gives what the connector wants kept with the tick.
func (r *sourceRun) remember() arrangement.Batch {
	r.kept = r.remembers.Seal()
	r.remembers.Reset()
	return r.kept
}

// unbind leaves what the last tick bound to the next.
func (r *sourceRun) unbind() {
	for i := range r.kept.Len() {
		r.remembers.Add(r.kept.Row(i), r.kept.Diff(i))
	}
	for _, p := range r.bound {
		r.moved[p] = true
	}
}

// settleSources notes, after a tick, which sources have read what their topics held at first.
func (c *Coordinator) settleSources() {
	for _, id := range slices.Sorted(maps.Keys(c.sources)) {
		r := c.sources[id]
		if r.caughtUp || len(r.target) == 0 {
			continue
		}
		done := true
		for p, high := range r.target {
			done = done && r.next[p] >= high
		}
		if done {
			r.caughtUp = true
			c.notes = append(c.notes, journal.Note{Key: readyNote(r.id), Value: []byte{1}})
			c.queued = true
			r.wake()
		}
	}
}

func (s *Session) createSource(ctx context.Context, st *ast.CreateSource) (*Result, *repr.Error) {
	const tag = "CREATE SOURCE"
	it, err := s.newItem(st.Name, catalog.Source, st.IfNotExists)
	if err != nil || it == nil {
		return &Result{Tag: tag}, err
	}
	if st.OrReplace {
		return nil, unsupported("CREATE OR REPLACE SOURCE", st.Pos)
	}
	errs := &catalog.Item{Schema: it.Schema, Name: errorsName(it.Name), Kind: catalog.Source, Desc: sources.ErrorColumns,
		Hidden: true, Path: it.Path}
	if s.c.Catalog().Taken(errs.Schema, errs.Name, catalog.Source) != nil {
		return nil, repr.NewError(repr.CodeDuplicateTable, "relation \""+errs.Name+"\" already exists").
			WithDetail("the source keeps the records that it cannot decode in a relation of that name").
			WithHint("give the source another name").At(st.Name.Pos)
	}
	spec, err := s.sourceSpec(st)
	if err != nil {
		return nil, err
	}
	made, err := s.c.openSpec(ctx, spec)
	if err != nil {
		return nil, err
	}
	it.Grows = made.grows
	it.Desc, it.Keys, it.Depends, it.Def = made.desc, made.keys, spec.world().depends, spec
	if n := len(made.desc); n > 0 && made.desc[n-1].Name == infer.RestColumn {
		it.Widen(made.desc, nil)
	}
	tables, err := s.tablesOf(ctx, st, it, made.connector)
	if err != nil {
		return nil, err
	}
	alone := *st // each of its tables has a statement of its own
	alone.Tables = nil
	it.CreateSQL, it.Statement, it.System = createText(&alone), ast.Format(&alone), systemOf(st)
	if it.Retain, err = retention(&st.Options); err != nil {
		return nil, err
	}
	if err := s.reserve(ctx, it); err != nil {
		return nil, err
	}
	errs.On, errs.Retain = it.ID, it.Retain
	belongTo(it, tables)
	err = s.add(ctx, it, func() *repr.Error { return s.c.startSource(it, errs, made, tables) }, append(tables, errs)...)
	if err != nil {
		return nil, err
	}
	if k, ok := spec.(interface{ infers() bool }); ok && k.infers() {
		s.notice(Notice{Severity: "NOTICE", Code: "MR007", Message: "the columns that the records have: " + columnsText(it.Desc),
			Hint: "ALTER SOURCE … ADD MISSING COLUMNS adds those that later records bring; to have other types, drop the source and name the columns: " +
				"CREATE SOURCE … (name type, …) FROM " + st.From.Kind.String() + " …"})
	}
	return &Result{Tag: tag}, nil
}

// columnsText is a list of columns as a statement declares them.
func columnsText(cols repr.RowDesc) string {
	list := make([]string, len(cols))
	for i, c := range cols {
		list[i] = ast.QuoteIdent(c.Name) + " " + c.Type.String()
	}
	return strings.Join(list, ", ")
}

// errorsName is the name of the relation that keeps the bad records of a source.
func errorsName(source string) string { return source + "_errors" }

// openSource is a connector that is ready to run, with the shape of what it gives and where it goes on.
type openSource struct {
	connector sources.Connector
	desc      repr.RowDesc
	keys      [][]int
	grows     bool // it never takes back what it gave
	place     string
	from      map[int32]int64 // nil: from the beginning
	caughtUp  bool            // the first reading has ended before
	counts    []byte          // what it had read before; nil: nothing
	failed    *repr.Error     // why it cannot run
}

// systemOf is the kind of system that a source reads, as mz_sources calls it.
func systemOf(st *ast.CreateSource) string {
	return systemName(st.From.Kind)
}

// startSource makes the collections of a source and of the tables that it feeds, and runs its connector. It runs in the loop.
func (c *Coordinator) startSource(it, errs *catalog.Item, made *openSource, tables []*catalog.Item) *repr.Error {
	r := c.newRun(it, c.addBase(it.ID, it.Name), c.addBase(errs.ID, errs.Name), made)
	r.unseen = true
	if err := c.startTables(r, tables); err != nil {
		return err
	}
	r.start(made.from)
	return nil
}

// newRun is a source that is about to run into its collections. It runs in the loop.
func (c *Coordinator) newRun(it *catalog.Item, col, errCol *collection, made *openSource) *sourceRun {
	r := &sourceRun{c: c, id: it.ID, place: made.place, cancel: func() {}, connector: made.connector, state: sources.State{Status: "starting"},
		next: map[int32]int64{}, high: map[int32]int64{}, moved: map[int32]bool{}, target: map[int32]int64{},
		ready: make(chan struct{}), more: make(chan struct{}), col: col, errCol: errCol, remembers: arrangement.NewBuilder(), caughtUp: made.caughtUp,
		warden: newWarden(policyIn(it.Statement)), errs: newErrorLog(errCol)}
	r.letters = lettersIn(it)
	r.recall(made.counts)
	maps.Copy(r.next, made.from)
	c.sources[it.ID] = r
	if made.failed != nil {
		r.state = sources.State{Status: "failed", Error: made.failed.Error(), Hint: made.failed.Hint}
		r.connector = nil
	} else if err := c.joinGate(r, it.Def); err != nil {
		r.state = sources.State{Status: "failed", Error: err.Error(), Hint: err.Hint}
		r.connector = nil
	}
	if r.connector == nil {
		c.stayBehind(r)
	}
	return r
}

// start runs the connector. It runs in the loop.
func (r *sourceRun) start(from map[int32]int64) {
	ctx, cancel := context.WithCancel(serve(r.c.ctx, r.id, connectorRole))
	r.cancel, r.ended, r.rerun = cancel, make(chan struct{}), false
	if r.connector == nil {
		close(r.ended)
		return
	}
	r.tellPolicy()
	r.c.running.Add(1)
	go func() {
		defer r.c.running.Done()
		defer r.c.later(r.begin)
		defer close(r.ended)
		defer r.c.turn(ctx)
		defer r.Abandon()
		r.c.turn(ctx)
		err := r.c.guarded("source "+r.col.name, func() error { return r.connector.Run(ctx, from, r) })
		if err != nil && ctx.Err() == nil {
			e := asError(err)
			r.Report(sources.State{Status: "failed", Error: e.Error(), Hint: e.Hint})
		}
	}()
}

// again has a connector that has given up begin again, for something is otherwise now. It runs in the loop.
func (r *sourceRun) again() {
	if r.ended == nil {
		return // it has not begun
	}
	r.rerun = true
	select {
	case <-r.ended:
		r.begin()
	default:
	}
}

// begin begins again where that was asked for. It runs in the loop.
func (r *sourceRun) begin() {
	if r.rerun && !r.stopped && r.c.ctx.Err() == nil {
		from := maps.Clone(r.next)
		for p, n := range r.ahead {
			from[p] = max(from[p], n)
		}
		r.start(from)
	}
}

// stopSource ends a source. It runs in the loop.
func (c *Coordinator) stopSource(id uint64) {
	if r := c.sources[id]; r != nil {
		r.stopped = true
		r.cancel()
		if _, ok := r.connector.(sources.Leaver); ok && r.ended != nil {
			c.leaving = append(c.leaving, r)
		}
		r.wake()
		if r.gate != nil {
			r.gate.leave(r)
		}
		delete(c.sources, id)
	}
	c.notComing(id)
}

// warnBadRecords tells a reader of sources whose records could not all be decoded, once a statement.
func (s *Session) warnBadRecords(ctx context.Context, ids []uint64) {
	var notes []Notice
	var told []*sourceRun
	_ = s.c.do(ctx, func() {
		for _, id := range s.c.sourcesBehind(ids) {
			r := s.c.runOf(id)
			if r == nil || slices.Contains(told, r) {
				continue
			}
			told = append(told, r)
			if n := r.errs.rows + r.errs.dropped; n > 0 {
				notes = append(notes, Notice{Severity: "NOTICE", Code: "MR004",
					Message: "source \"" + r.col.name + "\" has " + counted(n, "record") + " that could not be decoded",
					Hint:    "SELECT * FROM " + ast.QuoteIdent(errorsName(r.col.name)) + " shows " + shownErrors(r.errs)})
			}
			if st := r.current(); st.Status == "stalled" || st.Status == "failed" {
				notes = append(notes, Notice{Severity: "WARNING", Code: "MR005",
					Message: "source \"" + r.col.name + "\" is " + st.Status + ": " + st.Error, Hint: st.Hint})
			}
		}
	})
	for _, n := range notes {
		s.notice(n)
	}
}

// shownErrors says which bad records a relation of errors shows.
func shownErrors(l *errorLog) string {
	if l.dropped == 0 {
		return "them"
	}
	return "the last " + itoa(l.rows)
}

// counted is a number of things in words.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return itoa(n) + " " + thing + "s"
}
