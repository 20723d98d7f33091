package pgwire

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// The head of the binary format: a signature, flags, and the length of an extension.
const (
	copySignature = "PGCOPY\n\xff\r\n\x00"
	copyHead      = len(copySignature) + 8
)

// tuples reads the rows of the binary format that are whole.
func (r *copyReader) tuples() *repr.Error {
	if !r.begun {
		if ok, err := r.head(); !ok || err != nil {
			return err
		}
	}
	for !r.done {
		n, err := r.tuple(r.buf[r.start:])
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		r.start += n
	}
	if !r.done {
		return nil
	}
	left := r.buf[r.start:]
	r.start = len(r.buf)
	return r.rest(left)
}

// head reads the head; ok is false when it is not whole yet.
func (r *copyReader) head() (ok bool, err *repr.Error) {
	b := r.buf
	refused := func(text string) *repr.Error { return repr.NewError(codeBadCopy, text) }
	if !bytes.HasPrefix([]byte(copySignature), b[:min(len(b), len(copySignature))]) {
		return false, refused("COPY file signature not recognized")
	}
	if len(b) < copyHead {
		switch {
		case r.last && len(b) < len(copySignature):
			return false, refused("COPY file signature not recognized")
		case r.last:
			return false, refused("invalid COPY file header (missing flags)")
		}
		return false, nil
	}
	flags := binary.BigEndian.Uint32(b[len(copySignature):])
	extension := int32(binary.BigEndian.Uint32(b[len(copySignature)+4:]))
	switch {
	case flags&(1<<16) != 0:
		return false, refused("invalid COPY file header (WITH OIDS)")
	case flags>>16 != 0:
		return false, refused("unrecognized critical flags in COPY file header")
	case extension < 0 || extension > maxCopyRecord:
		return false, refused("invalid COPY file header (missing length)")
	case len(b)-copyHead < int(extension):
		if r.last {
			return false, refused("invalid COPY file header (wrong length)")
		}
		return false, nil
	}
	r.start, r.begun = copyHead+int(extension), true
	return true, nil
}

// tuple reads a row from the start of b and gives its length; 0 when it is not whole yet.
func (r *copyReader) tuple(b []byte) (int, *repr.Error) {
	if len(b) < 2 {
		return 0, nil
	}
	count := int(int16(binary.BigEndian.Uint16(b)))
	if count == -1 {
		r.done = true
		return 2, nil
	}
	line := r.line
	r.line++
	if count != len(r.in.Cols) {
		return 0, repr.NewError(codeBadCopy, fmt.Sprintf("row field count is %d, expected %d", count, len(r.in.Cols))).In(r.place())
	}
	at := 2
	for i := range r.in.Cols {
		n, err := r.binaryValue(i, b[at:])
		if err != nil {
			return 0, err
		}
		if n == 0 && r.last {
			return 0, repr.NewError(codeBadCopy, "unexpected EOF in COPY data").In(r.place() + ", column " + r.in.Cols[i].Name)
		}
		if n == 0 {
			r.line = line
			return 0, nil
		}
		at += n
	}
	if err := r.in.Add(r.values); err != nil {
		return 0, err.In(r.place())
	}
	return at, nil
}

// binaryValue reads a value from the start of b and gives its length; 0 when it is not whole yet.
func (r *copyReader) binaryValue(i int, b []byte) (int, *repr.Error) {
	if len(b) < 4 {
		return 0, nil
	}
	where := func() string { return fmt.Sprintf("%s, column %s", r.place(), r.in.Cols[i].Name) }
	n := int(int32(binary.BigEndian.Uint32(b)))
	switch {
	case n == -1:
		r.values[i] = repr.Null
		return 4, nil
	case n < 0 || n > maxCopyRecord:
		return 0, repr.NewError(codeBadCopy, "invalid field size").In(where())
	case len(b)-4 < n:
		return 0, nil
	}
	var err *repr.Error
	if r.values[i], err = pgfmt.ParseBinary(r.in.Cols[i].Type, b[4:4+n]); err != nil {
		return 0, err.In(where())
	}
	return 4 + n, nil
}
