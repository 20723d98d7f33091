package envelope

import (
	"context"
	"errors"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/sources"
)

// None takes every message with a value for a row that stays. A message without a value is skipped.
type None struct {
	Value ValueDecoder
	Key   ValueDecoder // its columns follow those of the value; nil when the key is not asked for
	Rest  Rest         // what it keeps ends a row; nil: nothing is kept

	arena arena
	buf   []byte
}

// Extra gives the fields of values that no column has, each once.
func (n *None) Extra() []string { return extraOf(n.Rest) }

// Apply appends an insertion.
func (n *None) Apply(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error) {
	if m.Value == nil {
		return dst, nil
	}
	row, err := n.Value.Append(ctx, n.buf[:0], m.Value)
	if errors.Is(err, format.ErrNoRow) {
		return dst, nil
	}
	if err != nil {
		return dst, err
	}
	if n.Key != nil {
		if row, err = n.appendKey(ctx, row, m.Key); err != nil {
			return dst, err
		}
	}
	n.buf = append(row, m.Meta...)
	if n.Rest != nil {
		n.buf = n.Rest.AppendRest(n.buf)
	}
	return append(dst, sources.Update{Row: n.arena.keep(n.buf), Diff: 1}), nil
}

// appendKey appends the columns of a key, NULLs when the message has none.
func (n *None) appendKey(ctx context.Context, row, key []byte) ([]byte, error) {
	if key == nil {
		for range n.Key.Columns() {
			row = repr.Append(row, repr.Null)
		}
		return row, nil
	}
	row, err := n.Key.Append(ctx, row, key)
	return row, inKey(err)
}

// inKey says that a bad message is bad in its key.
func inKey(err error) error {
	var e *repr.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Message = "key: " + e.Message
	return &c
}

// arena keeps rows in chunks, so that a row is not an allocation of its own.
type arena struct{ chunk []byte }

const arenaChunk = 64 << 10

func (a *arena) keep(row []byte) []byte {
	if len(row) > arenaChunk/4 {
		return append([]byte(nil), row...)
	}
	if len(a.chunk)+len(row) > cap(a.chunk) {
		a.chunk = make([]byte, 0, arenaChunk)
	}
	from := len(a.chunk)
	a.chunk = append(a.chunk, row...)
	return a.chunk[from:len(a.chunk):len(a.chunk)]
}
