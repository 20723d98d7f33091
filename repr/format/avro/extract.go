package avro

import (
	"fmt"
	"strings"

	"millrace/repr"
)

// Slot is a part of a record to take out, at a path of field names through records and their unions with null.
type Slot struct {
	Path string // such as source.lsn
	// Columns of the record at Path, matched by name: the slot is a packed row. When nil, the value at Path is one
	// packed column of its natural type.
	Columns []Column
}

// Extractor takes some parts out of records in one pass. One goroutine at a time may use it.
type Extractor struct {
	run   decode
	slots []slotValue
	has   []bool // which slots the schema has
	r     reader
}

// slotValue is what a slot holds: numbers and texts, which are asked for most, as they are.
type slotValue struct {
	buf     []byte // packed
	text    []byte // in the record
	number  int64
	kind    repr.Kind // of a text or number; KindNull: it is packed
	present bool
}

func (v *slotValue) datum() repr.Datum {
	switch v.kind {
	case repr.KindInt8:
		return repr.Int8(v.number)
	case repr.KindInt4:
		return repr.Int4(int32(v.number))
	case repr.KindText:
		return repr.TextBytes(v.text)
	default:
		d, _ := repr.Decode(v.buf)
		return d
	}
}

// NewExtractor compiles a schema for slots. A slot whose path the schema does not have is never present.
func NewExtractor(s *Schema, slots []Slot) (*Extractor, error) {
	x := &Extractor{slots: make([]slotValue, len(slots)), has: make([]bool, len(slots))}
	w := walker{compiler: compiler{schema: s}, x: x, slots: slots}
	want := make([]target, len(slots))
	for i := range slots {
		want[i] = target{slot: i, path: strings.Split(slots[i].Path, ".")}
	}
	run, err := w.walk(s.root, want)
	if err != nil {
		return nil, err
	}
	x.run = run
	return x, nil
}

// Has says whether the schema has the slot at all.
func (x *Extractor) Has(slot int) bool { return x.has[slot] }

// Run takes the slots out of a record. What Row and Value return is valid until the next Run, and as long as the record.
func (x *Extractor) Run(record []byte) error {
	x.r.reset(record)
	for i := range x.slots {
		x.slots[i].present = false
	}
	x.run(&x.r, nil)
	return x.r.finish()
}

// Row is the packed row or column of a slot; ok is false when a null stands on its path, or at its end.
func (x *Extractor) Row(slot int) (row []byte, ok bool) {
	v := &x.slots[slot]
	if v.present && v.kind != repr.KindNull {
		v.buf = repr.Append(v.buf[:0], v.datum())
	}
	return v.buf, v.present
}

// Int is the number of a slot; ok is false when there is none.
func (x *Extractor) Int(slot int) (n int64, ok bool) {
	v := &x.slots[slot]
	if v.kind == repr.KindInt8 {
		return v.number, v.present
	}
	d := x.Value(slot)
	return d.Int(), !d.IsNull()
}

// Value is the value of a slot of one column; NULL when it is not present.
func (x *Extractor) Value(slot int) repr.Datum {
	if !x.slots[slot].present {
		return repr.Null
	}
	return x.slots[slot].datum()
}

type target struct {
	slot int
	path []string // what is left of it
}

type walker struct {
	compiler
	x     *Extractor
	slots []Slot
}

// walk compiles a type that has at least one target in it.
func (w *walker) walk(n *node, want []target) (decode, error) {
	if n.kind == kindUnion {
		return w.walkUnion(n, want)
	}
	if len(want[0].path) == 0 {
		if len(want) > 1 {
			return nil, fmt.Errorf("slots %q and %q overlap", w.slots[want[0].slot].Path, w.slots[want[1].slot].Path)
		}
		return w.end(n, want[0].slot)
	}
	if n.kind != kindRecord {
		return w.skip(n)
	}
	steps := make([]step, len(n.fields))
	for i := range n.fields {
		f := &n.fields[i]
		dec, err := w.field(f, want)
		if err != nil {
			return nil, inField(f.name, err)
		}
		steps[i] = step{name: f.name, dec: dec}
		if len(inside(f, want)) == 0 {
			steps[i].short = shortSkip(f.node)
		}
	}
	return orderedRow(steps), nil
}

// inside are the targets in a field.
func inside(f *field, want []target) []target {
	var out []target
	for _, t := range want {
		if t.path[0] == f.name {
			out = append(out, target{t.slot, t.path[1:]})
		}
	}
	return out
}

func (w *walker) field(f *field, want []target) (decode, error) {
	targets := inside(f, want)
	if len(targets) == 0 {
		return w.skip(f.node)
	}
	return w.walk(f.node, targets)
}

func (w *walker) walkUnion(n *node, want []target) (decode, error) {
	one, null := n.nullable()
	if one == nil {
		if len(want[0].path) == 0 {
			return w.end(n, want[0].slot)
		}
		return w.skip(n)
	}
	inner, err := w.walk(one, want)
	if err != nil {
		return nil, err
	}
	branches := len(n.branches)
	return func(r *reader, dst []byte) []byte {
		if i := r.branch(branches); i == null || r.err != nil {
			return dst
		}
		return inner(r, dst)
	}, nil
}

// end compiles the type at the end of a path.
func (w *walker) end(n *node, slot int) (decode, error) {
	w.x.has[slot] = true
	if w.slots[slot].Columns == nil {
		if dec := w.plain(n.form, &w.x.slots[slot]); dec != nil {
			return dec, nil
		}
	}
	var dec decode
	var err error
	switch cols := w.slots[slot].Columns; {
	case cols == nil:
		dec, err = w.value(n, w.schema.natural(n), false)
	case n.kind != kindRecord:
		return nil, badSchema("%s is %s, want a record", w.slots[slot].Path, n.describe())
	default:
		dec, err = w.row(n, cols)
	}
	if err != nil {
		return nil, err
	}
	out := &w.x.slots[slot]
	return func(r *reader, dst []byte) []byte {
		out.buf = dec(r, out.buf[:0])
		out.present = r.err == nil
		return dst
	}, nil
}

// plain compiles a number or text, which is kept as it is; nil for other forms.
func (w *walker) plain(f form, out *slotValue) decode {
	switch f {
	case formLong:
		out.kind = repr.KindInt8
		return func(r *reader, dst []byte) []byte {
			out.number = r.long()
			out.present = r.err == nil
			return dst
		}
	case formInt:
		out.kind = repr.KindInt4
		return func(r *reader, dst []byte) []byte {
			out.number = r.int32()
			out.present = r.err == nil
			return dst
		}
	case formString:
		out.kind = repr.KindText
		return func(r *reader, dst []byte) []byte {
			out.text = r.bytes()
			out.present = checkText(r, out.text)
			return dst
		}
	default:
		return nil
	}
}
