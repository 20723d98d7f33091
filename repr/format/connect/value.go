package connect

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"

	"millrace/repr"
	"millrace/repr/format/logical"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
)

// form is how the text of a value is to be read.
type form uint8

const (
	formBool form = iota
	formInt
	formFloat
	formText
	formBytes
	formDecimal    // the unscaled number, big-endian, in base64
	formVarDecimal // an object of scale and value
	formGeometry   // an object with wkb
	formDate
	formTimeMillis
	formTimeMicros
	formTimeNanos
	formStampMillis
	formStampMicros
	formStampNanos
	formSpanMicros
	formDuration
	formISO
	formJSON // a string that is a document
	formUUID
	formBits
	formArray
	formDocument // any value, kept as a document
	formDeclared // by the type of the column, as there is no schema
)

var units = map[form]logical.Unit{
	formTimeMillis: logical.Millis, formTimeMicros: logical.Micros, formTimeNanos: logical.Nanos,
	formStampMillis: logical.Millis, formStampMicros: logical.Micros, formStampNanos: logical.Nanos,
	formSpanMicros: logical.Micros,
}

// reading is how the values of a column are read.
type reading struct {
	form    form
	natural repr.Type // what comes of it
	target  repr.Type // what the column wants
	scale   int32
	bits    int
	item    *reading // of an array
	convert convert  // from natural to target; nil when they are one
	notNull bool
	modes   *Modes
}

// column packs a value as a column.
func (s *Scanner) column(dst []byte, r *reading) []byte {
	if s.Null() {
		if r.notNull {
			s.fail(repr.CodeNotNullViolation, "null value in a column that is not null")
		}
		return repr.Append(dst, repr.Null)
	}
	d := s.datum(r)
	if s.err == nil && r.convert != nil {
		var err *repr.Error
		if d, err = r.convert(d); err != nil {
			s.failWith(err)
		}
	}
	if s.err != nil {
		return dst
	}
	return repr.Append(dst, d)
}

// datum reads a value that is not null.
func (s *Scanner) datum(r *reading) repr.Datum {
	switch r.form {
	case formBool:
		return s.boolean()
	case formInt:
		return s.integer(r.natural.Kind)
	case formText:
		return repr.TextBytes(s.SQLText())
	case formFloat:
		return s.number(r.natural)
	case formDate:
		return s.made(logical.Date(s.count()))
	case formTimeMillis, formTimeMicros, formTimeNanos, formStampMillis, formStampMicros, formStampNanos, formSpanMicros:
		return s.counted(r.natural.Kind, units[r.form])
	case formArray:
		return s.array(r)
	case formDocument:
		return s.document()
	case formDeclared:
		return s.declared(r)
	default:
		return s.rare(r)
	}
}

// rare are the forms that are text or objects.
func (s *Scanner) rare(r *reading) repr.Datum {
	switch r.form {
	case formBytes:
		return repr.Bytea(s.base64())
	case formDecimal:
		return s.made(logical.Decimal(s.base64(), r.scale))
	case formVarDecimal:
		return s.varDecimal()
	case formGeometry:
		return s.geometry()
	case formDuration:
		return s.made(logical.Duration(s.Text()))
	case formISO:
		return s.made(logical.ISO(r.natural.Kind, s.SQLText()))
	case formUUID:
		return s.made(logical.UUID(s.Text()))
	case formJSON:
		return s.nested(s.SQLText())
	default: // formBits
		return logical.Bits(s.base64(), r.bits)
	}
}

// made takes what a conversion gives.
func (s *Scanner) made(d repr.Datum, err *repr.Error) repr.Datum {
	if err != nil {
		s.failWith(err)
	}
	return d
}

func (s *Scanner) boolean() repr.Datum {
	switch tok := s.token(); string(tok) {
	case "true", "1":
		return repr.Bool(true)
	case "false", "0":
		return repr.Bool(false)
	default:
		s.invalid(repr.TypeOf(repr.KindBool), tok)
		return repr.Null
	}
}

func (s *Scanner) integer(k repr.Kind) repr.Datum {
	n := s.count()
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	switch k {
	case repr.KindInt2:
		lo, hi = math.MinInt16, math.MaxInt16
	case repr.KindInt4:
		lo, hi = math.MinInt32, math.MaxInt32
	default: // every number that was read fits
	}
	if n < lo || n > hi {
		s.fail(repr.CodeNumericOutOfRange, fmt.Sprintf("value %d is out of range for type %s", n, k))
		return repr.Null
	}
	return repr.IntOf(k, n)
}

// count reads a whole number.
func (s *Scanner) count() int64 {
	if s.peek() == '"' {
		s.syntax("a number")
		return 0
	}
	tok := s.token()
	n, ok := parseInt(tok)
	if !ok {
		s.invalid(repr.TypeOf(repr.KindInt8), tok)
	}
	return n
}

// counted reads a count of time.
func (s *Scanner) counted(k repr.Kind, per logical.Unit) repr.Datum {
	return s.countOf(s.count(), k, per)
}

func (s *Scanner) countOf(v int64, k repr.Kind, per logical.Unit) repr.Datum {
	switch k {
	case repr.KindTime:
		m, err := logical.Time(v, per)
		return s.made(repr.TimeOfDay(m), err)
	case repr.KindInterval:
		return s.made(logical.Span(v, per))
	default:
		m, err := logical.Timestamp(v, per)
		return s.made(repr.Timestamp(m).As(k), err)
	}
}

// number reads a number, or a string that says one: NaN, infinity.
func (s *Scanner) number(t repr.Type) repr.Datum {
	if s.peek() == '"' {
		return s.made(pgfmt.ParseText(t, string(s.SQLText()), nil))
	}
	tok := s.token()
	if len(tok) > 0 && tok[0] != '-' && (tok[0] < '0' || tok[0] > '9') {
		s.invalid(t, tok)
		return repr.Null
	}
	return s.made(pgfmt.ParseText(t, string(tok), nil))
}

func (s *Scanner) invalid(t repr.Type, tok []byte) {
	s.fail(repr.CodeInvalidText, fmt.Sprintf("invalid input syntax for type %s: %s", t, quote(tok)))
}

func quote(b []byte) string { return strconv.Quote(string(logical.Short(b))) }

// base64 reads the bytes that a string stands for.
func (s *Scanner) base64() []byte {
	text := s.Text()
	if s.err != nil {
		return nil
	}
	b, err := base64.StdEncoding.AppendDecode(s.raw[:0], text)
	s.raw = b
	if err != nil {
		s.fail(repr.CodeInvalidText, "the text "+quote(text)+" is not bytes in base64")
	}
	return b
}

// varDecimal reads an object of scale and value.
func (s *Scanner) varDecimal() repr.Datum {
	var scale int64
	var value []byte
	if s.Open() {
		for name, more := s.Key(); more; name, more = s.Key() {
			switch string(name) {
			case "scale":
				scale = s.count()
			case "value":
				value = append([]byte(nil), s.base64()...)
			default:
				s.Skip()
			}
		}
	}
	if scale != int64(int32(scale)) || value == nil {
		s.fail(repr.CodeInvalidText, "a decimal of any scale is an object of scale and value")
	}
	return s.made(logical.Decimal(value, int32(scale)))
}

// geometry reads the wkb of an object.
func (s *Scanner) geometry() repr.Datum {
	var wkb []byte
	if s.Open() {
		for name, more := s.Key(); more; name, more = s.Key() {
			if string(name) == "wkb" {
				wkb = append([]byte{}, s.base64()...)
			} else {
				s.Skip()
			}
		}
	}
	if wkb == nil {
		s.fail(repr.CodeInvalidText, "a geometry has no wkb")
	}
	return repr.Bytea(wkb)
}

func (s *Scanner) array(r *reading) repr.Datum {
	if s.peek() != '[' {
		s.syntax("an array")
		return repr.Null
	}
	s.i++
	var elems []repr.Datum
	for s.peek() != ']' && s.err == nil {
		if len(elems) > 0 {
			if s.peek() != ',' {
				s.syntax("a comma")
				return repr.Null
			}
			s.i++
		}
		packed := s.column(nil, r.item)
		if s.err != nil {
			return repr.Null
		}
		d, _ := repr.Decode(packed)
		elems = append(elems, d)
	}
	s.i++
	return repr.Array(elems)
}

// document keeps a value in PostgreSQL's normal form.
func (s *Scanner) document() repr.Datum {
	raw := s.Raw()
	if s.err != nil {
		return repr.Null
	}
	return s.normal(raw)
}

func (s *Scanner) normal(text []byte) repr.Datum {
	norm, err := jsonb.Normalize(nil, text)
	if err != nil {
		s.failJSON(err)
		return repr.Null
	}
	return repr.JSONB(norm)
}

// nested reads a document out of a string. The mark for what was not sent is kept bare, so that it can be told.
func (s *Scanner) nested(text []byte) repr.Datum {
	if s.err != nil {
		return repr.Null
	}
	if string(text) == logical.Unavailable {
		return repr.JSONB(text)
	}
	return s.normal(text)
}
