package pgwire

import (
	"bytes"

	"millrace/repr"
)

// next cuts the next record of a text format from the buffer; ok is false when it is not whole yet, or there is none.
func (r *copyReader) next() (record []byte, ok bool, err *repr.Error) {
	if !r.open && len(r.buf) > r.start {
		r.line, r.open = r.line+1, true
	}
	look := r.lookText
	if r.f.Format == "csv" {
		look = r.lookCSV
	}
	for r.at < len(r.buf) {
		n, wait, err := look()
		if err != nil {
			return nil, false, err
		}
		if wait {
			return nil, false, nil
		}
		if n > 0 || r.done {
			record = r.buf[r.start:r.at]
			r.at += n
			r.start, r.open = r.at, false
			return record, !r.done || len(record) > 0, nil
		}
	}
	if !r.last || r.start == len(r.buf) {
		return nil, false, nil
	}
	record = r.buf[r.start:]
	r.start = r.at
	return record, true, nil
}

// lookText looks at one byte of the text format, or at two behind a backslash. At the end of a line n is how long what ends
// it is; wait says that more has to come first.
func (r *copyReader) lookText() (n int, wait bool, err *repr.Error) {
	switch r.buf[r.at] {
	case '\\':
		if r.at+1 == len(r.buf) {
			if r.last {
				r.at++
			}
			return 0, !r.last, nil
		}
		if r.buf[r.at+1] == '.' {
			return r.marker()
		}
		r.at += 2
		return 0, false, nil
	case '\n', '\r':
		return r.lineEnd()
	default:
		r.at++
		return 0, false, nil
	}
}

// marker looks at what may be the mark of the end, a backslash and a dot before the end of a line.
func (r *copyReader) marker() (n int, wait bool, err *repr.Error) {
	csv := r.f.Format == "csv"
	switch {
	case r.at+2 < len(r.buf) && (r.buf[r.at+2] == '\n' || r.buf[r.at+2] == '\r'):
		r.done = true
		return 0, false, nil
	case r.at+2 == len(r.buf) && !r.last:
		return 0, true, nil
	case csv:
		r.at++ // a value that begins so
		return 0, false, nil
	default:
		return 0, false, repr.NewError(codeBadCopy, "end-of-copy marker corrupt").In(r.place())
	}
}

// lookCSV looks at one byte of the CSV format.
func (r *copyReader) lookCSV() (n int, wait bool, err *repr.Error) {
	c := r.buf[r.at]
	first := r.at == r.start
	switch {
	case c == '\\' && first && !r.quoted && r.at+1 == len(r.buf) && !r.last:
		return 0, true, nil
	case c == '\\' && first && !r.quoted && r.at+1 < len(r.buf) && r.buf[r.at+1] == '.':
		return r.marker()
	case (c == '\n' || c == '\r') && !r.quoted:
		return r.lineEnd()
	}
	escape := r.f.Escape
	if escape == r.f.Quote {
		escape = 0 // then the quote is a toggle
	}
	if r.quoted && c == escape && escape != 0 {
		r.escape = !r.escape
	}
	if c == r.f.Quote && !r.escape {
		r.quoted = !r.quoted
	}
	if c != escape || escape == 0 {
		r.escape = false
	}
	if r.quoted && (c == '\r' && r.eol != "\n" || c == '\n' && r.eol == "\n") {
		r.line++
	}
	r.at++
	return 0, false, nil
}

// lineEnd looks at a carriage return or newline that ends a line; all lines end alike.
func (r *copyReader) lineEnd() (n int, wait bool, err *repr.Error) {
	found := string(r.buf[r.at])
	if found == "\r" && r.eol != "\r" {
		if r.at+1 == len(r.buf) && !r.last {
			return 0, true, nil
		}
		if r.at+1 < len(r.buf) && r.buf[r.at+1] == '\n' {
			found = "\r\n"
		}
	}
	if r.eol == "" {
		r.eol = found
	}
	if found == r.eol {
		return len(found), false, nil
	}
	what, quote, spelled := "newline", "\\n", found == "\n"
	if !spelled {
		what, quote = "carriage return", "\\r"
	}
	if r.f.Format == "csv" {
		return 0, false, repr.NewError(codeBadCopy, "unquoted "+what+" found in data").
			WithHint("Use quoted CSV field to represent " + what + ".").In(r.place())
	}
	return 0, false, repr.NewError(codeBadCopy, "literal "+what+" found in data").
		WithHint("Use \"" + quote + "\" to represent " + what + ".").In(r.place())
}

// splitText parts a line of the text format into values and takes the escapes out of them.
func (r *copyReader) splitText(line []byte) {
	r.fields = r.fields[:0]
	for {
		end, escaped := 0, false
		for end < len(line) && line[end] != r.f.Delimiter {
			if line[end] == '\\' && end+1 < len(line) {
				escaped = true
				end++
			} else if line[end] == '\\' {
				escaped = true
			}
			end++
		}
		f := copyField{text: line[:end], null: string(line[:end]) == r.f.Null}
		if escaped && !f.null {
			f.text = unescape(f.text)
		}
		r.fields = append(r.fields, f)
		if end == len(line) {
			return
		}
		line = line[end+1:]
	}
}

// letters are the escapes of the text format that are one letter.
var letters = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// unescape takes the escapes out of a value.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		if b = b[i+1:]; len(b) == 0 {
			return out
		}
		c := b[0]
		n := 1
		if letter, ok := letters[c]; ok {
			c = letter
		} else if c == 'x' {
			if v, k := number(b[1:], 16, 2); k > 0 {
				c, n = v, 1+k
			}
		} else if v, k := number(b, 8, 3); k > 0 {
			c, n = v, k
		}
		out, b = append(out, c), b[n:]
	}
	return out
}

// number reads up to most digits; n is how many there are.
func number(b []byte, base, most int) (v byte, n int) {
	for n < most && n < len(b) {
		d := bytes.IndexByte([]byte("0123456789abcdef"), lower(b[n]))
		if d < 0 || d >= base {
			break
		}
		v = v*byte(base) + byte(d)
		n++
	}
	return v, n
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// splitCSV parts a record of the CSV format into values.
func (r *copyReader) splitCSV(record []byte) *repr.Error {
	r.fields = r.fields[:0]
	for at := 0; at <= len(record); {
		f, n, err := r.csvValue(record[at:])
		if err != nil {
			return err
		}
		r.fields = append(r.fields, f)
		at += n
	}
	return nil
}

// csvValue reads the value up to the next delimiter. n is its length, with one byte for the delimiter or the end.
func (r *copyReader) csvValue(b []byte) (f copyField, n int, err *repr.Error) {
	var out []byte
	quoted, wasQuoted := false, false
	i := 0
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case !quoted && c == r.f.Delimiter:
			return r.csvField(out, wasQuoted), i + 1, nil
		case !quoted && c == r.f.Quote:
			quoted, wasQuoted = true, true
		case quoted && c == r.f.Escape && i+1 < len(b) && (b[i+1] == r.f.Escape || b[i+1] == r.f.Quote):
			i++
			out = append(out, b[i])
		case quoted && c == r.f.Quote:
			quoted = false
		default:
			out = append(out, c)
		}
	}
	if quoted {
		return f, 0, repr.NewError(codeBadCopy, "unterminated CSV quoted field")
	}
	return r.csvField(out, wasQuoted), i + 1, nil
}

func (r *copyReader) csvField(text []byte, quoted bool) copyField {
	return copyField{text: text, null: !quoted && string(text) == r.f.Null}
}
