package pgwire

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/repr"
)

// copyIn takes the rows of a COPY … FROM STDIN from the client and gives the command tag. After an error what the client
// still sends of them is dropped.
func (c *conn) copyIn(ctx context.Context, in *coord.CopyIn) (string, *repr.Error) {
	r := newCopyReader(in, c.session.TextOptions())
	overall := byte(0)
	formats := make([]uint16, len(in.Cols))
	if in.Format.Format == "binary" {
		overall = 1
		for i := range formats {
			formats[i] = 1
		}
	}
	c.send(&pgproto3.CopyInResponse{OverallFormat: overall, ColumnFormatCodes: formats})
	c.flush()
	for {
		done, err := c.copyFrame(ctx, r)
		if err != nil {
			return "", err
		}
		if done {
			return in.Finish(ctx)
		}
	}
}

// copyFrame takes one message of a COPY, and says whether it was the last.
func (c *conn) copyFrame(ctx context.Context, r *copyReader) (done bool, err *repr.Error) {
	var f frame
	ok := false
	select {
	case f, ok = <-c.frames:
	case <-ctx.Done():
		return false, copyEnded(ctx)
	}
	defer func() { c.srv.bytes.give(f.held) }()
	if !ok || f.kind == 'X' {
		c.broken = true
		return false, repr.NewError("08006", "unexpected EOF on client connection with an open transaction")
	}
	switch f.kind {
	case 'd':
		return false, r.write(f.body)
	case 'c':
		return true, r.end()
	case 'f':
		why := string(bytes.ToValidUTF8(bytes.TrimRight(f.body, "\x00"), []byte("?")))
		return false, repr.NewError(repr.CodeQueryCanceled, "COPY from stdin failed: "+why).In(r.place())
	case 'H', 'S':
		return false, nil // of the message that began the COPY
	case 0:
		err = framingError(f.err)
		c.fatal(err)
		c.linger()
		return false, err
	default:
		return false, repr.NewError(repr.CodeProtocolViolation, fmt.Sprintf("unexpected message type 0x%02X during COPY from stdin", f.kind)).
			In(r.place())
	}
}

// copyEnded is why a COPY was ended from our side.
func copyEnded(ctx context.Context) *repr.Error {
	if e, ok := context.Cause(ctx).(*repr.Error); ok {
		return e
	}
	return repr.NewError(repr.CodeQueryCanceled, "canceling statement due to user request")
}
