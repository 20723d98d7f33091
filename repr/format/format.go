package format

import (
	"errors"

	"millrace/repr"
)

// ErrNoRow says that a message is as it should be and holds no row, as a header does.
var ErrNoRow = errors.New("the message holds no row")

// Decoder turns messages into columns. One goroutine at a time may use it.
type Decoder interface {
	// Columns are what a message becomes.
	Columns() repr.RowDesc
	// Append decodes a message and appends its columns, packed. On an error dst is returned as it was.
	Append(dst, message []byte) ([]byte, error)
}

// Lenient is a decoder that can give NULL for a field that it cannot decode.
type Lenient interface {
	// Forgive says whether it does, from the next message on. A field that must not be NULL is an error either way.
	Forgive(yes bool)
	// Forgiven is what was wrong with the first such field of the messages that were decoded since this was asked last; nil when nothing was.
	Forgiven() *repr.Error
}

// Encoder turns rows into messages. One goroutine at a time may use it.
type Encoder interface {
	// Append appends the message for a packed row.
	Append(dst, row []byte) ([]byte, error)
}
