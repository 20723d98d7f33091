package connect

import (
	"slices"

	"millrace/repr"
)

// Column is a column that rows are read into, with the value it has where an object lacks the field.
type Column struct {
	repr.Column
	Default []byte // packed; nil when there is none, so that a missing field is NULL
}

// Desc is the shape of columns.
func Desc(cols []Column) repr.RowDesc {
	d := make(repr.RowDesc, len(cols))
	for i := range cols {
		d[i] = cols[i].Column
	}
	return d
}

// maxExtra bounds how many names of fields that no column has are kept.
const maxExtra = 64

// Row takes objects apart into packed rows, matched by name. One goroutine at a time may use it.
type Row struct {
	cols     []Column
	readings []reading // by column
	spans    []span
	extra    []string // the fields that no column has, each once
	known    int      // how many of them were asked for
}

type span struct{ from, to int }

// NewRow prepares for objects of a schema. With none they are read by the types of the columns.
func NewRow(cols []Column, schema *Schema, modes Modes) (*Row, error) {
	r := &Row{cols: cols, readings: make([]reading, len(cols)), spans: make([]span, len(cols))}
	for i := range cols {
		c := &cols[i]
		if schema == nil {
			r.readings[i] = declaredReading(c.Type, &modes)
			r.readings[i].notNull = c.NotNull
			continue
		}
		if f := schema.Sub(c.Name); f != nil {
			read, err := schema.readingFor(f, c.Type, &modes)
			if err != nil {
				return nil, inField(c.Name, err)
			}
			r.readings[i] = *read
			r.readings[i].notNull = c.NotNull
		}
	}
	if schema != nil {
		for _, f := range schema.Fields {
			if r.index([]byte(f.Field)) < 0 {
				r.noteExtra([]byte(f.Field))
			}
		}
	}
	return r, nil
}

func declaredReading(t repr.Type, modes *Modes) reading {
	r := reading{form: formDeclared, natural: t, target: t, modes: modes}
	if t.Kind == repr.KindArray {
		item := declaredReading(repr.TypeOf(t.Elem), modes)
		r.item = &item
	}
	if t.HasMod() && !isText(t.Kind) {
		r.convert = func(d repr.Datum) (repr.Datum, *repr.Error) { return fit(t, d) }
	}
	return r
}

// readingFor is how the values of a field are read into a column.
func (s *Schema) readingFor(f *Schema, t repr.Type, modes *Modes) (*reading, error) {
	r, err := s.reading(f)
	if err != nil {
		return nil, err
	}
	r.target, r.modes = t, modes
	if r.form == formArray && t.Kind == repr.KindArray {
		r.item, err = s.readingFor(f.Items, repr.TypeOf(t.Elem), modes)
		return r, err
	}
	if r.form == formArray && (t.Kind == repr.KindJSONB || t.Kind == repr.KindJSON) {
		r.form, r.natural = formDocument, repr.TypeOf(repr.KindJSONB)
	}
	var ok bool
	if r.convert, ok = conversion(r.natural, t, modes); !ok {
		return nil, mismatch(f, t)
	}
	return r, nil
}

// Append reads an object and packs its row. What it appended is void after an error.
func (r *Row) Append(s *Scanner, dst []byte) []byte {
	if !s.Open() {
		return dst
	}
	start := len(dst)
	clear(r.spans)
	next, ordered := 0, true
	for name, more := s.Key(); more; name, more = s.Key() {
		at := next
		if at >= len(r.cols) || string(name) != r.cols[at].Name {
			at = r.index(name)
			ordered = false
		}
		if at < 0 {
			r.noteExtra(name)
			s.Skip()
			continue
		}
		from := len(dst)
		dst = s.column(dst, &r.readings[at])
		if s.err != nil {
			s.in(r.cols[at].Name)
			return dst
		}
		r.spans[at] = span{from, len(dst)}
		next = at + 1
	}
	if s.err != nil || ordered && next == len(r.cols) {
		return dst
	}
	return r.arrange(s, dst, start)
}

// arrange puts the columns, which were read in the order of the object, in their own order.
func (r *Row) arrange(s *Scanner, dst []byte, start int) []byte {
	s.tmp = append(s.tmp[:0], dst[start:]...)
	dst = dst[:start]
	for i, sp := range r.spans {
		switch c := &r.cols[i]; {
		case sp.to > sp.from:
			dst = append(dst, s.tmp[sp.from-start:sp.to-start]...)
		case c.Default != nil:
			dst = append(dst, c.Default...)
		case c.NotNull:
			s.fail(repr.CodeNotNullViolation, "the record lacks it, and it has no default")
			s.in(c.Name)
			return dst
		default:
			dst = repr.Append(dst, repr.Null)
		}
	}
	return dst
}

func (r *Row) index(name []byte) int {
	for i := range r.cols {
		if string(name) == r.cols[i].Name {
			return i
		}
	}
	return -1
}

func (r *Row) noteExtra(name []byte) {
	if len(r.extra) < maxExtra && !slices.Contains(r.extra, string(name)) {
		r.extra = append(r.extra, string(name))
	}
}

// Extra gives the fields that no column has, each once.
func (r *Row) Extra() []string {
	names := r.extra[r.known:]
	r.known = len(r.extra)
	return names
}
