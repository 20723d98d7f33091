package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"millrace/repr"
	"millrace/sources"
)

// tableRows is how many rows of a table make a batch.
const tableRows = 4096

// readColumns takes the columns of the first table.
func (s *Source) readColumns(root *os.Root, names []string) error {
	if len(names) == 0 {
		return repr.NewError(repr.CodeObjectNotReady, "there is no file \""+s.place(s.cfg.Pattern)+"\" yet that says the columns")
	}
	in, err := root.Open(names[0])
	if err != nil {
		return problem(s.place(names[0]), err)
	}
	defer func() { _ = in.Close() }() // it was only read
	t, err := s.cfg.Open(in, nil, 0)
	if err != nil {
		return atFile(s.place(names[0]), err)
	}
	defer func() { _ = t.Close() }() // it was only read
	kept, err := json.Marshal(t.Columns())
	s.header = string(kept)
	return err
}

// recallColumns reads what readColumns kept.
func (s *Source) recallColumns() error {
	if err := json.Unmarshal([]byte(s.header), &s.cols); err != nil {
		return fmt.Errorf("what is kept of the columns of files does not parse: %w", err)
	}
	return nil
}

// rowsIn is how many rows a table has; none when it cannot be opened, which reading it says.
func (r *reader) rowsIn(in *os.File) int64 {
	t, err := r.cfg.Open(in, r.cols, 0)
	if err != nil {
		return 0
	}
	defer func() { _ = t.Close() }() // it was only read
	return t.Rows()
}

// readTable hands over the rows of a table from where it is.
func (r *reader) readTable(ctx context.Context, in *os.File, f *file) error {
	info, err := in.Stat()
	if err != nil {
		return &badFile{err}
	}
	t, err := r.cfg.Open(in, r.cols, f.at)
	if err != nil {
		return &badFile{atFile(r.place(f.name), err)}
	}
	defer func() { _ = t.Close() }() // it was only read
	if err := f.learnTable(in, info.Size()); err != nil && !errors.Is(err, io.EOF) {
		return &badFile{err}
	}
	for !f.kept.Done {
		records, err := t.Next(tableRows)
		if err != nil {
			return &badFile{atFile(r.place(f.name), err)}
		}
		b := &sources.Batch{}
		for _, rec := range records {
			var bad error
			if rec.Err != nil {
				bad = rec.Err
			}
			r.take(b, f, rec.Row, nil, bad)
			f.at++
			f.kept.Line = f.at
		}
		if f.kept.Done = len(records) == 0; f.kept.Done {
			f.is(info)
		}
		b.State = f.state()
		b.Progress = []sources.Progress{{Partition: f.number, Next: f.at, High: t.Rows()}}
		if err := r.push(ctx, b, f); err != nil {
			return err
		}
	}
	r.handedAll(f)
	return nil
}

// learnTable remembers the beginning of a table.
func (f *file) learnTable(r io.ReaderAt, size int64) error {
	length := min(size, edgeBytes)
	if length <= f.kept.Length {
		return nil
	}
	head, err := headOf(r, length)
	if err == nil {
		f.kept.Head, f.kept.Length = head, length
	}
	return err
}

// atFile says of which file an error is.
func atFile(place string, err error) error {
	e := *problem(place, err)
	e.Message = "file \"" + place + "\": " + e.Message
	return &e
}
