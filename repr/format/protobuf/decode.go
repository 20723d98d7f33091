package protobuf

import (
	"fmt"
	"math"
	"math/big"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
)

// Limits of a message beside its length.
const (
	maxDepth    = 100
	maxElements = 1 << 20 // of all lists together
)

// Decoder takes messages of one type apart to given columns. It holds scratch buffers: one goroutine at a time may use it.
type Decoder struct {
	cols    repr.RowDesc
	message protoreflect.MessageDescriptor
	plans   []plan                         // by column
	byField map[protowire.Number]int       // the column of a field
	first   [maxFirst]int                  // the same for small numbers: the column and one more
	nested  []protoreflect.FieldDescriptor // those that become JSON

	values []value
	rest   []byte // the fields that become JSON, as they came
	budget int
}

// maxFirst is up to which number fields are found without a look-up.
const maxFirst = 64

// plan is how a column is filled.
type plan struct {
	field   protoreflect.FieldDescriptor // nil when the message has none of that name
	nested  bool                         // it becomes JSON
	list    bool
	wrapped bool       // the value stands in a message of its own
	missing repr.Datum // what it is when it is not there
}

// value is what was found of a column.
type value struct {
	datum repr.Datum
	list  []repr.Datum
	has   bool
}

// NewDecoder makes a decoder of a type to the columns of a reader. A column that the type does not have is NULL.
func NewDecoder(m protoreflect.MessageDescriptor, cols repr.RowDesc) (*Decoder, error) {
	d := &Decoder{cols: cols, message: m, plans: make([]plan, len(cols)), byField: map[protowire.Number]int{}, values: make([]value, len(cols))}
	for i := range cols {
		f := m.Fields().ByName(protoreflect.Name(cols[i].Name))
		if f == nil {
			d.plans[i].missing = repr.Null
			continue
		}
		if got := typeOf(f); got != cols[i].Type {
			return nil, repr.NewError(repr.CodeDatatypeMismatch,
				fmt.Sprintf("field %q: the message's schema has %s where the column is %s", f.Name(), got, cols[i].Type))
		}
		d.plans[i] = planOf(f)
		d.byField[f.Number()] = i
		if f.Number() < maxFirst {
			d.first[f.Number()] = i + 1
		}
		if isNested(f) {
			d.nested = append(d.nested, f)
		}
	}
	return d, nil
}

func planOf(f protoreflect.FieldDescriptor) plan {
	p := plan{field: f, nested: isNested(f), list: f.IsList(), missing: repr.Null}
	if m := f.Message(); m != nil {
		p.wrapped = true
		return p
	}
	switch {
	case f.IsList():
		p.missing = repr.Array(nil)
	case !f.HasPresence() || f.HasDefault():
		p.missing = defaultOf(f)
	}
	return p
}

// defaultOf is the default of a scalar field.
func defaultOf(f protoreflect.FieldDescriptor) repr.Datum {
	v := f.Default()
	switch f.Kind() {
	case protoreflect.BoolKind:
		return repr.Bool(v.Bool())
	case protoreflect.EnumKind:
		return repr.Text(enumName(f, v.Enum()))
	case protoreflect.StringKind:
		return repr.Text(v.String())
	case protoreflect.BytesKind:
		return repr.Bytea(v.Bytes())
	case protoreflect.FloatKind:
		return repr.Float4(float32(v.Float()))
	case protoreflect.DoubleKind:
		return repr.Float8(v.Float())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return repr.Int8(int64(v.Uint()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return unsigned(v.Uint())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return repr.Int4(int32(v.Int()))
	default:
		return repr.Int8(v.Int())
	}
}

func enumName(f protoreflect.FieldDescriptor, n protoreflect.EnumNumber) string {
	if v := f.Enum().Values().ByNumber(n); v != nil {
		return string(v.Name())
	}
	return fmt.Sprint(n)
}

func unsigned(n uint64) repr.Datum {
	if n <= math.MaxInt64 {
		return repr.Numeric(int64(n), 0)
	}
	return repr.NumericFromBig(new(big.Int).SetUint64(n), 0)
}

// Columns are what a message becomes.
func (d *Decoder) Columns() repr.RowDesc { return d.cols }

// Append decodes a message, packed behind dst. On an error dst is returned as it was.
func (d *Decoder) Append(dst, message []byte) ([]byte, error) {
	clear(d.values)
	d.rest, d.budget = d.rest[:0], maxElements
	for len(message) > 0 {
		n, err := d.field(message)
		if err != nil {
			return dst, err
		}
		message = message[n:]
	}
	if err := d.json(); err != nil {
		return dst, err
	}
	out := dst
	for i := range d.plans {
		v := d.values[i]
		switch {
		case v.list != nil:
			v.datum = repr.Array(v.list)
		case !v.has:
			v.datum = d.plans[i].missing
		}
		if v.datum.IsNull() && d.cols[i].NotNull {
			return dst, in(d.cols[i].Name, repr.NewError(repr.CodeNotNullViolation, "the message lacks it"))
		}
		out = repr.Append(out, v.datum)
	}
	return out, nil
}

// in says in which field an error happened.
func in(field string, err *repr.Error) *repr.Error {
	e := *err
	e.Message = fmt.Sprintf("invalid Protobuf message: field %q: %s", field, err.Message)
	return &e
}

func damaged(n int) *repr.Error {
	return repr.NewError(repr.CodeInvalidBinary, "invalid Protobuf message: "+protowire.ParseError(n).Error())
}

// field reads one field and gives its length.
func (d *Decoder) field(b []byte) (int, error) {
	number, wire, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return 0, damaged(tag)
	}
	size := protowire.ConsumeFieldValue(number, wire, b[tag:])
	if size < 0 {
		return 0, damaged(size)
	}
	i, ok := d.columnOf(number)
	if !ok {
		return tag + size, nil
	}
	p := &d.plans[i]
	raw := b[tag : tag+size]
	var err *repr.Error
	switch {
	case p.nested:
		d.rest = append(d.rest, b[:tag+size]...)
	case p.wrapped:
		err = d.wrapped(i, wire, raw)
	case p.list:
		err = d.list(i, wire, raw)
	default:
		v := &d.values[i]
		if v.datum, err = scalar(p.field, wire, raw); err == nil {
			v.has = true
		}
	}
	if err != nil {
		return 0, in(string(p.field.Name()), err)
	}
	return tag + size, nil
}

func (d *Decoder) columnOf(number protowire.Number) (int, bool) {
	if number < maxFirst {
		i := d.first[number]
		return i - 1, i > 0
	}
	i, ok := d.byField[number]
	return i, ok
}

// list appends to a list: one value, or a pack of them.
func (d *Decoder) list(i int, wire protowire.Type, raw []byte) *repr.Error {
	f, v := d.plans[i].field, &d.values[i]
	own := wireTypes[f.Kind()]
	if wire != protowire.BytesType || own == protowire.BytesType {
		d.budget--
		e, err := scalar(f, wire, raw)
		v.list = append(v.list, e)
		return err
	}
	pack, _ := protowire.ConsumeBytes(raw)
	if v.list == nil {
		v.list = []repr.Datum{}
	}
	for len(pack) > 0 {
		n := protowire.ConsumeFieldValue(1, own, pack)
		if n < 0 {
			return damaged(n)
		}
		if d.budget--; d.budget < 0 {
			return repr.NewError(repr.CodeProgramLimit, fmt.Sprintf("more than %d elements", maxElements))
		}
		e, err := scalar(f, own, pack[:n])
		if err != nil {
			return err
		}
		v.list = append(v.list, e)
		pack = pack[n:]
	}
	return nil
}

// unmarshal reads a message with all that nests. The library panics on some that are not valid: of an entry of a map with a key, and
// another key of a type that the field does not have.
func unmarshal(in []byte, m proto.Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return proto.UnmarshalOptions{AllowPartial: true, RecursionLimit: maxDepth}.Unmarshal(in, m)
}

// json makes the columns of what nests.
func (d *Decoder) json() error {
	if len(d.nested) == 0 {
		return nil
	}
	m := dynamicpb.NewMessage(d.message)
	if err := unmarshal(d.rest, m); err != nil {
		return repr.NewError(repr.CodeInvalidBinary, fmt.Sprintf("invalid Protobuf message: %v", err))
	}
	text, err := protojson.MarshalOptions{AllowPartial: true, UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return repr.NewError(repr.CodeInvalidBinary, fmt.Sprintf("invalid Protobuf message: %v", err))
	}
	norm, err := jsonb.Normalize(nil, text)
	if err != nil {
		return pgfmt.JSONError(err)
	}
	for _, f := range d.nested {
		i, _ := d.columnOf(f.Number())
		if v, ok := jsonb.Field(norm, string(f.Name())); ok {
			d.values[i] = value{datum: repr.JSONB(v), has: true}
		}
	}
	return nil
}
