package postgres

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"

	"millrace/repr"
	"millrace/sources"
	"millrace/sources/deadletter"
)

// The states that a source reports.
const (
	statusStarting = "starting"
	statusRunning  = "running"
	statusStalled  = "stalled"
	statusFailed   = "failed"
)

// How long to wait before the next attempt, at first and at most.
const (
	retryWait    = 200 * time.Millisecond
	maxRetryWait = 2 * time.Second
)

// reader is one Run.
type reader struct {
	*Source
	out   sources.Events
	batch *sources.Batch
	parts map[uint64]*part
	size  int64 // bytes of what the batch was made of, but for what was gathered of it
	bad   int64 // bytes of its rows that cannot be held, which are rows of errors
	state sources.State
	hint  string // of the state running
	wait  time.Duration

	dead   []deadletter.Letter // of the batch
	outbox *deadletter.Outbox
	loose  bool // a first content was handed over that may not be kept yet
}

// waitsHint is what making a slot may wait for.
const waitsHint = "to begin to read, it waits for the transactions that are open there to end"

// errTables has the stream end because tables came or went.
var errTables = errors.New("the tables of the source are others")

// Run reads from the given position until ctx ends. It returns early only with what no retry can mend.
func (s *Source) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	r := &reader{Source: s, out: out, wait: retryWait}
	r.outbox = r.newOutbox()
	defer r.outbox.Close()
	if s.at == 0 {
		s.at = pglogrepl.LSN(from[0])
		s.handed = s.at
		s.durable.Store(uint64(s.at))
	}
	r.readTo(s.at)
	r.reset()
	r.report(sources.State{Status: statusStarting})
	for ctx.Err() == nil {
		err := r.once(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errTables) {
			continue
		}
		r.undo()
		e := explain(err, s.address())
		if !canMend(e) {
			r.report(stateOf(statusFailed, e))
			return e
		}
		r.report(stateOf(statusStalled, e))
		if err := s.cfg.Clock.Sleep(ctx, r.wait); err != nil {
			break
		}
		r.wait = min(2*r.wait, maxRetryWait)
	}
	r.leaveIfTemporary(ctx)
	return ctx.Err()
}

// stateOf is the state of a source that an error has stopped. What the network says, such as whether a connection is refused or waited for
// in vain, is in the detail.
func stateOf(status string, e *repr.Error) sources.State {
	return sources.State{Status: status, Error: e.Error(), Hint: e.Hint}
}

// once connects, brings the tables to the stream, and follows it.
func (r *reader) once(ctx context.Context) error {
	r.reset()
	if err := r.recall(ctx); err != nil {
		return err
	}
	conn, err := r.address().connect(ctx, false)
	if err != nil {
		return err
	}
	defer conn.close(ctx)
	if err := r.slot(ctx, conn); err != nil {
		return err
	}
	if err := r.checkPublished(ctx, conn); err != nil {
		return err
	}
	tables, renew := r.missing()
	if len(tables) > 0 || renew {
		if err := r.fill(ctx, tables, renew); err != nil {
			return err
		}
	}
	if renew {
		if err := r.renewed(ctx); err != nil {
			return err
		}
	}
	if err := r.forgetRefused(ctx); err != nil {
		return err
	}
	if err := r.buryFirst(ctx); err != nil {
		return err
	}
	return r.stream(ctx, conn)
}

// undo makes all what it was when a batch was handed over last.
func (r *reader) undo() {
	if g, ok := r.out.(sources.Gatherer); ok {
		g.Abandon()
	}
	r.mu.Lock()
	for id, p := range r.parts {
		switch t := r.tables[id]; {
		case t == nil:
		case t.joined == 0: // it is read anew
			t.refused.undo(p.refused)
		default:
			t.undo(p)
		}
	}
	r.mu.Unlock()
	r.readTo(r.handed)
	r.reset()
}

// missing gives the tables that have no first content yet, or all when they are to be read anew.
func (r *reader) missing() (tables []*table, renew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = false
	for _, t := range r.tables {
		if t.joined == 0 || r.renew {
			tables = append(tables, t)
		}
	}
	slices.SortFunc(tables, func(a, b *table) int { return cmp.Compare(a.id, b.id) })
	return tables, r.renew
}

// renewed hands over what was read anew, at once.
func (r *reader) renewed(ctx context.Context) error {
	r.mu.Lock()
	for _, t := range r.tables {
		r.partOf(t).Joined = true
		t.told = true
	}
	r.mu.Unlock()
	if err := r.push(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	r.renew = false
	r.mu.Unlock()
	return nil
}

// slot makes sure that the slot holds what comes next: it is made when nothing was read yet, and else has to be as we left it.
func (r *reader) slot(ctx context.Context, c *conn) error {
	who, err := c.system(ctx)
	if err != nil {
		return err
	}
	p, err := c.publication(ctx, r.cfg.Publication)
	if err != nil {
		return err
	}
	who.Publication, who.Altered = p.number, p.altered
	r.mu.Lock()
	anew := r.renew || r.at == 0
	who.Seen = r.identity.Seen
	r.mu.Unlock()
	if !anew {
		return r.checkSlot(ctx, c, who)
	}
	if err := c.dropSlot(ctx, r.cfg.Slot); err != nil {
		return err
	}
	r.report(sources.State{Status: statusStarting, Hint: waitsHint})
	rows, err := c.query(ctx, "SELECT lsn FROM pg_create_logical_replication_slot("+quoteText(r.cfg.Slot)+", 'pgoutput')")
	if err != nil {
		return err
	}
	at, err := pglogrepl.ParseLSN(string(rows[0][0]))
	if err != nil {
		return err
	}
	r.at, r.handed, r.identity, r.needed = at, at, who, 0
	r.durable.Store(0)
	r.seen.asked.Store(nil)
	r.seen.end.Store(0) // that of another system may lie elsewhere
	r.readTo(at)
	return nil
}

// system says which database system this is. One that was promoted has a checkpoint on its timeline only later: the log tells.
func (c *conn) system(ctx context.Context) (identity, error) {
	rows, err := c.query(ctx, `SELECT system_identifier, CASE WHEN NOT pg_is_in_recovery() THEN
		('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END FROM pg_control_system()`)
	if err != nil {
		return identity{}, err
	}
	if rows[0][1] == nil {
		return identity{}, repr.NewError(codeNotNow, "PostgreSQL at "+c.addr.String()+" is a standby, which cannot be read from").
			WithHint("promote it, or lead the connection to the primary")
	}
	return identity{System: string(rows[0][0]), Timeline: int32(number(rows[0][1]))}, nil
}

// lost is the error of a source that cannot go on without a gap.
func lost(what string) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, what).
		WithHint("what changed meanwhile cannot be had any more: ALTER SOURCE … RESNAPSHOT reads the tables anew and takes over the difference")
}

// checkSlot makes sure that nothing is missing between what was read and what the slot gives.
func (r *reader) checkSlot(ctx context.Context, c *conn, who identity) error {
	if r.identity.System != "" && who.System != r.identity.System {
		return lost("PostgreSQL at " + r.address().String() + " is another database system than the one that was read")
	}
	if r.identity.Timeline != 0 && who.Timeline != r.identity.Timeline {
		return lost("PostgreSQL at " + r.address().String() + " was restored or failed over: its log is on another timeline")
	}
	if err := r.checkPublication(publication{number: who.Publication, altered: who.Altered}); err != nil {
		return err
	}
	r.identity = who
	rows, err := c.query(ctx, "SELECT coalesce(wal_status, ''), confirmed_flush_lsn, coalesce(plugin, ''), coalesce(database, '') FROM pg_replication_slots WHERE slot_name = "+quoteText(r.cfg.Slot))
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return lost("the replication slot \"" + r.cfg.Slot + "\" of PostgreSQL at " + r.address().String() + " is gone")
	}
	if string(rows[0][0]) == "lost" {
		return lost("the replication slot \"" + r.cfg.Slot + "\" of PostgreSQL at " + r.address().String() + " has lost log that was not read: max_slot_wal_keep_size was too small")
	}
	flushed, err := pglogrepl.ParseLSN(string(rows[0][1]))
	if err != nil {
		return err
	}
	if flushed > r.at {
		return lost("the replication slot \"" + r.cfg.Slot + "\" of PostgreSQL at " + r.address().String() + " is ahead of what was read: somebody else has read from it")
	}
	return nil
}

// dropSlot drops a slot if it is there, also when a session that was cut still has it.
func (c *conn) dropSlot(ctx context.Context, name string) error {
	where := " FROM pg_replication_slots WHERE slot_name = " + quoteText(name)
	for range 3 {
		if _, err := c.query(ctx, "SELECT pg_terminate_backend(active_pid), pg_sleep(0.2)"+where+" AND active_pid IS NOT NULL"); err != nil {
			if e := explain(err, c.addr); e.Code != repr.CodeInsufficientPrivilege {
				return err
			}
		}
		_, err := c.query(ctx, "SELECT pg_drop_replication_slot(slot_name)"+where)
		if err == nil {
			return nil
		}
		if e := explain(err, c.addr); e.Code != "55006" {
			return err
		}
	}
	return repr.NewError("55006", "replication slot \""+name+"\" of PostgreSQL at "+c.addr.String()+" is in use")
}

// leaveIfTemporary drops a slot that is to live no longer than the run.
func (r *reader) leaveIfTemporary(ctx context.Context) {
	if !r.cfg.Temporary {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := r.Leave(ctx); err != nil {
		r.log().Warn("a replication slot is left", "slot", r.cfg.Slot, "err", err)
	}
}

func (r *reader) log() *slog.Logger { return r.cfg.Log }

// report says what changed, once.
func (r *reader) report(s sources.State) {
	if s == r.state {
		return
	}
	r.state = s
	r.out.Report(s)
}

// partOf is what the batch changes in a table.
func (r *reader) partOf(t *table) *part {
	p := r.parts[t.id]
	if p == nil {
		p = &part{Part: sources.Part{Table: t.id}}
		r.parts[t.id] = p
	}
	return p
}

// pending counts bytes that the batch was made of.
func (r *reader) pending(n int) int64 {
	r.size += int64(n)
	return r.size
}

// push hands the batch over, with how far the stream was read. It waits while the coordinator is busy.
func (r *reader) push(ctx context.Context) error {
	if err := r.gatherRest(ctx); err != nil {
		return err
	}
	b := r.batch
	b.State = append(b.State, r.Source.state()...)
	for _, id := range slices.Sorted(maps.Keys(r.parts)) {
		p := r.parts[id]
		b.Parts = append(b.Parts, p.Part)
		for _, f := range p.refused {
			f.tell(b, id)
		}
	}
	b.Progress = append(b.Progress, sources.Progress{Partition: 0, Next: int64(r.at), High: int64(r.at)})
	r.bury(b)
	at := r.at
	r.reset()
	if err := r.out.Push(ctx, b); err != nil {
		return err
	}
	r.handed = at
	return nil
}

func (r *reader) reset() {
	r.batch, r.parts, r.size, r.bad = &sources.Batch{}, map[uint64]*part{}, 0, 0
	r.dead = nil
	r.fetched.Store(0)
	held := int64(0)
	r.mu.Lock()
	for _, t := range r.tables {
		if t.rows != nil {
			held += t.rows.Bytes()
		}
		held += t.refused.bytes
	}
	r.mu.Unlock()
	r.held.Store(held)
}
