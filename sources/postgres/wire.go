package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/jackc/pglogrepl"
)

// errMessage says that a message of pgoutput does not parse.
var errMessage = errors.New("a message of the replication stream does not parse")

// message takes a message of pgoutput apart; bad is set when something is not there. pglogrepl has a parser of its own, which
// trusts the lengths that it reads and allocates for every column.
type message struct {
	b   []byte
	bad bool
}

func (m *message) take(n int) []byte {
	if n < 0 || n > len(m.b) {
		m.bad, m.b = true, nil
		return nil
	}
	out := m.b[:n:n]
	m.b = m.b[n:]
	return out
}

func (m *message) byte() byte {
	if b := m.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (m *message) uint16() uint16 {
	if b := m.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (m *message) uint32() uint32 {
	if b := m.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (m *message) uint64() uint64 {
	if b := m.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (m *message) text() string {
	end := bytes.IndexByte(m.b, 0)
	if end < 0 {
		m.bad, m.b = true, nil
		return ""
	}
	return string(m.take(end + 1)[:end])
}

// value is a column of a tuple: kind n is NULL, u is a large value that did not change and is not sent, t is text.
type value struct {
	kind byte
	text []byte
}

// tuple reads a row into dst, whose texts are valid as long as the message.
func (m *message) tuple(dst []value) []value {
	n := int(m.uint16())
	for range n {
		v := value{kind: m.byte()}
		switch v.kind {
		case 'n', 'u':
		case 't':
			v.text = m.take(int(int32(m.uint32())))
		default:
			m.bad = true
		}
		if m.bad {
			return nil
		}
		dst = append(dst, v)
	}
	return dst
}

// relation is how a table looks in the messages that follow.
type relation struct {
	oid      uint32
	schema   string
	name     string
	identity byte
	columns  []relationColumn
}

type relationColumn struct {
	name string
	typ  uint32
	mod  int32
}

func (m *message) relation() *relation {
	r := &relation{oid: m.uint32(), schema: m.text(), name: m.text(), identity: m.byte()}
	for range m.uint16() {
		m.byte() // whether it is part of the key
		r.columns = append(r.columns, relationColumn{name: m.text(), typ: m.uint32(), mod: int32(m.uint32())})
		if m.bad {
			break
		}
	}
	if r.schema == "" {
		r.schema = "pg_catalog" // as the protocol abbreviates it
	}
	return r
}

// begin is the start of a transaction.
type begin struct {
	commit pglogrepl.LSN // where its commit lies
	micros int64         // when it committed, since 2000
}

func (m *message) begin() begin {
	return begin{commit: pglogrepl.LSN(m.uint64()), micros: int64(m.uint64())}
}

// commit gives where a transaction ends.
func (m *message) commit() pglogrepl.LSN {
	m.byte()
	m.uint64()
	return pglogrepl.LSN(m.uint64())
}

// streamCommit is the end of a transaction that was sent while it was open.
type streamCommit struct {
	xid uint32
	begin
	end pglogrepl.LSN
}

func (m *message) streamCommit() streamCommit {
	c := streamCommit{xid: m.uint32()}
	m.byte()
	c.commit, c.end, c.micros = pglogrepl.LSN(m.uint64()), pglogrepl.LSN(m.uint64()), int64(m.uint64())
	return c
}

// truncated gives the tables of a TRUNCATE.
func (m *message) truncated() []uint32 {
	n := int(m.uint32())
	m.byte()
	if n > len(m.b)/4 {
		m.bad = true
		return nil
	}
	out := make([]uint32, n)
	for i := range out {
		out[i] = m.uint32()
	}
	return out
}
