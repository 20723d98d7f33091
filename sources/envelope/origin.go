package envelope

import (
	"bytes"
	"strconv"
)

// origin is where in a database's log a change stands, in the words of Debezium's source block. Each connector fills its own.
type origin struct {
	millis    int64
	lsn       int64 // PostgreSQL
	file      []byte
	pos, row  int64 // MySQL, MariaDB: place in the file, and row of the event
	ord       int64 // MongoDB: place among the changes of one time
	serial    int64 // SQL Server: place among the changes of one LSN
	change    uint64
	commit    uint64
	hasLSN    bool
	hasPos    bool
	hasOrd    bool
	hasCommit bool
}

// place says where a change stands. The rows of a snapshot of PostgreSQL, MySQL and MariaDB have one position all together.
func (o *origin) place(c *change) {
	c.pos = o.position()
	c.sweeps = o.hasLSN || o.hasPos && !o.hasCommit
}

// position makes the positions of all connectors alike. For SQL Server the commit comes first, and the change within it; for
// MongoDB the time of its cluster.
func (o *origin) position() position {
	p := position{millis: o.millis}
	switch {
	case o.hasLSN:
		p.known, p.lsn, p.offset = true, true, uint64(o.lsn)
	case o.hasCommit:
		p.known, p.log, p.offset, p.row = true, o.commit, o.change, uint32(o.serial)
	case o.hasPos:
		p.log, p.known = logNumber(string(o.file))
		p.offset, p.row = uint64(o.pos), uint32(o.row)
	case o.hasOrd:
		p.known, p.offset, p.row = true, uint64(o.millis), uint32(o.ord)
	}
	return p
}

// parseLSN reads an LSN of SQL Server, such as 00000027:00000758:0005: the number of a file, of a block in it and of a slot in
// that. One whose numbers do not fit is not known, so that the order in the topic counts.
func parseLSN(text []byte) (lsn uint64, ok bool) {
	for i, bits := range [...]int{24, 24, 16} {
		part, rest, more := bytes.Cut(text, []byte(":"))
		n, err := strconv.ParseUint(string(part), 16, bits)
		if err != nil || more != (i < 2) {
			return 0, false
		}
		lsn = lsn<<bits | n
		text = rest
	}
	return lsn, true
}
