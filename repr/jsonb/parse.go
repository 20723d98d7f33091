package jsonb

import (
	"bytes"
	"slices"
)

// Limits of one document: how deep it nests, and how many zeros its exponents may unfold to.
const (
	maxDepth = 6000
	maxZeros = 1 << 20
)

// Normalize appends the normal form of the JSON text src to dst. The error is an *Error.
func Normalize(dst, src []byte) ([]byte, error) {
	p := parser{src: src, dst: dst, emit: true}
	if err := p.document(); err != nil {
		return dst, err
	}
	return p.dst, nil
}

// Valid checks a JSON text without keeping its normal form, as the type json does: escapes need not
// name characters that text can hold. The error is an *Error.
func Valid(src []byte) error {
	p := parser{src: src}
	if err := p.document(); err != nil {
		return err
	}
	return nil
}

// parser goes over src once and, when emit is set, appends the normal form to dst.
type parser struct {
	src     []byte
	i       int
	dst     []byte
	emit    bool
	depth   int
	zeros   int
	members []member // of the objects that are open, innermost last
}

// member is one member of an object, as offsets into dst.
type member struct{ start, keyEnd, end int }

func (p *parser) document() *Error {
	p.space()
	if err := p.value(); err != nil {
		return err
	}
	p.space()
	if p.i < len(p.src) {
		return p.unexpected("end of input")
	}
	return nil
}

func (p *parser) space() {
	for p.i < len(p.src) {
		switch p.src[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// peek is the next byte after white space; 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.i == len(p.src) {
		return 0
	}
	return p.src[p.i]
}

func (p *parser) put(s string) {
	if p.emit {
		p.dst = append(p.dst, s...)
	}
}

func (p *parser) value() *Error {
	switch c := p.peek(); c {
	case '{':
		return p.nested(p.object)
	case '[':
		return p.nested(p.array)
	case '"':
		return p.stringToken()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.number()
	case 't':
		return p.keyword("true")
	case 'f':
		return p.keyword("false")
	case 'n':
		return p.keyword("null")
	default:
		return p.unexpected("JSON value")
	}
}

func (p *parser) nested(parse func() *Error) *Error {
	p.depth++
	if p.depth > maxDepth {
		return &Error{Code: codeTooComplex, Message: "stack depth limit exceeded", Offset: p.i}
	}
	p.i++
	err := parse()
	p.depth--
	return err
}

func (p *parser) keyword(word string) *Error {
	if tok := p.token(); string(tok) != word {
		return syntaxError(p.i, "Token \"%s\" is invalid.", tok)
	}
	p.i += len(word)
	p.put(word)
	return nil
}

func (p *parser) array() *Error {
	p.put("[")
	if p.peek() == ']' {
		p.i++
		p.put("]")
		return nil
	}
	for {
		if err := p.value(); err != nil {
			return err
		}
		switch p.peek() {
		case ',':
			p.i++
			p.put(", ")
		case ']':
			p.i++
			p.put("]")
			return nil
		default:
			return p.unexpected(`"," or "]"`)
		}
	}
}

func (p *parser) object() *Error {
	base, start := len(p.members), len(p.dst)
	p.put("{")
	if p.peek() == '}' {
		p.i++
		p.put("}")
		return nil
	}
	want := `string or "}"`
	for {
		if p.peek() != '"' {
			return p.unexpected(want)
		}
		want = "string"
		more, err := p.member()
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if p.emit {
		p.dst = sortMembers(p.dst, start, p.members[base:])
	}
	p.members = p.members[:base]
	return nil
}

// member reads one member and what follows it, and says whether another must come.
func (p *parser) member() (bool, *Error) {
	m := member{start: len(p.dst)}
	if err := p.stringToken(); err != nil {
		return false, err
	}
	m.keyEnd = len(p.dst)
	if p.peek() != ':' {
		return false, p.unexpected(`":"`)
	}
	p.i++
	p.put(": ")
	if err := p.value(); err != nil {
		return false, err
	}
	m.end = len(p.dst)
	if p.emit {
		p.members = append(p.members, m)
	}
	switch p.peek() {
	case ',':
		p.i++
		p.put(", ")
		return true, nil
	case '}':
		p.i++
		p.put("}")
		return false, nil
	default:
		return false, p.unexpected(`"," or "}"`)
	}
}

// sortMembers brings the object at dst[start:] into order; of members with one key the last stays.
func sortMembers(dst []byte, start int, members []member) []byte {
	key := func(m member) []byte { return dst[m.start:m.keyEnd] }
	inOrder := true
	for i := 1; i < len(members) && inOrder; i++ {
		inOrder = compareKeys(key(members[i-1]), key(members[i])) < 0
	}
	if inOrder {
		return dst
	}
	slices.SortStableFunc(members, func(a, b member) int { return compareKeys(key(a), key(b)) })
	out := make([]byte, 0, len(dst)-start)
	out = append(out, '{')
	for i, m := range members {
		if i+1 < len(members) && compareKeys(key(m), key(members[i+1])) == 0 {
			continue
		}
		if len(out) > 1 {
			out = append(out, ", "...)
		}
		out = append(out, dst[m.start:m.end]...)
	}
	out = append(out, '}')
	return append(dst[:start], out...)
}

// compareKeys orders two quoted keys by the length of what they say, then by its bytes.
func compareKeys(a, b []byte) int {
	a, b = Unquote(a), Unquote(b)
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}

// token is the token at the place of the parser, as an error shows it.
func (p *parser) token() []byte {
	end := p.i
	for end < len(p.src) && isWord(p.src[end]) {
		end++
	}
	if end == p.i && end < len(p.src) {
		end++
	}
	return p.src[p.i:end]
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// unexpected says that something else stands where want has to. A token that is none comes first.
func (p *parser) unexpected(want string) *Error {
	if p.i >= len(p.src) {
		return syntaxError(p.i, "The input string ended unexpectedly.")
	}
	at := p.i
	switch c := p.src[p.i]; {
	case c == '"':
		q := parser{src: p.src, i: p.i}
		if err := q.stringToken(); err != nil {
			return err
		}
		return syntaxError(at, "Expected %s, but found \"%s\".", want, p.src[at:q.i])
	case c == '-' || c >= '0' && c <= '9':
		q := parser{src: p.src, i: p.i}
		if err := q.number(); err != nil {
			return err
		}
		return syntaxError(at, "Expected %s, but found \"%s\".", want, p.src[at:q.i])
	}
	tok := string(p.token())
	switch tok {
	case "{", "}", "[", "]", ",", ":", "true", "false", "null":
		return syntaxError(at, "Expected %s, but found \"%s\".", want, tok)
	default:
		return syntaxError(at, "Token \"%s\" is invalid.", tok)
	}
}
