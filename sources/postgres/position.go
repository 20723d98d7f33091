package postgres

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pglogrepl"

	"millrace/internal/spool"
	"millrace/sources"
)

// watch is what others may see of how far the stream was read. The log of the other side ends where keepalives and answers say; the
// reader, who goes by the stream alone, writes it.
type watch struct {
	read   atomic.Uint64 // how far the stream was read
	end    atomic.Uint64 // where the log ends there; 0: not known
	behind atomic.Int64  // since when it was not read to its end, in milliseconds since 1970; 0: it is
	asked  atomic.Pointer[answered]
	opens  atomic.Int64 // transactions that are open
	pool   atomic.Pointer[spool.Pool]
}

// answered is what the other side has said of the slot.
type answered struct {
	confirmed, restart pglogrepl.LSN
	millis             int64
}

// Position says how far the log was read. Any goroutine may ask.
func (s *Source) Position() sources.Position {
	p := sources.Position{Slot: s.cfg.Slot, Read: int64(s.seen.read.Load()), Durable: int64(s.durable.Load()), End: int64(s.seen.end.Load()),
		BehindMS: s.seen.behind.Load(), Open: s.seen.opens.Load()}
	if a := s.seen.asked.Load(); a != nil {
		p.Confirmed, p.Kept, p.AskedMS = int64(a.confirmed), int64(a.restart), a.millis
	}
	if pool := s.seen.pool.Load(); pool != nil {
		p.OpenBytes, p.SpilledBytes = pool.Held(), pool.Written()
	}
	return p
}

// readTo notes how far the stream was read.
func (r *reader) readTo(at pglogrepl.LSN) {
	r.at = at
	r.seen.read.Store(uint64(at))
	r.compare()
}

// endsAt notes where the log ends.
func (r *reader) endsAt(end pglogrepl.LSN) {
	r.seen.end.Store(uint64(end))
	r.compare()
}

// compare notes since when the log is not read to its end.
func (r *reader) compare() {
	switch is, was := uint64(r.at) < r.seen.end.Load(), r.seen.behind.Load() != 0; {
	case is && !was:
		r.seen.behind.Store(max(r.cfg.Clock.Now().UnixMilli(), 1))
	case was && !is:
		r.seen.behind.Store(0)
	}
}

// askPosition asks where the log ends, and what the slot holds of it.
func (r *reader) askPosition(ctx context.Context, c *conn) error {
	rows, err := c.query(ctx, "SELECT pg_current_wal_lsn(), confirmed_flush_lsn, restart_lsn FROM pg_replication_slots WHERE slot_name = "+quoteText(r.cfg.Slot))
	if err != nil || len(rows) == 0 { // that it is gone the stream says
		return err
	}
	var at [3]pglogrepl.LSN
	for i, text := range rows[0] {
		if text == nil {
			continue
		}
		if at[i], err = pglogrepl.ParseLSN(string(text)); err != nil {
			return err
		}
	}
	r.seen.asked.Store(&answered{confirmed: at[1], restart: at[2], millis: r.cfg.Clock.Now().UnixMilli()})
	r.endsAt(at[0])
	return nil
}
