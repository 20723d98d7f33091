package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/sources"
)

const (
	// lookEvery is how often it is looked for new files and for what files have grown by.
	lookEvery = 500 * time.Millisecond
	// readBytes is how much is read at a time, and about how much makes a batch.
	readBytes = 512 << 10
)

// The states that a source reports.
const (
	statusRunning = "running"
	statusStalled = "stalled"
)

// reader is one Run.
type reader struct {
	*Source
	out   sources.Events
	dec   format.Decoder
	said  sources.State
	spoke bool // a first batch was handed over
}

// Run reads the files from the given offsets, and looks for more, until ctx ends.
func (s *Source) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	var dec format.Decoder
	var err error
	if s.cfg.Format == FormatTable {
		err = s.recallColumns()
	} else {
		dec, err = s.decoder()
	}
	if err != nil {
		return err
	}
	r := &reader{Source: s, out: out, dec: dec}
	for _, f := range s.files {
		f.at = max(f.at, from[f.number])
	}
	for ctx.Err() == nil {
		err := s.within(func(root *os.Root) error { return r.look(ctx, root) })
		if ctx.Err() != nil {
			break
		}
		r.report(err)
		if err := s.cfg.Clock.Sleep(ctx, lookEvery); err != nil {
			break
		}
	}
	return ctx.Err()
}

// report says what the source does: the first thing that is wrong, or that it runs.
func (r *reader) report(err error) {
	st := sources.State{Status: statusRunning}
	for _, f := range r.files {
		if err == nil {
			err = f.stuck
		}
	}
	if err != nil {
		e := problem(r.place(r.cfg.Pattern), err)
		st = sources.State{Status: statusStalled, Error: e.Message, Hint: e.Hint}
	}
	if st != r.said {
		r.said = st
		r.out.Report(st)
	}
}

// look finds the files that are there, and reads what is new in them.
func (r *reader) look(ctx context.Context, root *os.Root) error {
	names, err := r.list(root)
	if err != nil {
		return err
	}
	if err := r.found(ctx, root, names); err != nil {
		return err
	}
	for _, f := range r.files {
		if f.kept.Done {
			continue
		}
		if err := r.file(ctx, root, f); err != nil {
			return err
		}
	}
	return nil
}

// found tells of files that are new, and how much there is to read in them. The first time it tells of all: a source without files has
// read them.
func (r *reader) found(ctx context.Context, root *os.Root, names []string) error {
	b := &sources.Batch{}
	known := map[string]bool{}
	for _, f := range r.files {
		known[f.name] = true
		if !r.spoke {
			b.Progress = append(b.Progress, sources.Progress{Partition: f.number, Next: f.at, High: max(f.at, r.size(root, f.name))})
		}
	}
	for _, name := range names {
		if known[name] {
			continue
		}
		f := &file{number: int32(len(r.files) + 1), name: name}
		f.kept = kept{Number: f.number, Name: name}
		r.files = append(r.files, f)
		b.State = append(b.State, f.state()...)
		b.Progress = append(b.Progress, sources.Progress{Partition: f.number, High: r.size(root, name)})
	}
	if r.spoke && len(b.State) == 0 {
		return nil
	}
	r.spoke = true
	n := int64(len(r.files))
	b.Progress = append(b.Progress, sources.Progress{Partition: 0, Next: n, High: n})
	return r.out.Push(ctx, b)
}

// size is how much of a file can be read now: the end of its last line, where it is followed.
func (r *reader) size(root *os.Root, name string) int64 {
	f, err := root.Open(name)
	if err != nil {
		return 0 // reading it says why
	}
	defer func() { _ = f.Close() }() // it was only read
	if r.cfg.Format == FormatTable {
		return r.rowsIn(f)
	}
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	end := info.Size()
	if !r.cfg.Tail {
		return end
	}
	buf := make([]byte, 64<<10)
	for end > 0 {
		from := max(end-int64(len(buf)), 0)
		n, err := f.ReadAt(buf[:end-from], from)
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return from + int64(i) + 1
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0
		}
		end = from
	}
	return 0
}

// file reads what is new in a file. What is wrong with the file is kept with it, and others are read on.
func (r *reader) file(ctx context.Context, root *os.Root, f *file) error {
	in, err := root.Open(f.name)
	if err != nil {
		f.stuck = problem(r.place(f.name), err)
		return nil
	}
	defer func() { _ = in.Close() }() // it was only read
	info, err := in.Stat()
	if err == nil {
		err = r.recognise(in, f, info.Size())
	}
	if err != nil {
		f.stuck = problem(r.place(f.name), err)
		return nil
	}
	f.stuck = nil
	if info.Size() == f.at && r.cfg.Tail {
		return nil
	}
	if r.cfg.Format == FormatTable {
		err = r.readTable(ctx, in, f)
	} else {
		err = r.read(ctx, in, f)
	}
	var bad *badFile
	if errors.As(err, &bad) {
		f.stuck = problem(r.place(f.name), bad.error)
		return nil
	}
	return err
}

// badFile is an error of the file, and not of those who take its records.
type badFile struct{ error }

// recognise makes sure that a file is the one that was read.
func (r *reader) recognise(in *os.File, f *file, size int64) error {
	hint := "what was read of it stays; put it back, or drop the source and make it again"
	if size < f.at && r.cfg.Format != FormatTable {
		return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("file \"%s\" was truncated: it has %d bytes, and %d were read", r.place(f.name), size, f.at)).WithHint(hint)
	}
	if f.kept.Length == 0 || f.known && size == f.at {
		return nil
	}
	head, err := headOf(in, f.kept.Length)
	if err != nil {
		return err
	}
	if head != f.kept.Head {
		return repr.NewError(repr.CodeObjectNotReady, "file \""+r.place(f.name)+"\" was replaced: its beginning is not the one that was read").WithHint(hint)
	}
	f.known = true
	return nil
}

// read hands over the records of a file from where it is.
func (r *reader) read(ctx context.Context, in *os.File, f *file) error {
	l := lines{quotes: r.cfg.Format == FormatCSV}
	buf := make([]byte, readBytes)
	defer r.held.Store(0)
	for from := f.at; ; {
		n, err := in.ReadAt(buf, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return &badFile{err}
		}
		from += int64(n)
		l.add(buf[:n])
		r.held.Store(int64(len(l.buf)))
		ended := n < len(buf)
		b := &sources.Batch{}
		begun := f.at
		if err := r.records(b, f, &l, ended && !r.cfg.Tail); err != nil {
			return err
		}
		if l.waiting() > mostRecord {
			return &badFile{repr.NewError(repr.CodeProgramLimit, fmt.Sprintf("file \"%s\" has a record of more than 16 MiB at byte %d", r.place(f.name), f.at))}
		}
		if ended && !r.cfg.Tail {
			f.kept.Done = true
		}
		if f.at == begun && !f.kept.Done {
			if ended {
				return nil
			}
			continue
		}
		if err := f.learn(in, f.at); err != nil {
			return &badFile{err}
		}
		b.State = f.state()
		b.Bytes = f.at - begun
		b.Progress = []sources.Progress{{Partition: f.number, Next: f.at, High: from - int64(l.waiting())}}
		if err := r.out.Push(ctx, b); err != nil || ended {
			return err
		}
	}
}

// records decodes what is complete, and at the end of a file also what has no end of line.
func (r *reader) records(b *sources.Batch, f *file, l *lines, last bool) error {
	for {
		record, ok := l.next()
		if !ok {
			if !last || l.waiting() == 0 {
				return nil
			}
			record, last = l.rest(), false
		}
		if err := r.record(b, f, record); err != nil {
			return err
		}
		f.at += int64(len(record))
	}
}

// record decodes a record, or tells why it cannot.
func (r *reader) record(b *sources.Batch, f *file, record []byte) error {
	text := bytes.TrimSuffix(bytes.TrimSuffix(record, []byte("\n")), []byte("\r"))
	if f.at == 0 {
		text = bytes.TrimPrefix(text, bom)
		if r.cfg.Header {
			if err := r.checkHeader(text); err != nil {
				return &badFile{repr.NewError(repr.CodeInvalidText, "file \""+r.place(f.name)+"\": "+err.Error())}
			}
			return nil
		}
	}
	if len(text) == 0 && (r.cfg.Format == FormatJSON || r.cfg.Format == FormatCSV) {
		return nil
	}
	row, err := r.dec.Append(nil, text)
	r.take(b, f, row, text, err)
	return nil
}

// take adds a row to a batch, or why there is none.
func (r *reader) take(b *sources.Batch, f *file, row, text []byte, err error) {
	b.Records++
	if err == nil {
		b.Updates = append(b.Updates, sources.Update{Row: row, Diff: 1})
		return
	}
	b.Bad++
	b.Errors = append(b.Errors, sources.Update{Row: errorRow(f, text, err, r.cfg.Clock.Now()), Diff: 1})
}

// mostKept is how much of a bad record its row of errors keeps.
const mostKept = 64 << 10

// errorRow is the row of a record that cannot be decoded: the file is its topic, and the byte at which it begins its offset.
func errorRow(f *file, text []byte, err error, now time.Time) []byte {
	e := problem(f.name, err)
	message := e.Message
	if e.Detail != "" {
		message += ". " + e.Detail
	}
	const to2000 = 946_684_800_000_000
	return repr.AppendRow(nil, []repr.Datum{repr.TimestampTZ(now.UnixMicro() - to2000), repr.Text(message), repr.Text(e.Code), repr.Text(f.name), repr.Int4(f.number),
		repr.Int8(f.at), repr.Null, repr.Null, repr.Bytea(text[:min(len(text), mostKept)])})
}
