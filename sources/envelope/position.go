package envelope

import "strconv"

// position is where in the database's log a change stands. Positions of one key's changes grow, as the changes of
// one row follow one another in the log; positions of different keys need not come in order.
type position struct {
	known  bool
	lsn    bool   // offset is an LSN, and log is nothing
	epoch  uint32 // how often the log began anew: see Debezium.place
	row    uint32 // among the rows of one event
	log    uint64 // the number of the log file
	offset uint64 // in the file; or the LSN
	millis int64  // the database's clock, milliseconds since 1970
}

// compare orders two positions of one log. Unknown ones are equal.
func (p position) compare(q position) int {
	if !p.known || !q.known {
		return 0
	}
	a := [...]uint64{uint64(p.epoch), p.log, p.offset, uint64(p.row)}
	b := [...]uint64{uint64(q.epoch), q.log, q.offset, uint64(q.row)}
	for i := range a {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// logNumber is the number that ends the name of a log file: binlog.000012 is 12.
func logNumber(file string) (uint64, bool) {
	i := len(file)
	for i > 0 && file[i-1] >= '0' && file[i-1] <= '9' {
		i--
	}
	n, err := strconv.ParseUint(file[i:], 10, 64)
	return n, err == nil
}

// repeats says whether a change of a key was applied already, when the last one applied, an op, stands at done.
func repeats(c *change, done position, op byte) bool {
	if !c.pos.known || !done.known {
		return false
	}
	switch order := c.pos.compare(done); {
	case order > 0:
		return false
	case order < 0:
		return op != opRead || !c.pos.committedAfter(done, c.op)
	case c.op == op, c.op == opRead:
		return true // the snapshot stands before everything else that bears its position
	case op == opRead:
		return false
	default:
		return c.op != opDelete // a key comes and goes in this order at one position, if it does
	}
}

// committedAfter says whether a change that was logged before a snapshot was committed after it, so that the snapshot
// did not see it: PostgreSQL streams those.
func (p position) committedAfter(snapshot position, op byte) bool {
	return op != opRead && p.lsn && p.epoch == snapshot.epoch && p.millis >= snapshot.millis
}
