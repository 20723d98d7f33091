package pgfmt

import (
	"strings"

	"millrace/repr"
)

// typeOf is the type of a value as far as the value tells it.
func typeOf(d repr.Datum) repr.Type {
	if d.Kind() != repr.KindArray {
		return repr.TypeOf(d.Kind())
	}
	for _, e := range d.Elems(nil) {
		if !e.IsNull() {
			return repr.ArrayOf(e.Kind())
		}
	}
	return repr.ArrayOf(repr.KindText)
}

func appendArray(dst []byte, t repr.Type, d repr.Datum, opt *Options) []byte {
	dst = append(dst, '{')
	elem := repr.TypeOf(t.Elem)
	for i, e := range d.Elems(nil) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if e.IsNull() {
			dst = append(dst, "NULL"...)
			continue
		}
		from := len(dst)
		dst = AppendText(dst, elem, e, opt)
		if needsQuotes(dst[from:]) {
			dst = quoteFrom(dst, from, '\\', '\\')
		}
	}
	return append(dst, '}')
}

func needsQuotes(b []byte) bool {
	if len(b) == 0 || len(b) == 4 && strings.EqualFold(string(b), "null") {
		return true
	}
	for _, c := range b {
		if c == '"' || c == '\\' || c == '{' || c == '}' || c == ',' || isSpace(c) {
			return true
		}
	}
	return false
}

// quoteFrom puts dst[from:] into quotes, with the given bytes before a quote and before a backslash in it.
func quoteFrom(dst []byte, from int, beforeQuote, beforeSlash byte) []byte {
	text := string(dst[from:])
	dst = append(dst[:from], '"')
	for i := range len(text) {
		switch text[i] {
		case '"':
			dst = append(dst, beforeQuote)
		case '\\':
			dst = append(dst, beforeSlash)
		}
		dst = append(dst, text[i])
	}
	return append(dst, '"')
}

func appendRecord(dst []byte, d repr.Datum, opt *Options) []byte {
	dst = append(dst, '(')
	for i, e := range d.Elems(nil) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if e.IsNull() {
			continue
		}
		from := len(dst)
		dst = AppendText(dst, typeOf(e), e, opt)
		if fieldNeedsQuotes(dst[from:]) {
			dst = quoteFrom(dst, from, '"', '\\')
		}
	}
	return append(dst, ')')
}

func fieldNeedsQuotes(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for _, c := range b {
		if c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || isSpace(c) {
			return true
		}
	}
	return false
}

// arrayParser reads {a,"b c",NULL}.
type arrayParser struct {
	text string
	i    int
	typ  repr.Type
	opt  *Options
}

func parseArray(t repr.Type, s string, opt *Options) (repr.Datum, *repr.Error) {
	p := arrayParser{text: s, typ: t, opt: opt}
	p.space()
	if p.peek() == '[' {
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "array bounds in array literals are not supported")
	}
	if p.peek() != '{' {
		return repr.Null, p.malformed(`Array value must start with "{" or dimension information.`)
	}
	p.i++
	elems, err := p.elems()
	if err != nil {
		return repr.Null, err
	}
	p.space()
	if p.i < len(p.text) {
		return repr.Null, p.malformed("Junk after closing right brace.")
	}
	return repr.Array(elems), nil
}

func (p *arrayParser) malformed(detail string) *repr.Error {
	return repr.NewError(repr.CodeInvalidText, `malformed array literal: "`+p.text+`"`).WithDetail(detail)
}

func (p *arrayParser) space() {
	for p.i < len(p.text) && isSpace(p.text[p.i]) {
		p.i++
	}
}

func (p *arrayParser) peek() byte {
	if p.i == len(p.text) {
		return 0
	}
	return p.text[p.i]
}

func (p *arrayParser) elems() ([]repr.Datum, *repr.Error) {
	var out []repr.Datum
	p.space()
	if p.peek() == '}' {
		p.i++
		return out, nil
	}
	for {
		e, err := p.elem()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		switch p.peek() {
		case ',':
			p.i++
		case '}':
			p.i++
			return out, nil
		case 0:
			return nil, p.malformed("Unexpected end of input.")
		default:
			return nil, p.malformed("Unexpected array element.")
		}
	}
}

// elem reads one element and the white space behind it.
func (p *arrayParser) elem() (repr.Datum, *repr.Error) {
	p.space()
	var text string
	quoted := false
	switch c := p.peek(); c {
	case '{':
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "arrays of more than one dimension are not supported")
	case '"':
		var ok bool
		if text, ok = p.quoted(); !ok {
			return repr.Null, p.malformed("Unexpected end of input.")
		}
		quoted = true
		p.space()
	case ',', '}':
		return repr.Null, p.malformed(`Unexpected "` + string(c) + `" character.`)
	case 0:
		return repr.Null, p.malformed("Unexpected end of input.")
	default:
		var err *repr.Error
		if text, err = p.bare(); err != nil {
			return repr.Null, err
		}
	}
	if !quoted && strings.EqualFold(text, "null") {
		return repr.Null, nil
	}
	return ParseText(repr.Type{Kind: p.typ.Elem, Mod: p.typ.Mod}, text, p.opt)
}

func (p *arrayParser) quoted() (string, bool) {
	var out []byte
	p.i++
	for p.i < len(p.text) {
		c := p.text[p.i]
		p.i++
		switch {
		case c == '"':
			return string(out), true
		case c == '\\' && p.i < len(p.text):
			out = append(out, p.text[p.i])
			p.i++
		default:
			out = append(out, c)
		}
	}
	return "", false
}

func (p *arrayParser) bare() (string, *repr.Error) {
	var out []byte
	keep := 0 // length up to the last byte that is no white space, or that is escaped
	for p.i < len(p.text) {
		c := p.text[p.i]
		switch c {
		case ',', '}':
			return string(out[:keep]), nil
		case '{', '"':
			return "", p.malformed("Unexpected array element.")
		case '\\':
			p.i++
			if p.i == len(p.text) {
				return "", p.malformed("Unexpected end of input.")
			}
			c = p.text[p.i]
			out = append(out, c)
			keep = len(out)
		default:
			out = append(out, c)
			if !isSpace(c) {
				keep = len(out)
			}
		}
		p.i++
	}
	return "", p.malformed("Unexpected end of input.")
}
