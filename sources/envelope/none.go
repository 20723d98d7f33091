package envelope

import (
	"context"
	"errors"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/sources"
)

// rowRoom is how much longer a row is than its message, at most where it is of one column; others are rather shorter.
const rowRoom = 64

// None takes every message with a value for a row that stays. A message without a value is skipped.
type None struct {
	Value ValueDecoder
	Key   ValueDecoder // its columns follow those of the value; nil when the key is not asked for
	Rest  Rest         // what it keeps ends a row; nil: nothing is kept

	own sources.Arena // of rows of messages that bring no other
}

// Extra gives the fields of values that no column has, each once.
func (n *None) Extra() []string { return extraOf(n.Rest) }

// Apply appends an insertion.
func (n *None) Apply(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error) {
	if m.Value == nil {
		return dst, nil
	}
	rows := m.Rows
	if rows == nil {
		rows = &n.own
	}
	row, err := n.Value.Append(ctx, rows.Open(len(m.Value)+len(m.Key)+len(m.Meta)+rowRoom), m.Value)
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
	row = append(row, m.Meta...)
	if n.Rest != nil {
		row = n.Rest.AppendRest(row)
	}
	return append(dst, sources.Update{Row: rows.Close(row), Diff: 1}), nil
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
