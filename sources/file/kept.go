package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"

	"millrace/repr"
	"millrace/sources"
)

// headBytes is how much of a file is looked at to know it again.
const headBytes = 1024

// file is a file that was found.
type file struct {
	number int32
	name   string
	at     int64 // the byte behind what was handed over
	kept   kept
	row    []byte // kept, as it was told to be kept; nil: it was not
	known  bool   // its beginning was compared since the start
	stuck  error  // why it is read no further
}

// kept is what is known of a file after a restart.
type kept struct {
	Number int32  `json:"number"`
	Name   string `json:"name"`
	Length int64  `json:"length,omitempty"` // how much of its beginning Head is of
	Head   string `json:"head,omitempty"`
	Done   bool   `json:"done,omitempty"` // it was read to its end, and is not followed
}

// Restore takes what was kept.
func (s *Source) Restore(rows iter.Seq2[[]byte, repr.Diff]) error {
	for row := range rows {
		var k kept
		if err := json.Unmarshal(row, &k); err != nil {
			return fmt.Errorf("what is kept of a file does not parse: %w", err)
		}
		s.files = append(s.files, &file{number: k.Number, name: k.Name, kept: k, row: slices.Clone(row)})
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

// headOf tells the beginning of a file apart from others.
func headOf(r io.ReaderAt, length int64) (string, error) {
	b := make([]byte, length)
	if _, err := r.ReadAt(b, 0); err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// learn remembers the beginning of a file, as far as it was read.
func (f *file) learn(r io.ReaderAt, size int64) error {
	length := min(size, headBytes)
	if length <= f.kept.Length {
		return nil
	}
	head, err := headOf(r, length)
	if err == nil {
		f.kept.Head, f.kept.Length = head, length
	}
	return err
}
