package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strconv"

	"millrace/internal/spool"
	"millrace/repr"
)

// From release 14 on the other side sends what a transaction that it finds large has done so far, in blocks between which other
// transactions come, and says in the end whether it has committed. What it sends is kept as it came, with the number of the
// subtransaction that did it, and applied when the transaction commits: then it is like any other. What an aborted subtransaction did
// is passed over; that the tables look otherwise because of it, too, for after an abort the other side describes them again.

// openThere is a transaction that has not ended.
type openThere struct {
	changes *spool.List
	undone  map[uint32]bool // subtransactions that were aborted
}

// release14 is the first release that sends open transactions.
const release14 = 140000

// noStreaming are the errors of a server that does not know what is asked for, whatever it takes that for.
var noStreaming = []string{"22023", "0A000", "42601", "XX000"}

// kept are the messages that mean something when the transaction commits.
const kept = "RIUDT"

// openPool makes room for transactions that are open, unless the other side is to keep them.
func (s *stream) openPool(ctx context.Context) error {
	if s.cfg.Spill == nil || s.whole {
		return nil
	}
	release, err := s.ask.release(ctx)
	if err != nil || release < release14 {
		return err
	}
	if err := s.checkSpace(); err != nil {
		return err
	}
	s.makePool()
	return nil
}

func (s *stream) makePool() {
	opts := *s.cfg.Spill
	s.spills++
	opts.Prefix += "-" + strconv.Itoa(s.spills)
	s.pool, s.opens = spool.New(opts), map[uint32]*openThere{}
	s.seen.pool.Store(s.pool)
}

// checkSpace waits, by failing again, for the space that was missing.
func (s *stream) checkSpace() error {
	if s.needed == 0 {
		return nil
	}
	if err := spool.New(*s.cfg.Spill).Room(s.needed); err != nil {
		return s.noSpace(err)
	}
	s.needed = 0
	return nil
}

// noSpace is the error of a disk on which open transactions have no room.
func (s *stream) noSpace(err error) error {
	if !errors.Is(err, spool.ErrFull) {
		return err
	}
	return repr.NewError("53100", "the disk is full: transactions that are open on PostgreSQL at "+s.address().String()+" have no room").
		WithDetail("They need " + strconv.FormatInt(s.needed>>20, 10) + " MB, and 64 MB are left to the log.").
		WithHint("make room on the disk of the data directory: the source goes on by itself")
}

// dropOpen forgets all that is open: it is sent again.
func (s *stream) dropOpen() {
	if s.pool != nil {
		s.pool.Close()
		s.seen.opens.Store(0)
	}
}

// streamed takes the messages about transactions that are open, and those inside a block of one.
func (s *stream) streamed(ctx context.Context, kind byte, m *message) (taken bool, err error) {
	if s.pool == nil {
		return false, nil
	}
	about := bytes.IndexByte([]byte("SEcA"), kind) >= 0
	switch {
	case s.block != nil && kind == 'E':
		s.block, s.open = nil, false
	case s.block != nil && (about || kind == 'B' || kind == 'C'), s.block == nil && about && (s.open || kind == 'E'):
		err = errMessage
	case s.block != nil:
		err = s.keep(kind, m)
	case kind == 'S':
		err = s.beginBlock(ctx, m.uint32())
	case kind == 'c':
		if c := m.streamCommit(); !m.bad {
			err = s.commitOpen(ctx, c)
		}
	case kind == 'A':
		s.abort(m.uint32(), m.uint32())
	default:
		return false, nil
	}
	if m.bad {
		err = errMessage
	}
	return true, err
}

// beginBlock takes the beginning of a block of a transaction.
func (s *stream) beginBlock(ctx context.Context, xid uint32) error {
	if len(s.parts) > 0 { // it is not to wait for the block
		if err := s.hand(ctx); err != nil {
			return err
		}
	}
	if s.opens[xid] == nil {
		s.opens[xid] = &openThere{changes: s.pool.Open(), undone: map[uint32]bool{}}
		s.seen.opens.Store(int64(len(s.opens)))
	}
	s.block, s.open = s.opens[xid], true
	return nil
}

// keep keeps a change of the transaction whose block it is.
func (s *stream) keep(kind byte, m *message) error {
	sub := m.take(4)
	if m.bad {
		return errMessage
	}
	if bytes.IndexByte([]byte(kept), kind) < 0 {
		return nil
	}
	err := s.block.changes.Append(sub, []byte{kind}, m.b)
	s.fetched.Store(s.size + s.pool.Held())
	if err != nil {
		so := s.pool.Held() + s.pool.Written()
		s.needed = so + so/8
		return s.noSpace(err)
	}
	s.noteSpill()
	return nil
}

// abort takes back what a transaction, or a part of it, has done.
func (s *stream) abort(xid, sub uint32) {
	o := s.opens[xid]
	switch {
	case o == nil:
	case xid == sub:
		s.drop(xid)
	default:
		o.undone[sub] = true
	}
}

func (s *stream) drop(xid uint32) {
	s.opens[xid].changes.Drop()
	delete(s.opens, xid)
	s.seen.opens.Store(int64(len(s.opens)))
	s.fetched.Store(s.size + s.pool.Held())
	s.noteSpill()
}

// commitOpen applies a transaction that was open.
func (s *stream) commitOpen(ctx context.Context, c streamCommit) error {
	o := s.opens[c.xid]
	if o == nil {
		return errMessage
	}
	s.tx, s.open = c.begin, true
	err := o.changes.All(func(rec []byte) error {
		if len(rec) <= 4 {
			return errMessage
		}
		if o.undone[binary.BigEndian.Uint32(rec)] {
			return nil
		}
		m := &message{b: rec[5:]}
		err := s.apply(ctx, rec[4:], m)
		switch {
		case m.bad:
			return errMessage
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if err := s.gather(ctx); err != nil {
			return err
		}
		return s.tell(false)
	})
	if err != nil {
		return err
	}
	s.drop(c.xid)
	s.ended(c.end)
	return nil
}

// leastSpill is how much has to be on the disk for it to be told.
const leastSpill = 64 << 20

// noteSpill tells, now and then, how much of what is open is on the disk.
func (s *stream) noteSpill() {
	written := s.pool.Written()
	if max(written, s.onDisk) < leastSpill || written < 2*s.onDisk && written > s.onDisk/2 {
		return
	}
	s.onDisk = written
	s.log().Info("changes of transactions that are open are on the disk", "slot", s.cfg.Slot, "transactions", len(s.opens), "bytes", written)
}
