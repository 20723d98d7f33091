package connect

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
)

// maxDepth is how deep the objects are nested that are walked; what is passed over may be deeper.
const maxDepth = 64

// Scanner walks over JSON text. The first error sticks: after it every read gives nothing. What it returns is valid until
// the next string is read, and aliases the text.
type Scanner struct {
	b    []byte
	i    int
	err  *repr.Error
	path string // of the field that is wrong, outermost first

	text []byte // scratch of a string with escapes
	raw  []byte // scratch of bytes that were text
	norm []byte // scratch of normal forms
	tmp  []byte // scratch of rows whose fields come in another order
}

// Reset begins a text.
func (s *Scanner) Reset(text []byte) { s.b, s.i, s.err, s.path = text, 0, nil, "" }

// Err is what was wrong, and nil when nothing was. It must be asked for in the end.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	e := *s.err
	if s.path != "" {
		e.Message = fmt.Sprintf("column %q: %s", s.path, e.Message)
	}
	return &e
}

// Finish says that nothing but white space may be left.
func (s *Scanner) Finish() {
	if s.peek() != 0 {
		s.syntax("end of input")
	}
}

// At is how far the text was read.
func (s *Scanner) At() int { return s.i }

// Seek goes on at a place of the text that At has given.
func (s *Scanner) Seek(at int) { s.i = at }

func (s *Scanner) fail(code, message string) {
	if s.err == nil {
		s.err = repr.NewError(code, message)
	}
}

func (s *Scanner) failWith(err *repr.Error) {
	if s.err == nil {
		s.err = err
	}
}

// syntax says that something else was expected.
func (s *Scanner) syntax(want string) {
	if s.err != nil {
		return
	}
	if s.i >= len(s.b) {
		s.fail(repr.CodeInvalidText, "invalid JSON: the text ends too early")
		return
	}
	s.fail(repr.CodeInvalidText, fmt.Sprintf("invalid JSON at byte %d: expected %s, but found %q", s.i, want, s.b[s.i]))
}

// in says that an error happened inside a field.
func (s *Scanner) in(name string) {
	if s.path == "" {
		s.path = name
		return
	}
	s.path = name + "." + s.path
}

// peek is the next byte after white space; 0 at the end and after an error.
func (s *Scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			if s.err != nil {
				return 0
			}
			return c
		}
	}
	return 0
}

// Open steps into an object; false when there is none.
func (s *Scanner) Open() bool {
	if s.peek() != '{' {
		s.syntax("an object")
		return false
	}
	s.i++
	return true
}

// IsObject says whether an object comes.
func (s *Scanner) IsObject() bool { return s.peek() == '{' }

// Key is the name of the next member of an object, whose value must be read then; more is false at the object's end.
func (s *Scanner) Key() (name []byte, more bool) {
	c := s.peek()
	if c == ',' {
		s.i++
		c = s.peek()
	} else if c == '}' {
		s.i++
		return nil, false
	}
	if c != '"' {
		s.syntax("a name")
		return nil, false
	}
	name = s.name()
	if s.peek() != ':' {
		s.syntax("a colon")
		return nil, false
	}
	s.i++
	return name, s.err == nil
}

// Find steps to the value of a member of an object that was opened; false when it has none of that name.
func (s *Scanner) Find(name string) bool {
	for got, more := s.Key(); more; got, more = s.Key() {
		if string(got) == name {
			return true
		}
		s.Skip()
	}
	return false
}

// name reads a short string.
func (s *Scanner) name() []byte {
	b := s.b
	from := s.i + 1
	for i := from; i < len(b); i++ {
		switch b[i] {
		case '"':
			s.i = i + 1
			return b[from:i:i]
		case '\\':
			return s.Text()
		}
	}
	s.i = len(b)
	s.syntax("a quote")
	return nil
}

// Text reads a string.
func (s *Scanner) Text() []byte {
	if s.peek() != '"' {
		s.syntax("a string")
		return nil
	}
	from := s.i + 1
	n := bytes.IndexByte(s.b[from:], '"')
	if n >= 0 && bytes.IndexByte(s.b[from:from+n], '\\') < 0 {
		s.i = from + n + 1
		return s.b[from : from+n : from+n]
	}
	from = s.i
	s.skipString()
	if s.err != nil {
		return nil
	}
	norm, err := jsonb.Normalize(s.norm[:0], s.b[from:s.i])
	if err != nil {
		s.failJSON(err)
		return nil
	}
	s.norm = norm
	s.text = append(s.text[:0], jsonb.Unquote(norm)...)
	return s.text
}

func (s *Scanner) failJSON(err error) {
	var e *jsonb.Error
	if errors.As(err, &e) {
		s.failWith(&repr.Error{Code: e.Code, Message: e.Message, Detail: e.Detail})
		return
	}
	s.fail(repr.CodeInvalidText, err.Error())
}

// SQLText reads a string that a SQL text can be.
func (s *Scanner) SQLText() []byte {
	b := s.Text()
	s.checkText(b)
	return b
}

func (s *Scanner) checkText(b []byte) {
	if s.err == nil && (!utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0) {
		s.failWith(pgfmt.CheckText(b))
	}
}

// Null steps over a null, if one comes.
func (s *Scanner) Null() bool {
	if s.peek() != 'n' {
		return false
	}
	if string(s.token()) != "null" {
		s.fail(repr.CodeInvalidText, "invalid JSON: a word that is neither true, false nor null")
		return false
	}
	return true
}

// token reads a number or a word.
func (s *Scanner) token() []byte {
	s.peek()
	from := s.i
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r', ':', '"', '{', '[':
			if s.i == from {
				s.syntax("a value")
			}
			return s.b[from:s.i]
		}
		s.i++
	}
	if s.i == from {
		s.syntax("a value")
	}
	return s.b[from:s.i]
}

// Int reads a whole number. A null, and what is none, is 0 and not ok; it is stepped over.
func (s *Scanner) Int() (n int64, ok bool) {
	c := s.peek()
	if c != '-' && (c < '0' || c > '9') {
		s.Skip()
		return 0, false
	}
	return parseInt(s.token())
}

// parseInt reads decimal digits with or without a sign.
func parseInt(tok []byte) (n int64, ok bool) {
	if len(tok) == 0 || len(tok) > 18 {
		n, err := strconv.ParseInt(string(tok), 10, 64)
		return n, err == nil
	}
	digits := tok
	if tok[0] == '-' {
		digits = tok[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if tok[0] == '-' {
		n = -n
	}
	return n, true
}

// Skip steps over a value.
func (s *Scanner) Skip() {
	switch s.peek() {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipNested()
	default:
		s.token()
	}
}

// Raw steps over a value and gives its text.
func (s *Scanner) Raw() []byte {
	s.peek()
	from := s.i
	s.Skip()
	if s.err != nil {
		return nil
	}
	return s.b[from:s.i]
}

// skipString steps over a string.
func (s *Scanner) skipString() {
	i := s.i + 1
	for {
		n := bytes.IndexByte(s.b[i:], '"')
		if n < 0 {
			s.i = len(s.b)
			s.syntax("a quote")
			return
		}
		i += n + 1
		back := i - 2
		for s.b[back] == '\\' {
			back--
		}
		if (i-2-back)%2 == 0 {
			s.i = i
			return
		}
	}
}

// skipNested steps over an object or array.
func (s *Scanner) skipNested() {
	depth := 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if s.skipString(); s.err != nil {
				return
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return
		}
	}
	s.syntax("a bracket")
}

// IsText says whether a string comes.
func (s *Scanner) IsText() bool { return s.peek() == '"' }

// Unwrap finds where what Kafka Connect wrapped begins, and the schema that stands before it; nil when there is none, and at
// is 0 when nothing is wrapped.
func Unwrap(s *Scanner, message []byte) (schema []byte, at int) {
	s.Reset(message)
	if !s.IsObject() || !s.Open() {
		return nil, 0
	}
	if name, _ := s.Key(); string(name) != "schema" {
		return nil, 0
	}
	schema = s.Raw()
	if name, _ := s.Key(); string(name) != "payload" || s.Err() != nil {
		return nil, 0
	}
	if string(schema) == "null" {
		schema = nil
	}
	return schema, s.At()
}
