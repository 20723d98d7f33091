package pgwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits on the length of messages, in bytes.
const (
	maxStartupBytes = 10_000
	maxMessageBytes = 64 << 20
	readChunkBytes  = 64 << 10
)

// frame is one message as it came: its type and its body.
type frame struct {
	kind byte
	body []byte
	last bool // a Sync is known to follow
}

// errFraming says that the stream cannot be read on: the connection ends.
var errFraming = errors.New("malformed message frame")

// knownTypes are the messages that a client may send after the startup, and how long each may be.
var knownTypes = map[byte]int{
	'Q': maxMessageBytes, 'P': maxMessageBytes, 'B': maxMessageBytes, 'd': maxMessageBytes,
	'E': 64 << 10, 'D': 64 << 10, 'C': 64 << 10, 'f': 64 << 10, 'F': maxMessageBytes,
	'H': 0, 'S': 0, 'X': 0, 'c': 0, 'p': 64 << 10,
}

// readFrame reads one message of an open connection.
func readFrame(r io.Reader) (frame, error) {
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
	body, err := readBody(r, int(n))
	return frame{kind: head[0], body: body}, err
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
	return readBody(r, int(n))
}

// readBody reads n bytes; the buffer grows as they arrive, so that a length alone allocates nothing.
func readBody(r io.Reader, n int) ([]byte, error) {
	body := make([]byte, 0, min(n, readChunkBytes))
	for len(body) < n {
		step := min(n-len(body), max(readChunkBytes, len(body)))
		from := len(body)
		if cap(body) < from+step {
			grown := make([]byte, from, from+step)
			copy(grown, body)
			body = grown
		}
		body = body[:from+step]
		if _, err := io.ReadFull(r, body[from:]); err != nil {
			return nil, fmt.Errorf("read message body: %w", err)
		}
	}
	return body, nil
}
