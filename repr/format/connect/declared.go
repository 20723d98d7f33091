package connect

import (
	"bytes"
	"fmt"

	"millrace/repr"
	"millrace/repr/format/logical"
	"millrace/repr/pgfmt"
)

// declared reads a value by the type of its column, as no schema says what it is.
func (s *Scanner) declared(r *reading) repr.Datum {
	t := r.target
	c := s.peek()
	switch {
	case t.Kind == repr.KindJSONB || t.Kind == repr.KindJSON:
		if c == '"' {
			return s.nested(s.SQLText()).As(t.Kind)
		}
		return s.document().As(t.Kind)
	case t.Kind == repr.KindArray && c == '[':
		return s.array(r)
	case c == '"':
		text := s.SQLText()
		if s.err != nil {
			return repr.Null
		}
		return s.made(r.modes.text(t, text, true))
	case c == '{':
		return s.object(r)
	case isText(t.Kind):
		return s.plain(t)
	default:
		return s.declaredNumber(r)
	}
}

// plain keeps what is no string as text: a number or a word as it is written, others in normal form.
func (s *Scanner) plain(t repr.Type) repr.Datum {
	d := s.document()
	if s.err != nil {
		return repr.Null
	}
	return s.made(pgfmt.ParseText(t, d.Str(), nil))
}

func (s *Scanner) declaredNumber(r *reading) repr.Datum {
	switch t := r.target; t.Kind {
	case repr.KindBool:
		return s.boolean()
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		return s.integer(t.Kind)
	case repr.KindDate:
		return s.made(logical.Date(s.count()))
	case repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ, repr.KindInterval:
		per, ok := r.modes.unit(t)
		if !ok {
			s.failWith(repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("nothing says whether the number in this column of type %s is milliseconds or microseconds", t)).
				WithHint("Declare the column with its precision, as timestamp(3) or timestamp(6), or give the envelope the connector's TIME PRECISION MODE."))
			return repr.Null
		}
		return s.counted(t.Kind, per)
	default:
		return s.number(t)
	}
}

// object reads a decimal of any scale, or what MongoDB's extended JSON wraps in an object with a key of a dollar sign.
func (s *Scanner) object(r *reading) repr.Datum {
	at := s.At()
	s.Open()
	name, more := s.Key()
	inner := *r
	switch {
	case !more || s.err != nil:
		s.Seek(at)
		return s.declaredObject(r)
	case string(name) == "$numberLong" && isTime(r.target.Kind):
		inner.form = formText
	case !bytes.HasPrefix(name, []byte("$")) && string(name) != "base64":
		s.Seek(at)
		return s.declaredObject(r)
	case string(name) == "$date":
		inner.modes = &Modes{Time: "connect"}
	case string(name) == "$binary" || string(name) == "base64":
		inner.modes = &Modes{}
	default:
		inner.modes = &Modes{Decimal: "string"}
	}
	keep := s.unwrapped(&inner).Clone()
	for _, more := s.Key(); more; _, more = s.Key() {
		s.Skip()
	}
	return keep
}

// unwrapped reads what an object of extended JSON wraps. The count of a time may be wrapped once more, as the text of a number.
func (s *Scanner) unwrapped(r *reading) repr.Datum {
	if r.form != formText {
		return s.declared(r)
	}
	text := s.Text()
	n, ok := parseInt(text)
	per, known := r.modes.unit(r.target)
	if !ok || !known {
		s.invalid(r.target, text)
		return repr.Null
	}
	return s.countOf(n, r.target.Kind, per)
}

func (s *Scanner) declaredObject(r *reading) repr.Datum {
	switch r.target.Kind {
	case repr.KindText, repr.KindVarchar, repr.KindBpchar:
		return s.plain(r.target)
	case repr.KindNumeric:
		return s.varDecimal()
	case repr.KindBytea:
		return s.geometry()
	default:
		s.invalid(r.target, s.Raw())
		return repr.Null
	}
}

// text reads a text as a value of a type. bare: no schema says that a decimal is written as its digits.
func (m *Modes) text(t repr.Type, b []byte, bare bool) (repr.Datum, *repr.Error) {
	switch t.Kind {
	case repr.KindNumeric:
		if bare && m.Decimal != "string" && string(b) != "NaN" {
			return m.decimal(t, b)
		}
	case repr.KindBytea:
		raw, err := m.bytes(nil, b)
		return repr.Bytea(raw), err
	case repr.KindDate, repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ:
		d, err := logical.ISO(t.Kind, b)
		if err != nil || !t.HasMod() {
			return d, err
		}
		return pgfmt.Coerce(t, d, false)
	case repr.KindInterval:
		if len(b) > 0 && b[0] == 'P' {
			return logical.Duration(b)
		}
		b = bytes.TrimSuffix(b, []byte("Z")) // a time of day, where a time may be longer than a day
	default: // as PostgreSQL reads it
	}
	return pgfmt.ParseText(t, string(b), nil)
}

// decimal reads the digits of a decimal, in base64, whose scale the column has.
func (m *Modes) decimal(t repr.Type, b []byte) (repr.Datum, *repr.Error) {
	const hint = "Declare the column as numeric(precision, scale), or give the envelope the connector's DECIMAL HANDLING MODE, as 'string'."
	if !t.HasMod() {
		return repr.Null, repr.NewError(repr.CodeInvalidParameter, "a decimal came without its scale: "+quote(b)).WithHint(hint)
	}
	std := Modes{}
	raw, err := std.bytes(nil, b)
	if err != nil {
		return repr.Null, repr.NewError(repr.CodeInvalidText, "the text "+quote(b)+" is not a decimal in base64").WithHint(hint)
	}
	d, err := logical.Decimal(raw, numericScale(t))
	if err != nil {
		return d, err
	}
	return pgfmt.Coerce(t, d, false)
}

// numericScale is the scale in numeric(precision, scale).
func numericScale(t repr.Type) int32 { return (t.Mod-4)&0x7ff ^ 1024 - 1024 }

func isText(k repr.Kind) bool {
	return k == repr.KindText || k == repr.KindVarchar || k == repr.KindBpchar
}

func isTime(k repr.Kind) bool { return k == repr.KindTimestamp || k == repr.KindTimestampTZ }
