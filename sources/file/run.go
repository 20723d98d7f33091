package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/sources"
	"millrace/sources/deadletter"
	"millrace/sources/infer"
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

	candidates map[string]candidate // files that may be copies
	extra      []string             // fields that no column has
	mtime      repr.Datum           // of the file that is read

	dead   []deadletter.Letter // bad records of the batch
	outbox *deadletter.Outbox
	ended  int // files with letters that were handed over whole since that was last made sure of
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
	r := s.reader(dec, out)
	defer r.outbox.Close()
	for _, f := range s.files {
		f.at = max(f.at, from[f.number])
		f.uncounted = f.at > 0 && f.kept.Line == 0 // by an older release
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

// reader is a run that begins.
func (s *Source) reader(dec format.Decoder, out sources.Events) *reader {
	r := &reader{Source: s, out: out, dec: dec, candidates: map[string]candidate{}}
	r.outbox = r.newOutbox()
	return r
}

// report says what the source does: the first thing that is wrong, or that it runs.
func (r *reader) report(err error) {
	r.noteExtra()
	st := sources.State{Status: statusRunning, Hint: infer.Hint(r.extra)}
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

// found tells of files that are new or have another name, and how much there is to read in them. The first time it tells of all: a
// source without files has read them.
func (r *reader) found(ctx context.Context, root *os.Root, names []string) error {
	b := &sources.Batch{}
	fresh, moved := r.placed(root, names)
	for _, f := range moved {
		b.State = append(b.State, f.state()...)
	}
	if !r.spoke {
		for _, f := range r.files {
			b.Progress = append(b.Progress, r.progress(f, max(f.at, r.size(root, f.name))))
		}
	}
	for _, name := range fresh {
		f := &file{number: int32(len(r.files) + 1), name: name}
		f.kept = kept{Number: f.number, Name: name, Packed: r.isPacked(name), Found: r.cfg.Clock.Now().UnixMilli()}
		if info := statIn(root, name); info != nil {
			f.is(info)
		}
		r.files = append(r.files, f)
		b.State = append(b.State, f.state()...)
		b.Progress = append(b.Progress, r.progress(f, r.size(root, name)))
	}
	if r.spoke && len(b.State) == 0 {
		return nil
	}
	r.spoke = true
	b.Progress = append(b.Progress, r.allFound())
	if err := r.out.Push(ctx, b); err != nil {
		return err
	}
	for _, f := range moved {
		if f.kept.Done {
			r.handedAll(f)
		}
	}
	return nil
}

// progress is how far a file is. How much a packed file holds is not known before its end.
func (r *reader) progress(f *file, high int64) sources.Progress {
	switch {
	case f.kept.Done:
		high = f.at
	case r.isPacked(f.name):
		high = -1
	}
	return sources.Progress{Partition: f.number, Next: f.at, High: high}
}

// allFound is how many files were found; packed ones count when they were read, for it is not known how much they hold.
func (r *reader) allFound() sources.Progress {
	n, read := int64(len(r.files)), int64(0)
	for _, f := range r.files {
		if f.kept.Done || !f.kept.Packed {
			read++
		}
	}
	return sources.Progress{Partition: 0, Next: read, High: n}
}

// isFollowed says whether more may come in a file.
func (r *reader) isFollowed(f *file) bool { return r.cfg.Tail && !r.isPacked(f.name) }

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
	if errors.Is(err, fs.ErrNotExist) && r.cfg.Tail && f.name != r.cfg.Pattern && f.at >= f.size {
		f.stuck = nil // it was read, and was rotated away
		return nil
	}
	if err != nil {
		f.stuck = problem(r.place(f.name), err)
		return nil
	}
	defer func() { _ = in.Close() }() // it was only read
	info, err := in.Stat()
	if err == nil {
		if r.isPacked(f.name) && f.stuck != nil && info.Size() == f.tried {
			return nil
		}
		f.size, f.tried = info.Size(), info.Size()
		err = r.recognise(in, f, info.Size())
	}
	if err != nil {
		f.stuck = problem(r.place(f.name), err)
		return nil
	}
	f.stuck = nil
	if info.Size() == f.at && r.isFollowed(f) {
		return nil
	}
	if f.kept.identity() == (identity{}) {
		f.is(info)
	}
	r.mtime = repr.Timestamp(info.ModTime().UnixMicro() - to2000)
	if r.cfg.Format == FormatTable {
		err = r.readTable(ctx, in, f)
	} else {
		err = r.read(ctx, in, f)
	}
	if bad, ok := errors.AsType[*badFile](err); ok {
		f.stuck = problem(r.place(f.name), bad.error)
		return nil
	}
	return err
}

// badFile is an error of the file, and not of those who take its records.
type badFile struct{ error }

// Unwrap is what is wrong.
func (b *badFile) Unwrap() error { return b.error }

// replacedHint says what to do about a file that is not the one that was read.
const replacedHint = "what was read of it stays; put it back, or drop the source and make it again"

func (r *reader) errReplaced(f *file) error {
	return repr.NewError(repr.CodeObjectNotReady, "file \""+r.place(f.name)+"\" was replaced: its beginning is not the one that was read").WithHint(replacedHint)
}

// recognise makes sure that a file is the one that was read. A packed one is looked at when it is unpacked.
func (r *reader) recognise(in *os.File, f *file, size int64) error {
	if r.isPacked(f.name) {
		return nil
	}
	if size < f.at && r.cfg.Format != FormatTable {
		return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("file \"%s\" was truncated: it has %d bytes, and %d were read", r.place(f.name), size, f.at)).WithHint(replacedHint)
	}
	if f.kept.Length == 0 || f.known && size == f.at {
		return nil
	}
	if f.edges == nil && r.cfg.Format != FormatTable {
		e, err := edgesAt(in, f.at)
		if err != nil {
			return err
		}
		if !e.isOf(&f.kept) {
			return r.errReplaced(f)
		}
		f.edges, f.known = e, true
		return nil
	}
	head, err := headOf(in, f.kept.Length)
	if err != nil {
		return err
	}
	if head != f.kept.Head {
		return r.errReplaced(f)
	}
	f.known = true
	return nil
}

// resume opens the content of a file where it was read to.
func (r *reader) resume(in *os.File, f *file) (*content, error) {
	if !r.isPacked(f.name) {
		if f.edges == nil {
			e, err := edgesAt(in, f.at)
			if err != nil {
				return nil, &badFile{err}
			}
			f.edges = e
		}
		return &content{Reader: io.NewSectionReader(in, f.at, math.MaxInt64-f.at), close: func() {}}, nil
	}
	c, err := r.contentOf(in, f.name)
	if err != nil {
		return nil, err
	}
	e, err := c.at(f.at)
	if err == nil && f.at > 0 && !e.isOf(&f.kept) || errors.Is(err, io.EOF) {
		err = &badFile{r.errReplaced(f)}
	}
	if err != nil {
		c.close()
		return nil, err
	}
	f.edges = e
	return c, nil
}

// read hands over the records of a file from where it is.
func (r *reader) read(ctx context.Context, in *os.File, f *file) error {
	c, err := r.resume(in, f)
	if err != nil {
		return err
	}
	defer c.close()
	d := &reading{reader: r, in: in, f: f, l: lines{quotes: r.cfg.Format == FormatCSV}}
	buf := make([]byte, readBytes)
	defer r.held.Store(0)
	for {
		n, broken := io.ReadFull(c, buf)
		ended := errors.Is(broken, io.EOF) || errors.Is(broken, io.ErrUnexpectedEOF)
		if _, damaged := errors.AsType[*badFile](broken); !damaged && broken != nil && !ended {
			return &badFile{broken}
		}
		d.l.add(buf[:n])
		r.held.Store(int64(len(d.l.buf)))
		if err := d.take(ctx, ended && !r.isFollowed(f)); err != nil {
			return err
		}
		switch {
		case ended:
			return nil
		case broken != nil:
			return broken
		}
	}
}

// reading is a file being read.
type reading struct {
	*reader
	in *os.File
	f  *file
	l  lines
}

// take decodes what is there and hands it over; last says that there is no more.
func (d *reading) take(ctx context.Context, last bool) error {
	f, b, begun := d.f, &sources.Batch{}, d.f.at
	d.noteExtra()
	if err := d.records(b, f, &d.l, last); err != nil {
		return err
	}
	if d.l.waiting() > mostRecord {
		return &badFile{repr.NewError(repr.CodeProgramLimit, fmt.Sprintf("file \"%s\" has a record of more than 16 MiB at byte %d", d.place(f.name), f.at))}
	}
	if f.at == begun && !last {
		return nil
	}
	if _, err := f.edges.Write(d.l.buf[:d.l.at]); err != nil {
		return err // it never fails
	}
	f.learn()
	b.Bytes = f.at - begun
	if last {
		f.kept.Done = true
		if info, err := d.in.Stat(); err == nil {
			f.is(info)
		}
	}
	b.State = f.state()
	b.Progress = []sources.Progress{d.progress(f, f.at+int64(d.l.waiting()))}
	if last {
		b.Progress = append(b.Progress, d.allFound())
	}
	if err := d.push(ctx, b, f); err != nil {
		return err
	}
	if last {
		d.handedAll(f)
	}
	return nil
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
		switch {
		case f.uncounted:
		case l.quotes: // there may be several in one
			f.kept.Line += max(int64(bytes.Count(record, []byte("\n"))), 1)
		default:
			f.kept.Line++
		}
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
		b.Updates = append(b.Updates, sources.Update{Row: r.describe(row, f), Diff: 1})
		return
	}
	b.Bad++
	bad, now := problem(f.name, err), r.cfg.Clock.Now()
	b.Errors = append(b.Errors, sources.Update{Row: errorRow(f, text, bad, now), Diff: 1})
	r.letter(f, text, bad, now.UnixMilli())
}

// describe adds what is told of a record to its row.
func (r *reader) describe(row []byte, f *file) []byte {
	for _, in := range r.cfg.Include {
		switch in.What {
		case IncludeFile:
			row = repr.Append(row, repr.Text(f.name))
		case IncludeLine:
			row = repr.Append(row, repr.Int8(f.kept.Line+1))
		case IncludeOffset:
			row = repr.Append(row, repr.Int8(f.at))
		case IncludeTime:
			row = repr.Append(row, r.mtime)
		}
	}
	if r.rest != nil {
		row = r.rest.AppendRest(row)
	}
	return row
}

// to2000 is 2000-01-01 in microseconds from 1970 on.
const to2000 = 946_684_800_000_000

// mostKept is how much of a bad record its row of errors keeps.
const mostKept = 64 << 10

// errorRow is the row of a record that cannot be decoded: the file is its topic, and the byte at which it begins its offset.
func errorRow(f *file, text []byte, bad *repr.Error, now time.Time) []byte {
	return repr.AppendRow(nil, []repr.Datum{repr.TimestampTZ(now.UnixMicro() - to2000), repr.Text(reasonOf(bad)), repr.Text(bad.Code), repr.Text(f.name), repr.Int4(f.number),
		repr.Int8(f.at), repr.Null, repr.Null, repr.Bytea(text[:min(len(text), mostKept)])})
}
