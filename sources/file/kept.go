package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"syscall"
	"time"

	"millrace/repr"
	"millrace/sources"
)

// edgeBytes is how much of the beginning of a file, and of what was read last, is looked at to know it again.
const edgeBytes = 1024

// file is a file that was found.
type file struct {
	number int32
	name   string
	at     int64 // the byte of its content, unpacked, behind what was handed over; of a table, the row
	kept   kept
	row    []byte // kept, as it was told to be kept; nil: it was not
	edges  *edges // of what was read; nil: not known since the start
	known  bool   // its beginning was compared since the start
	stuck  error  // why it is read no further
	tried  int64  // how large it was then
	size   int64  // when it was last seen

	changed time.Time // the time it had when its beginning was last compared, once that had settled

	uncounted bool // how many lines were read of it is not known
	numbered  bool // its number is kept
	lettered  bool // bad records of it were written to the topic of dead letters
	handed    bool // all of it was handed over
	over      bool // and that is kept
}

// kept is what is known of a file after a restart.
type kept struct {
	Number int32  `json:"number"`
	Name   string `json:"name"`
	Length int64  `json:"length,omitempty"` // how much of its beginning Head is of
	Head   string `json:"head,omitempty"`
	End    string `json:"end,omitempty"` // of what was read last
	Dev    uint64 `json:"dev,omitempty"` // its number to the system, as the next
	Ino    uint64 `json:"ino,omitempty"`
	Line   int64  `json:"line,omitempty"`   // how many lines were read; 0: that is not known, or none
	Packed bool   `json:"packed,omitempty"` // it was when it was found
	Found  int64  `json:"found,omitempty"`  // when, in milliseconds
	Done   bool   `json:"done,omitempty"`   // it was read to its end, and is not followed
	Gone   bool   `json:"gone,omitempty"`   // there is no file any more that it is
	Size   int64  `json:"size,omitempty"`   // then
	Mtime  int64  `json:"mtime,omitempty"`  // then, in nanoseconds
}

// Restore takes what was kept.
func (s *Source) Restore(rows iter.Seq2[[]byte, repr.Diff]) error {
	for row := range rows {
		var k kept
		if err := json.Unmarshal(row, &k); err != nil {
			return fmt.Errorf("what is kept of a file does not parse: %w", err)
		}
		s.files = append(s.files, &file{number: k.Number, name: k.Name, kept: k, row: slices.Clone(row), numbered: true, handed: k.Done, over: k.Done})
	}
	slices.SortFunc(s.files, func(a, b *file) int { return int(a.number - b.number) })
	for i, f := range s.files {
		if int(f.number) != i+1 {
			return fmt.Errorf("file %d of a source is missing in what is kept", i+1)
		}
	}
	return nil
}

// state gives what has changed of what is kept of a file.
func (f *file) state() []sources.Update {
	row, err := json.Marshal(f.kept)
	if err != nil || string(row) == string(f.row) {
		return nil
	}
	var out []sources.Update
	if f.row != nil {
		out = append(out, sources.Update{Row: f.row, Diff: -1})
	}
	f.row = row
	return append(out, sources.Update{Row: row, Diff: 1})
}

// edges are the beginning and the end of what was read.
type edges struct{ head, tail []byte }

// Write adds what was read.
func (e *edges) Write(p []byte) (int, error) {
	if n := min(edgeBytes-len(e.head), len(p)); n > 0 {
		e.head = append(e.head, p[:n]...)
	}
	if len(p) >= edgeBytes {
		e.tail = append(e.tail[:0], p[len(p)-edgeBytes:]...)
		return len(p), nil
	}
	e.tail = append(e.tail, p...)
	if over := len(e.tail) - edgeBytes; over > 0 {
		e.tail = slices.Delete(e.tail, 0, over)
	}
	return len(p), nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// isOf says whether edges are those of a file as far as it was read. One that is known from an older release has its beginning alone.
func (e *edges) isOf(k *kept) bool {
	return int64(len(e.head)) >= k.Length && sumOf(e.head[:k.Length]) == k.Head && (k.End == "" || sumOf(e.tail) == k.End)
}

// edgesAt reads the edges of a plain file up to a place.
func edgesAt(in io.ReaderAt, place int64) (*edges, error) {
	e := &edges{head: make([]byte, min(place, edgeBytes)), tail: make([]byte, min(place, edgeBytes))}
	if place == 0 {
		return e, nil
	}
	for _, part := range []struct {
		b    []byte
		from int64
	}{{e.head, 0}, {e.tail, place - int64(len(e.tail))}} {
		if n, err := in.ReadAt(part.b, part.from); n < len(part.b) {
			return nil, err
		}
	}
	return e, nil
}

// headOf tells the beginning of a file apart from others.
func headOf(r io.ReaderAt, length int64) (string, error) {
	b := make([]byte, length)
	if _, err := r.ReadAt(b, 0); err != nil {
		return "", err
	}
	return sumOf(b), nil
}

// learn remembers the edges of what was read of a file.
func (f *file) learn() {
	f.kept.Head, f.kept.Length, f.kept.End = sumOf(f.edges.head), int64(len(f.edges.head)), sumOf(f.edges.tail)
}

// identity is the number of a file to the system, which it keeps when it is given another name.
type identity struct{ dev, ino uint64 }

// identify is the identity of a file; none where the system does not say.
func identify(info os.FileInfo) identity {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{dev: uint64(sys.Dev), ino: sys.Ino}
	}
	return identity{}
}

func (k *kept) identity() identity { return identity{dev: k.Dev, ino: k.Ino} }

// is notes which file it is.
func (f *file) is(info os.FileInfo) {
	id := identify(info)
	f.kept.Dev, f.kept.Ino = id.dev, id.ino
	if f.kept.Done {
		f.kept.Size, f.kept.Mtime = info.Size(), info.ModTime().UnixNano()
	}
}

// sameAsDone says whether a file is still as it was when it had been read.
func (f *file) sameAsDone(info os.FileInfo) bool {
	return info.Size() == f.kept.Size && info.ModTime().UnixNano() == f.kept.Mtime
}

// statIn is a file of a folder; nil when there is none.
func statIn(root *os.Root, name string) os.FileInfo {
	info, err := root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return info
}

// beside are the files in the folder of a file.
func beside(root *os.Root, name string) []string {
	dir, _ := splitName(name)
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil // listing the pattern says why
	}
	var out []string
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if dir == "." {
			out = append(out, e.Name())
			continue
		}
		out = append(out, dir+"/"+e.Name())
	}
	return out
}
