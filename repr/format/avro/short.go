package avro

import "millrace/repr"

// short reads the plainest fields, of which records have most, without a closure: a number or text, or a union of null and
// one of these, that becomes a column of its natural type or is stepped over.
type short struct {
	code     code
	optional bool // it is a union with null
	null     byte // the index of null in it, as it is written
}

// code is what is done about a field.
type code byte

const (
	codeNone code = iota // the closure of the step knows
	codeLong
	codeInt
	codeText
	codeSkipLong
	codeSkipBytes
)

var (
	valueCodes = map[form]code{formLong: codeLong, formInt: codeInt, formString: codeText}
	skipCodes  = map[kind]code{kindInt: codeSkipLong, kindLong: codeSkipLong, kindBytes: codeSkipBytes, kindString: codeSkipBytes}
)

// shortOf is the short form for a type, by the code of what it is but null; the zero one when there is none.
func shortOf(n *node, codeOf func(n *node) code) short {
	if n.kind != kindUnion {
		return short{code: codeOf(n)}
	}
	one, null := n.nullable()
	if one == nil || len(n.branches) != 2 || codeOf(one) == codeNone {
		return short{}
	}
	return short{code: codeOf(one), optional: true, null: byte(2 * null)}
}

// shortSkip steps over a type.
func shortSkip(n *node) short {
	return shortOf(n, func(n *node) code { return skipCodes[n.kind] })
}

// shortValue reads a type to a column.
func (c *compiler) shortValue(n *node, target repr.Type, notNull bool) short {
	if notNull && n.kind == kindUnion {
		return short{}
	}
	return shortOf(n, func(n *node) code {
		if c.schema.natural(n).Kind != target.Kind {
			return codeNone
		}
		return valueCodes[n.form]
	})
}

// run does what the code says.
func (s *short) run(r *reader, dst []byte) []byte {
	if s.optional && r.isNull(s.null) {
		if s.code < codeSkipLong {
			dst = repr.Append(dst, repr.Null)
		}
		return dst
	}
	switch s.code {
	case codeLong:
		return repr.AppendFixed8(dst, repr.KindInt8, r.long())
	case codeInt:
		return repr.Append(dst, repr.Int4(int32(r.int32())))
	case codeText:
		if b := r.bytes(); checkText(r, b) {
			return repr.AppendText(dst, b)
		}
	case codeSkipLong:
		r.skipLong()
	case codeSkipBytes:
		r.bytes()
	case codeNone:
	}
	return dst
}

// isNull reads the index of a union of null and one type, and says whether it is null's, or wrong.
func (r *reader) isNull(null byte) bool {
	if r.pos < len(r.buf) {
		if b := r.buf[r.pos]; b == 0 || b == 2 {
			r.pos++
			return b == null
		}
	}
	return r.branch(2) == int(null/2) || r.err != nil
}
