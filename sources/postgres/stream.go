package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"millrace/internal/spool"
	"millrace/repr"
	"millrace/sources"
)

// How long the stream is listened to before something else is looked after, and how often the other side is told how far we are.
const (
	listenFor = 100 * time.Millisecond
	tellEvery = time.Second
	noteEvery = time.Second      // how far an idle stream was read is bound to a tick
	silence   = 30 * time.Second // after which the other side is taken for gone, when it was asked
	lookEvery = 5 * time.Second  // at what is in the publication
)

// stream follows the changes.
type stream struct {
	*reader
	repl   *conn
	ask    *conn // for what the stream does not tell
	byOID  map[uint32]*table
	open   bool // inside a transaction
	tx     begin
	moved  bool // the position is not handed over yet
	told   time.Time
	noted  time.Time
	looked time.Time
	asked  time.Time // how far the log goes
	heard  time.Time // from the other side
	vals   [2][]value

	pool   *spool.Pool           // nil when transactions come only when they have ended
	opens  map[uint32]*openThere // by their numbers
	block  *openThere            // whose changes come
	onDisk int64                 // bytes of them, when it was last told
}

// stream reads changes until ctx ends or something has to be seen to.
func (r *reader) stream(ctx context.Context, ask *conn) error {
	repl, err := r.address().connect(ctx, true)
	if err != nil {
		return err
	}
	defer repl.close(ctx)
	s := &stream{reader: r, repl: repl, ask: ask, byOID: map[uint32]*table{}, told: r.cfg.Clock.Now(), noted: r.cfg.Clock.Now(),
		looked: r.cfg.Clock.Now(), heard: r.cfg.Clock.Now()}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.dropOpen()
	r.mu.Lock()
	for _, t := range r.tables {
		t.seen = nil
	}
	r.mu.Unlock()
	for ctx.Err() == nil {
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// begin has the other side send the changes: also of transactions that are open, when there is room for these.
func (s *stream) begin(ctx context.Context) error {
	args := []string{"proto_version '1'", "publication_names '" + strings.ReplaceAll(quoteIdent(s.cfg.Publication), "'", "''") + "'"}
	if err := s.openPool(ctx); err != nil {
		return err
	}
	if s.pool != nil {
		args[0] = "proto_version '2'"
		args = append(args, "streaming 'on'")
	}
	err := pglogrepl.StartReplication(ctx, s.repl.PgConn, s.cfg.Slot, s.at, pglogrepl.StartReplicationOptions{PluginArgs: args})
	var refused *pgconn.PgError
	if s.pool != nil && errors.As(err, &refused) && slices.Contains(noStreaming, refused.Code) {
		s.whole = true // which the next attempt sees
		s.log().Info("transactions come when they have ended", "err", err)
		return errTables
	}
	if err != nil {
		return explain(err, s.address())
	}
	return nil
}

// step takes a message, or sees to what else there is when none comes.
func (s *stream) step(ctx context.Context) error {
	now := s.cfg.Clock.Now()
	if err := s.repl.Conn().SetReadDeadline(now.Add(listenFor)); err != nil {
		return err
	}
	msg, err := s.repl.Frontend().Receive()
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		if now.Sub(s.heard) > silence {
			return repr.NewError(repr.CodeConnectionFailure, "PostgreSQL at "+s.address().String()+" does not answer any more")
		}
	case err != nil:
		return err
	default:
		s.heard = now
		if err := s.take(ctx, msg); err != nil {
			return err
		}
	}
	if s.cfg.Clock.Now().Sub(s.asked) >= lookEvery {
		s.asked = s.cfg.Clock.Now()
		if err := s.askPosition(ctx, s.ask); err != nil {
			return err
		}
	}
	if s.open {
		if err := s.gather(ctx); err != nil {
			return err
		}
		return s.tell(false)
	}
	if s.cfg.Clock.Now().Sub(s.looked) >= lookEvery {
		s.looked = s.cfg.Clock.Now()
		if err := s.checkPublished(ctx, s.ask); err != nil {
			return err
		}
		if s.state.Status == statusRunning {
			s.running()
		}
	}
	if s.due() {
		if err := s.hand(ctx); err != nil {
			return err
		}
	}
	if s.hasChanged() {
		if err := s.hand(ctx); err != nil {
			return err
		}
		return errTables
	}
	return s.tell(false)
}

// heldUpdate is about what an update takes beside its row until its tick.
const heldUpdate = 64

// hasChanged says whether tables came or went, or are to be read anew.
func (s *stream) hasChanged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed || s.renew
}

// due says whether what was read is handed over now: when no more is there, or enough.
func (s *stream) due() bool {
	if len(s.parts) == 0 && len(s.batch.Errors) == 0 {
		return s.moved && s.cfg.Clock.Now().Sub(s.noted) >= noteEvery
	}
	return s.repl.Frontend().ReadBufferLen() == 0 || s.batch.Records >= batchRows || s.size >= batchBytes
}

// hand hands over.
func (s *stream) hand(ctx context.Context) error {
	if !s.moved && len(s.parts) == 0 {
		return nil
	}
	s.moved, s.noted = false, s.cfg.Clock.Now()
	return s.push(ctx)
}

// tell says how far what was read is safe, now and then or when it is asked for. Nothing is said before something is: the library
// takes 0 for everything.
func (s *stream) tell(now bool) error {
	at := s.durable.Load()
	if !now && (at == 0 || s.cfg.Clock.Now().Sub(s.told) < tellEvery) {
		return nil
	}
	at = max(at, 1) // which says nothing
	s.told = s.cfg.Clock.Now()
	if err := s.repl.Conn().SetWriteDeadline(s.told.Add(connectPatience)); err != nil {
		return err
	}
	err := pglogrepl.SendStandbyStatusUpdate(context.Background(), s.repl.PgConn, pglogrepl.StandbyStatusUpdate{WALWritePosition: pglogrepl.LSN(at),
		WALFlushPosition: pglogrepl.LSN(at), WALApplyPosition: pglogrepl.LSN(at), ClientTime: s.told, ReplyRequested: s.told.Sub(s.heard) > silence/2})
	if err != nil {
		return fmt.Errorf("tell how far the log was read: %w", err)
	}
	return nil
}

// take takes a message of the connection.
func (s *stream) take(ctx context.Context, msg pgproto3.BackendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.CopyData:
		return s.data(ctx, m.Data)
	case *pgproto3.ErrorResponse:
		return pgconn.ErrorResponseToPgError(m)
	case *pgproto3.CopyDone:
		return repr.NewError(repr.CodeConnectionFailure, "PostgreSQL at "+s.address().String()+" has ended the replication")
	default: // notices and changed settings
		return nil
	}
}

// data takes a message of the replication protocol.
func (s *stream) data(ctx context.Context, b []byte) error {
	if len(b) == 0 {
		return errMessage
	}
	switch b[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		k, err := pglogrepl.ParsePrimaryKeepaliveMessage(b[1:])
		if err != nil {
			return err
		}
		if uint64(k.ServerWALEnd) > s.seen.end.Load() {
			s.endsAt(k.ServerWALEnd)
		}
		if !s.open && k.ServerWALEnd > s.at {
			s.advance(k.ServerWALEnd)
		}
		s.running()
		if k.ReplyRequested {
			return s.tell(true)
		}
		return nil
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(b[1:])
		if err != nil {
			return err
		}
		return s.message(ctx, x.WALData)
	}
	return nil
}

// advance notes that everything up to a position was read, and which tables are complete by that.
func (s *stream) advance(to pglogrepl.LSN) {
	s.moved, s.wait = true, retryWait
	s.readTo(max(s.at, to))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		if !t.told && t.joined != 0 && s.at >= t.joined {
			t.told = true
			s.partOf(t).Joined = true
		}
	}
}

// message takes a message of pgoutput.
func (s *stream) message(ctx context.Context, b []byte) error {
	if len(b) == 0 {
		return errMessage
	}
	m := &message{b: b[1:]}
	if taken, err := s.streamed(ctx, b[0], m); taken || err != nil {
		return err
	}
	err := s.apply(ctx, b, m)
	if m.bad {
		return errMessage
	}
	return err
}

// apply does what a message of a transaction that has ended says.
func (s *stream) apply(ctx context.Context, b []byte, m *message) (err error) {
	switch b[0] {
	case 'B':
		s.tx, s.open = m.begin(), true
	case 'C':
		end := m.commit()
		if s.open = false; !m.bad {
			s.ended(end)
		}
	case 'R':
		if rel := m.relation(); !m.bad {
			err = s.relation(ctx, rel)
		}
	case 'I', 'U', 'D':
		err = s.change(b[0], m, b)
	case 'T':
		for _, oid := range m.truncated() {
			if t := s.byOID[oid]; t != nil && s.tx.commit >= t.joined {
				t.truncate(s.partOf(t))
				t.up.Leaves = nil // they lie in other files now
			}
		}
	default: // types, origins and messages of users say nothing here
	}
	return err
}

// ended notes that all of a transaction was applied.
func (s *stream) ended(at pglogrepl.LSN) {
	s.open = false
	s.batch.NewestMS = max(s.batch.NewestMS, s.tx.micros/1000+epochMillis)
	s.advance(at)
	s.running()
}

// running says that the source runs, and what is to be known of it.
func (s *stream) running() {
	hints := []string{s.hint, s.fresh}
	s.report(sources.State{Status: statusRunning, Hint: strings.Join(slices.DeleteFunc(hints, func(h string) bool { return h == "" }), "; ")})
}

// epochMillis is 2000-01-01 in milliseconds since 1970.
const epochMillis = 946684800 * 1000

// relation learns how a table looks from now on.
func (s *stream) relation(ctx context.Context, rel *relation) error {
	delete(s.byOID, rel.oid)
	s.mu.Lock()
	var found []*table
	for _, t := range s.tables {
		if t.up.OID == rel.oid && t.joined != 0 {
			found = append(found, t)
		} else if t.up.Schema == rel.schema && t.up.Name == rel.name && t.joined != 0 && s.tx.commit >= t.joined {
			s.mu.Unlock()
			return repr.NewError(repr.CodeObjectNotReady, "table "+t.up.String()+" was dropped and made anew").
				WithHint("ALTER SOURCE … RESNAPSHOT reads it anew, and takes over the difference")
		}
	}
	s.mu.Unlock()
	for _, t := range found {
		if err := s.describe(ctx, t, rel); err != nil {
			return err
		}
		t.also, s.byOID[rel.oid] = s.byOID[rel.oid], t
	}
	return nil
}

// describe brings a table to what the stream says of it.
func (s *stream) describe(ctx context.Context, t *table, rel *relation) error {
	kept, gone, err := t.describe(rel, func(missing []*upstreamed) (map[int16]string, error) { return s.names(ctx, rel.oid, missing) })
	if err != nil {
		return err
	}
	if e := t.blank(s.partOf(t), gone); e != nil {
		return e
	}
	if kept {
		s.log().Info("columns of a table are others", "table", t.up.String())
	}
	if more := t.unread(); len(more) > 0 {
		was := s.hint
		s.hint = "new columns of " + t.up.String() + " are not read: " + strings.Join(more, ", ") + "; drop the table here and create it again to read them"
		if s.hint == was {
			return nil
		}
		s.log().Warn("new columns are not read", "table", t.up.String(), "columns", more)
	}
	return nil
}

// How long the other side is asked again for the names of columns: a commit comes through the stream a moment before it can be seen.
const (
	namesTries = 20
	namesWait  = 20 * time.Millisecond
)

// names asks what columns are called now that are not called as they were.
func (s *stream) names(ctx context.Context, oid uint32, missing []*upstreamed) (map[int16]string, error) {
	for try := 0; ; try++ {
		now, err := s.ask.attributes(ctx, oid)
		asItWas := slices.ContainsFunc(missing, func(c *upstreamed) bool { return now[c.Number] == c.Name })
		if err != nil || !asItWas || try == namesTries {
			return now, err
		}
		if err := s.cfg.Clock.Sleep(ctx, namesWait); err != nil {
			return nil, err
		}
	}
}

// change applies a change of a row to the tables that it is about.
func (s *stream) change(op byte, m *message, text []byte) error {
	oid := m.uint32()
	c := &change{op: op}
	switch kind := m.byte(); kind {
	case 'K', 'O':
		s.vals[0] = m.tuple(s.vals[0][:0])
		c.old = s.vals[0]
		if op == 'D' {
			break
		}
		kind = m.byte()
		fallthrough
	default:
		if kind != 'N' {
			m.bad = true
			return nil
		}
		s.vals[1] = m.tuple(s.vals[1][:0])
		c.new = s.vals[1]
	}
	if m.bad {
		return nil
	}
	s.batch.Records++
	s.batch.Bytes += int64(len(text))
	for t := s.byOID[oid]; t != nil; t = t.also {
		if s.tx.commit < t.joined {
			continue
		}
		p := s.partOf(t)
		n := len(p.Updates)
		bad, err := t.apply(p, c)
		if err != nil {
			return err
		}
		for i := range p.Updates[n:] {
			s.size += heldUpdate + int64(len(p.Updates[n+i].Row))
		}
		s.fetched.Store(s.size)
		if bad != nil {
			s.bad += heldUpdate + int64(len(text))
			row := s.refuse(t, c.new, s.tx, bad)
			s.letter(row)
		}
	}
	return nil
}
