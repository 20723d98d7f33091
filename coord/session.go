package coord

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/budget"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/parse"
	"millrace/sql/plan"
)

// Notice is a message that goes to the client beside the answer.
type Notice struct {
	Severity string // NOTICE or WARNING
	Code     string
	Message  string
	Detail   string
	Hint     string
}

// The user and database that a server starts with.
const (
	DefaultUser     = catalog.DefaultUser
	DefaultDatabase = catalog.DefaultDatabase
)

// SessionOptions say who connects and how.
type SessionOptions struct {
	User     string
	Database string
	Settings map[string]string // from the startup message
	OnNotice func(Notice)
	OnParam  func(name, value string) // a reported setting changed
}

// Session is one client's conversation. It belongs to one goroutine.
type Session struct {
	c        *Coordinator
	pid      uint32
	opts     SessionOptions
	settings *settings
	tx       transaction
	several  bool // a simple query of several statements runs
	prepared map[string]*Prepared
	cursors  map[string]*cursor
	memory   *budget.Budget // of the session while it does nothing
}

// NewSession opens a session. Settings that the client sent and that are wrong are an error.
func (c *Coordinator) NewSession(opts SessionOptions) (*Session, *repr.Error) {
	s := &Session{c: c, pid: c.nextPID.Add(1), opts: opts, settings: newSettings(c, opts.User),
		prepared: map[string]*Prepared{}, cursors: map[string]*cursor{}}
	if opts.Database != "" && opts.Database != catalog.DefaultDatabase {
		return nil, repr.NewError("3D000", "database \""+opts.Database+"\" does not exist").
			WithHint("connect to the database \"" + catalog.DefaultDatabase + "\"")
	}
	if err := s.settings.start(opts.Settings); err != nil {
		return nil, err
	}
	var err *repr.Error
	if s.memory, err = s.hold(sessionBytes, "a session"); err != nil {
		return nil, err
	}
	c.stats.Sessions.Add(1)
	return s, nil
}

// PID is the process number that the client is told.
func (s *Session) PID() uint32 { return s.pid }

// Settings are the reported settings and their values, for the ParameterStatus messages of the start.
func (s *Session) Settings() map[string]string { return s.settings.reported() }

// TextOptions say how values are printed as text for the client.
func (s *Session) TextOptions() *pgfmt.Options { return s.settings.text() }

// StatementTimeout is how long a statement may run; 0 is for ever.
func (s *Session) StatementTimeout() time.Duration { return s.settings.timeout("statement_timeout") }

// IdleTimeout is how long a transaction block may stand open with nothing said; 0 is for ever.
func (s *Session) IdleTimeout() time.Duration {
	return s.settings.timeout("idle_in_transaction_session_timeout")
}

// WantsWelcome says whether the session is to start with a notice about the server.
func (s *Session) WantsWelcome() bool {
	v, _ := s.settings.get("welcome_message")
	app, _ := s.settings.get("application_name")
	return v == "on" && app == "psql"
}

// Close ends the session: cursors, the open transaction, prepared statements.
func (s *Session) Close() {
	_ = s.rollback(context.Background()) // nobody is there to be told
	s.forgetPrepared()
	s.memory.Close()
	s.c.stats.Sessions.Add(-1)
}

// Split parses a text into its statements.
func (s *Session) Split(text string) ([]parse.Parsed, *repr.Error) {
	return guardedStatement(s.c, func() ([]parse.Parsed, *repr.Error) {
		out, err := parse.Parse(text)
		if err != nil {
			return nil, asError(err)
		}
		return out, nil
	})
}

func (s *Session) notice(n Notice) {
	if s.opts.OnNotice == nil || !s.settings.wants(n.Severity) {
		return
	}
	s.opts.OnNotice(n)
}

func (s *Session) noticef(text string) {
	s.notice(Notice{Severity: "NOTICE", Code: repr.CodeSuccess, Message: text})
}

// setting is what the functions of SQL see of the session: its settings, and its process number as "backend_pid".
func (s *Session) setting(name string) (string, bool) {
	if name == "backend_pid" {
		return itoa(int64(s.pid)), true
	}
	return s.settings.get(name)
}

// path is the search path as the names of schemas.
func (s *Session) path() []string { return s.settings.searchPath(s.opts.User) }

// now is the time that the statement sees.
func (s *Session) now() time.Time {
	if s.tx.started.IsZero() {
		return s.c.opts.Clock.Now()
	}
	return s.tx.started
}

// env is what planning and evaluation of a statement see.
func (s *Session) env(snap *catalog.Snapshot) *plan.Env {
	now := s.now()
	return &plan.Env{
		Catalog: planCatalog{snap: snap},
		Path:    s.path(),
		Eval: &expr.Env{
			Now: now, User: s.opts.User, Database: catalog.DefaultDatabase, SearchPath: s.path(),
			MostBytes: s.c.memory.mostValue(), Setting: s.setting, Catalog: catalogReader{snap: snap, path: s.path()},
		},
	}
}

// planCatalog is how the planner sees the catalog.
type planCatalog struct{ snap *catalog.Snapshot }

// Resolve finds a relation.
func (p planCatalog) Resolve(parts, path []string) (*plan.Item, *repr.Error) {
	it := p.snap.Find(parts, path)
	if it == nil {
		err := repr.NewError(repr.CodeUndefinedTable, "relation \""+strings.Join(parts, ".")+"\" does not exist")
		if near := p.snap.Similar(parts[len(parts)-1], path); near != "" {
			err = err.WithHint("perhaps you meant \"" + near + "\"")
		}
		return nil, err
	}
	if !it.Kind.IsRelation() {
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+it.Name+"\" is a "+it.Kind.String()+", which cannot be queried")
	}
	if it.Failed != nil {
		return nil, errFailed(it)
	}
	if it.Kind == catalog.Source && len(it.Desc) == 0 {
		return nil, repr.NewError(repr.CodeWrongObjectType, "source \""+it.Name+"\" has no rows of its own").
			WithHint("the tables that it feeds have them: SHOW TABLES lists them, and CREATE TABLE … FROM SOURCE makes one")
	}
	return planItem(it), nil
}

func planItem(it *catalog.Item) *plan.Item {
	out := &plan.Item{ID: it.ID, OID: it.OID, Schema: it.Schema, Name: it.Name, Kind: itemKinds[it.Kind],
		Desc: it.Desc, Keys: it.Keys, Grows: it.Grows, Stored: it.Stored, Since: it.Added}
	if it.From != 0 {
		out.Kind = plan.ItemSource
	}
	if it.Kind == catalog.View {
		out.View, out.ViewPath, out.Sees = it.Query, it.Path, it.Sees
	}
	for _, c := range it.Columns {
		out.Defaults = append(out.Defaults, c.Default)
	}
	return out
}

// itemKinds are the planner's words for the kinds of the catalog.
var itemKinds = map[catalog.Kind]plan.ItemKind{
	catalog.Table: plan.ItemTable, catalog.Source: plan.ItemSource, catalog.View: plan.ItemView,
	catalog.MaterializedView: plan.ItemMaterializedView, catalog.System: plan.ItemSystem,
}

// noRelation is the error of a name that no relation has.
func (s *Session) noRelation(snap *catalog.Snapshot, name ast.Name) *repr.Error {
	_, err := planCatalog{snap: snap}.Resolve(name.Parts, s.path())
	return err.At(name.Pos)
}

// asError turns any error into one that a user sees.
func asError(err error) *repr.Error {
	var e *repr.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return repr.NewError(repr.CodeQueryCanceled, "canceling statement due to user request")
	}
	return repr.NewError(repr.CodeInternal, err.Error())
}

// Prepared is a statement that was parsed and, where it has a result, typed.
type Prepared struct {
	Text      string
	Stmt      ast.Statement // nil: the empty statement
	Params    []repr.Type
	Cols      repr.RowDesc // of the rows it returns; nil when it returns none
	CopyOut   bool
	CopyIn    bool
	explicitP []repr.Type
	bound     *boundWrite // of a statement that writes, as long as it may be used once more
	memory    *budget.Budget
}

// Result is what a statement answers.
type Result struct {
	Tag     string // the command tag; for rows the number is added at the end
	Cols    repr.RowDesc
	Rows    Rows
	CopyOut *CopyFormat // the rows go out as a COPY
	CopyIn  *CopyIn     // takes the rows of a COPY that the client sends now
}

// Rows are the rows of a result, taken one by one. The bytes of a row are valid until the next call.
type Rows interface {
	// Next gives the next packed row; ok is false at the end. It may wait, as a subscription does.
	Next(ctx context.Context) (row []byte, ok bool, err *repr.Error)
	// Close frees what the rows hold.
	Close()
}

// Live are rows that go on as things change: whoever takes them can send what there is before it waits for more.
type Live interface {
	Rows
	// Poll gives the next row without waiting: nil and true when there is none yet, false at the end.
	Poll() (row []byte, more bool, err *repr.Error)
	// Wait blocks until Poll may have more to give.
	Wait(ctx context.Context) *repr.Error
}

// Encoded are live rows of which many clients may read the same: what a time brought can be had in an encoding, which is made once for
// all of them.
type Encoded interface {
	Live
	// PollEncoded gives the rows of a whole time encoded, and how many they are; 0 when Poll is to be asked.
	PollEncoded(e *Encoding) (chunk []byte, rows int)
	// At is the time that the stream begins at, and WithContent says whether it begins with what was there then.
	At() repr.Time
	WithContent() bool
	// Upper is the first time of which not all was given yet.
	Upper() repr.Time
}

// Prepare parses nothing: it types a statement that Split gave. paramOIDs are the types that the client declared, 0
// where it left one open.
func (s *Session) Prepare(ctx context.Context, p parse.Parsed, paramOIDs []uint32) (*Prepared, *repr.Error) {
	out := &Prepared{Text: p.Text, Stmt: p.Stmt}
	for _, oid := range paramOIDs {
		t, ok := repr.TypeByOID(oid)
		if !ok && oid != 0 {
			return nil, repr.NewError(repr.CodeUndefinedObject, "type with OID "+itoa(int64(oid))+" does not exist")
		}
		out.explicitP = append(out.explicitP, t)
	}
	for len(out.explicitP) < p.NumParams {
		out.explicitP = append(out.explicitP, repr.Type{})
	}
	if out.Stmt == nil {
		return out, nil
	}
	if s.tx.failed && !endsTransaction(out.Stmt) {
		return nil, errFailedTransaction
	}
	return guardedStatement(s.c, func() (*Prepared, *repr.Error) { return out, s.describe(ctx, out) })
}

var errFailedTransaction = repr.NewError(repr.CodeFailedTransaction,
	"current transaction is aborted, commands ignored until end of transaction block")

// Execute runs a prepared statement. Outside a transaction block a statement is a transaction of its own, and what it
// writes is complete when Execute returns.
func (s *Session) Execute(ctx context.Context, p *Prepared, args []repr.Datum) (*Result, *repr.Error) {
	if p.Stmt == nil {
		return &Result{}, nil
	}
	if s.tx.failed && !endsTransaction(p.Stmt) {
		return nil, errFailedTransaction
	}
	s.c.stats.Queries.Add(1)
	if s.several {
		s.openImplicit()
	}
	alone := !s.tx.open
	if alone {
		s.tx.started, s.tx.readOnly = s.c.opts.Clock.Now(), s.readOnly()
	}
	res, err := guardedStatement(s.c, func() (*Result, *repr.Error) { return s.exec(ctx, p, args) })
	if err == nil && res.CopyIn != nil {
		res.CopyIn.alone = alone
		return res, nil // it commits when the rows are in
	}
	if err == nil && alone && !s.tx.open {
		err = s.commit(ctx)
	}
	if err != nil {
		s.Fail()
		return nil, err
	}
	return res, nil
}

// Fail marks the open transaction block as failed, as an error does. Outside a block it drops what was pending.
func (s *Session) Fail() {
	if s.tx.open {
		s.tx.failed = true
		return
	}
	s.endTransaction()
}

// TxStatus is the state of the transaction for ReadyForQuery: I, T or E.
func (s *Session) TxStatus() byte {
	switch {
	case s.tx.failed:
		return 'E'
	case s.tx.open && !s.tx.implicit:
		return 'T'
	default:
		return 'I'
	}
}

// transaction is the state of a transaction block.
type transaction struct {
	open     bool
	implicit bool // several statements in one simple query
	failed   bool
	readOnly bool
	started  time.Time
	hold     *hold // the time that all its reads share
	reads    []uint64
	writes   []write
	memory   *budget.Budget                          // of what it has read and is to write; nil: nothing yet
	undo     []func(ctx context.Context) *repr.Error // of DDL
	marks    []string                                // what the log says of that as long as the block is open
	saved    map[string]string                       // the settings before the block changed any; nil when it has not
	local    map[string]bool                         // those of SET LOCAL
}

// write is one update of a table that waits for its commit.
type write struct {
	table uint64
	row   []byte
	diff  repr.Diff
}

func endsTransaction(stmt ast.Statement) bool {
	switch st := stmt.(type) {
	case *ast.Commit, *ast.Rollback:
		return true
	case *ast.Savepoint:
		return st.Verb == ast.SavepointRollback
	default:
		return false
	}
}

// BeginImplicit opens the block that the statements of one simple query share. When one of them ends it, what follows
// is in a new one.
func (s *Session) BeginImplicit() {
	s.several = true
	s.openImplicit()
}

func (s *Session) openImplicit() {
	if s.tx.open {
		return
	}
	s.tx = transaction{open: true, implicit: true, readOnly: s.readOnly(), started: s.c.opts.Clock.Now()}
}

// readOnly says whether a transaction that says nothing about it only reads.
func (s *Session) readOnly() bool {
	v, _ := s.settings.get("default_transaction_read_only")
	return v == "on"
}

// EndImplicit closes that block: it commits, unless it has failed.
func (s *Session) EndImplicit(ctx context.Context) *repr.Error {
	s.several = false
	if !s.tx.open || !s.tx.implicit {
		return nil
	}
	if s.tx.failed {
		_ = s.rollback(ctx) // the statement that failed has its own error
		return nil
	}
	return s.commitOrUndo(ctx)
}

// commit makes the writes of the transaction one tick, when nothing that it read has changed since.
func (s *Session) commit(ctx context.Context) *repr.Error {
	defer s.endTransaction()
	if len(s.tx.writes) == 0 && len(s.tx.marks) == 0 {
		return nil
	}
	if sizeOf(s.tx.writes) > maxCommitBytes {
		return errLargeCommit
	}
	var conflict *repr.Error
	answer := make(chan error, 1)
	err := s.c.do(ctx, func() {
		conflict = s.c.validate(&s.tx)
		switch {
		case conflict != nil:
		case len(s.tx.marks) > 0:
			s.c.commitMade(&s.tx, answer)
		default:
			s.c.enqueue(s.tx.writes, answer)
		}
	})
	if err == nil {
		err = conflict
	}
	if err != nil {
		return err
	}
	// The tick is on its way: from here on the answer is waited for, whatever the client does.
	e := <-answer
	if s.c.turn(ctx); e != nil {
		return asError(e)
	}
	return nil
}

// maxCommitBytes is how much one transaction may write: it is one record of the journal.
const maxCommitBytes = 512 << 20

var errLargeCommit = repr.NewError(repr.CodeProgramLimit, "the transaction writes too much").
	WithDetail("the limit is 512 MiB of rows").WithHint("write the rows in several transactions")

func sizeOf(writes []write) int {
	n := 0
	for i := range writes {
		n += len(writes[i].row)
	}
	return n
}

// commitOrUndo commits a block; when that is not possible nothing of the block is left. When the log has broken it is not known
// whether that holds the COMMIT: what the block made stays until the next start, which knows.
func (s *Session) commitOrUndo(ctx context.Context) *repr.Error {
	tx := s.tx
	err := s.commit(ctx)
	s.tx.saved, s.tx.local = tx.saved, tx.local
	s.settle(err != nil)
	s.tx = transaction{}
	if err != nil && err.Code != errLogBroken {
		_ = undoAll(ctx, tx.undo) // err says more
	}
	return err
}

// validate checks that what the transaction read is still so. It runs in the loop.
func (c *Coordinator) validate(tx *transaction) *repr.Error {
	if c.broken != nil {
		return asError(c.broken)
	}
	for _, w := range tx.writes {
		if c.collections[w.table] == nil {
			return repr.NewError(repr.CodeUndefinedTable, "a table of the transaction was dropped")
		}
	}
	if tx.hold == nil {
		return nil
	}
	for _, id := range c.sourcesBehind(tx.reads) {
		if col := c.collections[id]; col == nil || col.changed > tx.hold.at || col.waits() {
			return repr.NewError(repr.CodeSerializationFailure, "could not serialize access due to concurrent update").
				WithHint("run the transaction again")
		}
	}
	return nil
}

// enqueue puts writes into the next tick. It runs in the loop.
func (c *Coordinator) enqueue(writes []write, answer chan<- error) {
	for _, w := range writes {
		c.collections[w.table].queue(w.row, w.diff)
	}
	c.queued = true
	c.waiting = append(c.waiting, answer)
}

// rollback undoes what the block did. The block is over also when the server stops meanwhile: a start leaves out what it made.
func (s *Session) rollback(ctx context.Context) *repr.Error {
	err := undoAll(ctx, s.tx.undo)
	s.settle(true)
	s.endTransaction()
	return err
}

// undoAll takes back what a block made, the newest first.
func undoAll(ctx context.Context, undo []func(context.Context) *repr.Error) (first *repr.Error) {
	ctx = context.WithoutCancel(ctx) // who asked may be gone
	for _, f := range slices.Backward(undo) {
		if err := f(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// endTransaction forgets the block and what it held.
func (s *Session) endTransaction() {
	s.c.release(s.tx.hold)
	s.tx.memory.Close()
	for name, cur := range s.cursors {
		cur.close()
		delete(s.cursors, name)
	}
	s.tx = transaction{}
}
