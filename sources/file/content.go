package file

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"millrace/repr"
)

// Compression is how files are packed.
type Compression uint8

// The kinds of compression.
const (
	BySuffix Compression = iota // .gz, .zst, .sz and .snappy; none otherwise
	Uncompressed
	Gzip
	Zstd
	Snappy // in frames
)

// suffixes are those of packed files.
var suffixes = map[string]Compression{".gz": Gzip, ".zst": Zstd, ".sz": Snappy, ".snappy": Snappy}

// mostWindow bounds what unpacking a file may hold in memory.
const mostWindow = 64 << 20

// unpackers open packed content.
var unpackers = map[Compression]func(in io.Reader) (io.Reader, func(), error){
	Gzip: func(in io.Reader) (io.Reader, func(), error) {
		r, err := gzip.NewReader(in)
		return r, func() {}, err
	},
	Zstd: func(in io.Reader) (io.Reader, func(), error) {
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(mostWindow))
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	},
	Snappy: func(in io.Reader) (io.Reader, func(), error) {
		return s2.NewReader(in, s2.ReaderMaxBlockSize(4<<20)), func() {}, nil
	},
}

// packed is how a file is packed, by its name.
func (s *Source) packed(name string) Compression {
	if s.cfg.Format == FormatTable {
		return Uncompressed
	}
	if s.cfg.Compression != BySuffix {
		return s.cfg.Compression
	}
	for suffix, c := range suffixes {
		if strings.HasSuffix(name, suffix) {
			return c
		}
	}
	return Uncompressed
}

// content is what a file holds, unpacked, from somewhere on.
type content struct {
	io.Reader
	close func()
}

// contentOf opens the content of a file from its beginning.
func (s *Source) contentOf(in *os.File, name string) (*content, error) {
	unpack := unpackers[s.packed(name)]
	if unpack == nil {
		return &content{Reader: io.NewSectionReader(in, 0, math.MaxInt64), close: func() {}}, nil
	}
	r, done, err := unpack(io.NewSectionReader(in, 0, math.MaxInt64))
	if err != nil {
		return nil, s.damaged(name, err)
	}
	return &content{Reader: &whole{r: r, s: s, name: name}, close: done}, nil
}

// whole says of a packed file that ends too early, or does not unpack, that it is damaged.
type whole struct {
	r    io.Reader
	s    *Source
	name string
}

// Read reads what is unpacked.
func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = w.s.damaged(w.name, err)
	}
	return n, err
}

// damaged is the error of a packed file.
func (s *Source) damaged(name string, err error) error {
	return &badFile{repr.NewError(repr.CodeInvalidText, fmt.Sprintf("file \"%s\" cannot be unpacked: %s", s.place(name), err)).
		WithHint("it is tried again when it changes: it may not be complete yet")}
}

// at skips to a place of the content, and gives its edges up to there. A content that ends before is too short, which io.EOF says.
func (c *content) at(place int64) (*edges, error) {
	e := &edges{}
	n, err := io.CopyN(e, c.Reader, place)
	if err == nil && n < place {
		err = io.EOF
	}
	return e, err
}

// isPacked says whether a file is packed. Such a file is complete, and not followed.
func (s *Source) isPacked(name string) bool { return unpackers[s.packed(name)] != nil }
