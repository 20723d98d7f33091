package pgwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgproto3/v2"
)

// packet is a message as a client writes it; the length counts itself.
func packet(kind byte, body string) []byte {
	out := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(out, body...)
}

func TestReadFrame(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*readChunkBytes+7) + "\x00"
	for _, c := range []struct {
		name string
		in   []byte
		body string
		err  string
	}{
		{"query", packet('Q', "SELECT 1\x00"), "SELECT 1\x00", ""},
		{"sync", packet('S', ""), "", ""},
		{"several chunks", packet('Q', long), long, ""},
		{"unknown type", packet('!', ""), "", "invalid frontend message type 33"},
		{"length below itself", []byte("Q\x00\x00\x00\x03"), "", "of -1 bytes"},
		{"negative length", []byte("Q\xff\xff\xff\xff"), "", "of -5 bytes"},
		{"one gigabyte", []byte("Q\x40\x00\x00\x00"), "", "are allowed"},
		{"sync with a body", packet('S', "x"), "", "at most 0 are allowed"},
		{"body cut short", packet('Q', "SELECT 1\x00")[:9], "", "unexpected EOF"},
		{"header cut short", []byte("Q\x00"), "", "unexpected EOF"},
		{"nothing", nil, "", "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := readFrame(bytes.NewReader(c.in), &budget{})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || string(f.body) != c.body || f.kind != c.in[0] {
				t.Errorf("got %q %d bytes, %v", f.kind, len(f.body), err)
			}
		})
	}
}

func TestReadStartup(t *testing.T) {
	t.Parallel()
	for _, n := range []uint32{0, 3, 7, maxStartupBytes + 5, 1 << 30, 1<<32 - 1} {
		_, err := readStartup(bytes.NewReader(binary.BigEndian.AppendUint32(nil, n)))
		if !errors.Is(err, errFraming) {
			t.Errorf("length %d: %v, want a framing error", n, err)
		}
	}
}

// A length word alone costs nothing: what is allocated is bound by what has come.
func TestReadFrameAllocatesWhatArrived(t *testing.T) {
	head := binary.BigEndian.AppendUint32([]byte{'Q'}, maxMessageBytes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := readFrame(bytes.NewReader(head), &budget{}); err == nil {
			t.Fatal("a frame without a body was read")
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 100*2*readChunkBytes {
		t.Errorf("100 bare headers allocated %d bytes", got)
	}
}

// message gives the pgproto3 message that a frame of that type is decoded into; nil for those that are not decoded.
func message(kind byte) pgproto3.Message {
	switch kind {
	case 'Q':
		return &pgproto3.Query{}
	case 'P':
		return &pgproto3.Parse{}
	case 'B':
		return &pgproto3.Bind{}
	case 'D':
		return &pgproto3.Describe{}
	case 'E':
		return &pgproto3.Execute{}
	case 'C':
		return &pgproto3.Close{}
	}
	return nil
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		kind byte
		body string
		code string // "" when it is well formed
	}{
		{"query", 'Q', "SELECT 1\x00", ""},
		{"empty query body", 'Q', "", "08P01"},
		{"query with two ends", 'Q', "a\x00b\x00", "08P01"},
		{"query that is not UTF-8", 'Q', "SELECT '\xff'\x00", "22021"},
		{"parse", 'P', "s\x00SELECT $1\x00\x00\x01\x00\x00\x00\x17", ""},
		{"parse with a type missing", 'P', "s\x00SELECT $1\x00\x00\x02\x00\x00\x00\x17", "08P01"},
		{"parse that is not UTF-8", 'P', "s\x00\xc3\x28\x00\x00\x00", "22021"},
		{"bind", 'B', "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01x\x00\x00", ""},
		{"bind NULL", 'B', "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00", ""},
		{"bind length -2", 'B', "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00", "08P01"},
		{"bind length beyond the body", 'B', "\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff\x00\x00", "08P01"},
		{"bind with too many values", 'B', "\x00\x00\x00\x00\xff\xff\x00\x00\x00\x01x\x00\x00", "08P01"},
		{"describe", 'D', "Sx\x00", ""},
		{"describe of nothing", 'D', "", "08P01"},
		{"describe of an unknown kind", 'D', "Xx\x00", "08P01"},
		{"close", 'C', "P\x00", ""},
		{"execute", 'E', "\x00\x00\x00\x00\x00", ""},
		{"execute without a limit", 'E', "\x00", "08P01"},
		{"copy fail", 'f', "why\x00", ""},
		{"empty copy fail", 'f', "", "08P01"},
		{"function call", 'F', "", "0A000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := validate(frame{kind: c.kind, body: []byte(c.body)})
			switch {
			case c.code == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.code != "" && (err == nil || err.Code != c.code):
				t.Errorf("error %v, want %s", err, c.code)
			}
		})
	}
}

// FuzzFrame sends arbitrary bytes through framing, validation and decoding: none of it panics, a body is exactly what
// came, and what validate has passed decodes.
func FuzzFrame(f *testing.F) {
	for _, seed := range [][]byte{
		packet('Q', "SELECT 1\x00"), packet('P', "s\x00SELECT $1\x00\x00\x01\x00\x00\x00\x17"),
		packet('B', "p\x00s\x00\x00\x01\x00\x01\x00\x01\x00\x00\x00\x04abcd\x00\x01\x00\x00"), packet('D', "Ps\x00"),
		packet('E', "p\x00\x00\x00\x00\x05"), packet('C', "Ss\x00"), packet('f', "no\x00"), packet('F', "\x00\x00\x00\x01"),
		packet('p', "x"), packet('S', ""), packet('H', ""), packet('X', ""), packet('d', "1\t2\n"), packet('c', ""),
		packet('B', "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xf0\x00\x00"), []byte("Q\x40\x00\x00\x00"), packet('Q', ""),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		var held budget
		for {
			at := len(in) - r.Len()
			fr, err := readFrame(r, &held)
			held.give(fr.held)
			if held.used.Load() != 0 {
				t.Fatalf("%d bytes are never given back", held.used.Load())
			}
			if err != nil {
				if !errors.Is(err, errFraming) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if !bytes.Equal(fr.body, in[at+5:len(in)-r.Len()]) {
				t.Fatalf("the body is not what came at %d", at)
			}
			if cap(fr.body) > 2*len(fr.body)+readChunkBytes {
				t.Fatalf("a body of %d bytes has taken %d", len(fr.body), cap(fr.body))
			}
			m := message(fr.kind)
			if validate(fr) != nil || m == nil {
				continue
			}
			if err := m.Decode(fr.body); err != nil {
				t.Fatalf("valid %q body %q does not decode: %v", fr.kind, fr.body, err)
			}
		}
	})
}
