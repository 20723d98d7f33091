package pgwire

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"millrace/coord"
	"millrace/repr"
	"millrace/repr/pgfmt"
)

// codeBadCopy is bad_copy_file_format.
const codeBadCopy = "22P04"

// maxCopyRecord bounds a row, and so what is kept of it while it comes.
const maxCopyRecord = 64 << 20

// copyReader cuts what comes of a COPY into rows and their values (documentation of COPY, "File Formats"). Data comes in
// pieces of any length.
type copyReader struct {
	in     *coord.CopyIn
	f      *coord.CopyFormat
	opts   *pgfmt.Options
	buf    []byte // what has come of the record to be read, and behind
	start  int    // of the record
	at     int    // where looking for its end goes on
	line   int    // of the record that is being read; 0 before the first
	open   bool   // a record has begun
	eol    string // how lines end; "" is not known yet
	quoted bool   // at is within a quoted value
	escape bool   // the byte before at was an escape
	done   bool   // the end was marked
	begun  bool   // the header is read
	last   bool   // nothing follows what is in buf
	record []byte // the record whose values are read; nil when a message need not show it
	fields []copyField
	values []repr.Datum
}

// copyField is a value as it came.
type copyField struct {
	text []byte
	null bool
}

func newCopyReader(in *coord.CopyIn, opts *pgfmt.Options) *copyReader {
	return &copyReader{in: in, f: in.Format, opts: opts, values: make([]repr.Datum, len(in.Cols))}
}

// write takes a piece of the data.
func (r *copyReader) write(b []byte) *repr.Error {
	if r.done {
		return r.rest(b)
	}
	r.buf = append(r.buf, b...)
	err := r.records()
	r.buf = r.buf[:copy(r.buf, r.buf[r.start:])]
	r.at, r.start = r.at-r.start, 0
	if err == nil && len(r.buf) > maxCopyRecord {
		err = repr.NewError(repr.CodeProgramLimit, fmt.Sprintf("a row of COPY is longer than %d bytes", maxCopyRecord)).In(r.place())
	}
	return err
}

// end says that there is no more data.
func (r *copyReader) end() *repr.Error {
	r.last = true
	if r.done {
		return nil
	}
	return r.records()
}

// rest is what comes behind the end.
func (r *copyReader) rest(b []byte) *repr.Error {
	if r.f.Format == "binary" && len(b) > 0 {
		return repr.NewError(codeBadCopy, "received copy data after EOF marker").In(r.place())
	}
	return nil
}

// records reads the records that are whole.
func (r *copyReader) records() *repr.Error {
	if r.f.Format == "binary" {
		return r.tuples()
	}
	for !r.done {
		record, ok, err := r.next()
		if err != nil || !ok {
			return err
		}
		r.record = record
		if err := r.row(record); err != nil {
			return err
		}
		r.record = nil
	}
	return nil
}

// place is where a message is about: the line, and what is in it.
func (r *copyReader) place() string {
	text := fmt.Sprintf("COPY %s, line %d", r.in.Table, r.line)
	if r.record != nil {
		text += ": \"" + excerpt(r.record) + "\""
	}
	return text
}

// excerpt is a text as far as messages show it.
func excerpt(b []byte) string {
	const most = 100
	b = bytes.ToValidUTF8(b, []byte("?"))
	if len(b) <= most {
		return string(b)
	}
	n := most
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return string(b[:n]) + "..."
}

// row reads the values of a record of text.
func (r *copyReader) row(record []byte) *repr.Error {
	err := pgfmt.CheckText(record)
	if err != nil {
		r.record = nil
		return err.In(r.place())
	}
	if r.f.Format == "csv" {
		err = r.splitCSV(record)
	} else {
		r.splitText(record)
	}
	switch {
	case err != nil:
		return err.In(r.place())
	case r.f.Header && !r.begun:
		r.begun = true
		return r.header()
	case len(r.fields) > len(r.in.Cols):
		return repr.NewError(codeBadCopy, "extra data after last expected column").In(r.place())
	}
	for i, f := range r.fields {
		if err := r.value(i, f); err != nil {
			return err
		}
	}
	if n := len(r.fields); n < len(r.in.Cols) {
		return repr.NewError(codeBadCopy, "missing data for column \""+r.in.Cols[n].Name+"\"").In(r.place())
	}
	if err := r.in.Add(r.values); err != nil {
		return err.In(r.place())
	}
	return nil
}

// value reads one value.
func (r *copyReader) value(i int, f copyField) (err *repr.Error) {
	if f.null {
		r.values[i] = repr.Null
		return nil
	}
	where := func() string {
		return fmt.Sprintf("COPY %s, line %d, column %s: \"%s\"", r.in.Table, r.line, r.in.Cols[i].Name, excerpt(f.text))
	}
	if err := pgfmt.CheckText(f.text); err != nil { // escapes may spell any bytes
		return err.In(r.place())
	}
	if r.values[i], err = pgfmt.ParseText(r.in.Cols[i].Type, string(f.text), r.opts); err != nil {
		return err.In(where())
	}
	return nil
}

// header checks the first line, if it has to name the columns.
func (r *copyReader) header() *repr.Error {
	if !r.f.HeaderMatch {
		return nil
	}
	if len(r.fields) != len(r.in.Cols) {
		return repr.NewError(codeBadCopy, fmt.Sprintf("wrong number of fields in header line: got %d, expected %d",
			len(r.fields), len(r.in.Cols))).In(r.place())
	}
	for i, f := range r.fields {
		want := r.in.Cols[i].Name
		switch {
		case f.null:
			return repr.NewError(codeBadCopy, fmt.Sprintf("column name mismatch in header line field %d: got null value (\"%s\"), expected \"%s\"",
				i+1, r.f.Null, want)).In(r.place())
		case string(f.text) != want:
			return repr.NewError(codeBadCopy, fmt.Sprintf("column name mismatch in header line field %d: got \"%s\", expected \"%s\"",
				i+1, f.text, want)).In(r.place())
		}
	}
	return nil
}
