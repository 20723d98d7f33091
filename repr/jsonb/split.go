package jsonb

// Part is one member of an object as it was written: both alias the text, and are not in normal form.
type Part struct {
	Key   []byte // with its quotes
	Value []byte
}

// Split checks a JSON text and appends the members of the object that it is; isObject is false when it is another value. The
// error is an *Error. Strings are checked as Valid does: what is taken out of them has to go through Normalize, unless
// PlainString says that nothing in them is escaped.
func Split(parts []Part, src []byte) (out []Part, isObject bool, err error) {
	p := parser{src: src}
	if p.peek() != '{' {
		if err := p.document(); err != nil {
			return parts, false, err
		}
		return parts, false, nil
	}
	p.i++
	parts, failed := p.split(parts)
	if failed != nil {
		return parts, true, failed
	}
	if p.peek(); p.i < len(p.src) {
		return parts, true, p.unexpected("end of input")
	}
	return parts, true, nil
}

// split reads the members of an object whose brace was read.
func (p *parser) split(parts []Part) ([]Part, *Error) {
	if p.peek() == '}' {
		p.i++
		return parts, nil
	}
	want := `string or "}"`
	for {
		if p.peek() != '"' {
			return parts, p.unexpected(want)
		}
		want = "string"
		key := p.i
		if err := p.stringToken(); err != nil {
			return parts, err
		}
		part := Part{Key: p.src[key:p.i]}
		if p.peek() != ':' {
			return parts, p.unexpected(`":"`)
		}
		p.i++
		p.space()
		value := p.i
		if err := p.value(); err != nil {
			return parts, err
		}
		part.Value = p.src[value:p.i]
		parts = append(parts, part)
		switch p.peek() {
		case ',':
			p.i++
		case '}':
			p.i++
			return parts, nil
		default:
			return parts, p.unexpected(`"," or "}"`)
		}
	}
}

// PlainString is what a string says in which nothing is escaped, as it was written; ok is false for every other value.
func PlainString(raw []byte) (text []byte, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	text = raw[1 : len(raw)-1]
	for _, c := range text {
		if c == '\\' {
			return nil, false
		}
	}
	return text, true
}
