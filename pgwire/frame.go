package pgwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Limits on the length of messages, in bytes.
const (
	maxStartupBytes = 10_000
	maxMessageBytes = 64 << 20
	readChunkBytes  = 64 << 10
	budgetBytes     = 256 << 20 // of all bodies of one server that are longer than a chunk
)

// budget is what the bodies of all connections may hold together, beyond a chunk each.
type budget struct{ used atomic.Int64 }

// take claims n bytes, if they are left.
func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) <= budgetBytes {
		return true
	}
	b.give(n)
	return false
}

// give hands n bytes back.
func (b *budget) give(n int) { b.used.Add(-int64(n)) }

// frame is one message as it came: its type and its body.
type frame struct {
	kind byte
	body []byte
	last bool  // a Sync is known to follow
	held int   // bytes of the budget that the body holds
	err  error // of kind 0: why the stream cannot be read on
}

// Both say that the stream cannot be read on: the connection ends.
var (
	errFraming = errors.New("malformed message frame")
	errBudget  = errors.New("the messages of all clients together are too long")
)

// knownTypes are the messages that a client may send after the startup, and how long each may be.
var knownTypes = map[byte]int{
	'Q': maxMessageBytes, 'P': maxMessageBytes, 'B': maxMessageBytes, 'd': maxMessageBytes,
	'E': 64 << 10, 'D': 64 << 10, 'C': 64 << 10, 'f': 64 << 10, 'F': maxMessageBytes,
	'H': 0, 'S': 0, 'X': 0, 'c': 0, 'p': 64 << 10,
}

// readFrame reads one message of an open connection. What its body holds of the budget is its reader's to give back.
func readFrame(r io.Reader, b *budget) (frame, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	limit, ok := knownTypes[head[0]]
	if !ok {
		return frame{}, fmt.Errorf("%w: invalid frontend message type %d", errFraming, head[0])
	}
	n := int64(int32(binary.BigEndian.Uint32(head[1:]))) - 4
	if n < 0 || n > int64(limit) {
		return frame{}, fmt.Errorf("%w: message %q of %d bytes, at most %d are allowed", errFraming, head[0], n, limit)
	}
	body, held, err := readBody(r, int(n), b)
	if err != nil {
		b.give(held)
		return frame{}, err
	}
	return frame{kind: head[0], body: body, held: held}, nil
}

// readStartup reads the first packet, which has no type.
func readStartup(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int64(int32(binary.BigEndian.Uint32(head[:]))) - 4
	if n < 4 || n > maxStartupBytes {
		return nil, fmt.Errorf("%w: startup packet of %d bytes", errFraming, n)
	}
	body, _, err := readBody(r, int(n), nil)
	return body, err
}

// readBody reads n bytes; the buffer grows as they arrive, so that a length alone allocates nothing. What is more than a
// chunk is claimed from the budget.
func readBody(r io.Reader, n int, b *budget) (body []byte, held int, err error) {
	body = make([]byte, 0, min(n, readChunkBytes))
	for len(body) < n {
		step := min(n-len(body), max(readChunkBytes, len(body)))
		from := len(body)
		if grow := from + step - cap(body); grow > 0 {
			if !b.take(grow) {
				return nil, held, errBudget
			}
			held += grow
			grown := make([]byte, from, from+step)
			copy(grown, body)
			body = grown
		}
		body = body[:from+step]
		if _, err := io.ReadFull(r, body[from:]); err != nil {
			return nil, held, fmt.Errorf("read message body: %w", err)
		}
	}
	return body, held, nil
}
