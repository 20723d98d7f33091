package avro

import (
	"millrace/repr"
	"millrace/repr/format/logical"
)

// form is what the values of a type mean: the Avro type refined by its logicalType or, where Kafka Connect wrote
// the schema, by its connect.name.
type form uint8

const (
	formNull form = iota
	formBool
	formInt
	formLong
	formFloat
	formDouble
	formBytes
	formString
	formFixed
	formEnum
	formDecimal
	formVarDecimal // a record of scale and unscaled value
	formUUID
	formUUIDFixed
	formDate
	formTimeMillis
	formTimeMicros
	formTimeNanos
	formStampMillis
	formStampMicros
	formStampNanos
	formDuration      // fixed(12): months, days, milliseconds
	formMicroDuration // a long of microseconds
	formISODuration   // text such as P1Y2M3DT4H5M6.7S
	formISODate       // text such as 2026-02-28Z
	formISOTime       // 23:59:59.123Z
	formISOStamp      // 2026-02-28T23:59:59.123Z
	formJSON
	formBits
	formGeometry // a record with the well-known binary of a geometry
	formComplex  // array, map, record, union
)

var plainForms = [...]form{
	kindNull: formNull, kindBool: formBool, kindInt: formInt, kindLong: formLong, kindFloat: formFloat,
	kindDouble: formDouble, kindBytes: formBytes, kindString: formString, kindFixed: formFixed,
	kindEnum: formEnum, kindArray: formComplex, kindMap: formComplex, kindRecord: formComplex, kindUnion: formComplex,
}

// formKinds is the kind of the column that a form becomes.
var formKinds = [...]repr.Kind{
	formNull: repr.KindText, formBool: repr.KindBool, formInt: repr.KindInt4, formLong: repr.KindInt8,
	formFloat: repr.KindFloat4, formDouble: repr.KindFloat8, formBytes: repr.KindBytea, formString: repr.KindText,
	formFixed: repr.KindBytea, formEnum: repr.KindText, formDecimal: repr.KindNumeric,
	formVarDecimal: repr.KindNumeric, formUUID: repr.KindUUID, formUUIDFixed: repr.KindUUID,
	formDate: repr.KindDate, formTimeMillis: repr.KindTime, formTimeMicros: repr.KindTime,
	formTimeNanos: repr.KindTime, formStampMillis: repr.KindTimestamp, formStampMicros: repr.KindTimestamp,
	formStampNanos: repr.KindTimestamp, formDuration: repr.KindInterval, formMicroDuration: repr.KindInterval,
	formISODuration: repr.KindInterval, formISODate: repr.KindDate, formISOTime: repr.KindTime, formISOStamp: repr.KindTimestamp,
	formJSON: repr.KindJSONB, formBits: repr.KindText, formGeometry: repr.KindBytea,
	formComplex: repr.KindJSONB,
}

// A rule says which form a name gives to which Avro types.
type rule struct {
	name  string
	kinds []kind
	form  form
}

var integers = []kind{kindInt, kindLong}

// logicalTypes are Avro's own. A timestamp bears no zone here, as a Debezium timestamp bears none.
var logicalTypes = []rule{
	{"decimal", []kind{kindBytes, kindFixed}, formDecimal},
	{"uuid", []kind{kindString}, formUUID},
	{"uuid", []kind{kindFixed}, formUUIDFixed},
	{"date", []kind{kindInt}, formDate},
	{"time-millis", []kind{kindInt}, formTimeMillis},
	{"time-micros", []kind{kindLong}, formTimeMicros},
	{"timestamp-millis", []kind{kindLong}, formStampMillis},
	{"timestamp-micros", []kind{kindLong}, formStampMicros},
	{"timestamp-nanos", []kind{kindLong}, formStampNanos},
	{"local-timestamp-millis", []kind{kindLong}, formStampMillis},
	{"local-timestamp-micros", []kind{kindLong}, formStampMicros},
	{"local-timestamp-nanos", []kind{kindLong}, formStampNanos},
	{"duration", []kind{kindFixed}, formDuration},
}

// connectNames are those of Kafka Connect and Debezium. Names that are not here leave the Avro type as it is:
// a ZonedTimestamp, an Enum, an EnumSet stay text, a Year stays an integer.
var connectNames = []rule{
	{"org.apache.kafka.connect.data.Decimal", []kind{kindBytes, kindFixed}, formDecimal},
	{"org.apache.kafka.connect.data.Date", integers, formDate},
	{"org.apache.kafka.connect.data.Time", integers, formTimeMillis},
	{"org.apache.kafka.connect.data.Timestamp", integers, formStampMillis},
	{"io.debezium.time.Date", integers, formDate},
	{"io.debezium.time.Time", integers, formTimeMillis},
	{"io.debezium.time.MicroTime", integers, formTimeMicros},
	{"io.debezium.time.NanoTime", integers, formTimeNanos},
	{"io.debezium.time.Timestamp", integers, formStampMillis},
	{"io.debezium.time.MicroTimestamp", integers, formStampMicros},
	{"io.debezium.time.NanoTimestamp", integers, formStampNanos},
	{"io.debezium.time.MicroDuration", integers, formMicroDuration},
	{"io.debezium.time.Interval", []kind{kindString}, formISODuration},
	{"io.debezium.time.IsoDate", []kind{kindString}, formISODate},
	{"io.debezium.time.IsoTime", []kind{kindString}, formISOTime},
	{"io.debezium.time.IsoTimestamp", []kind{kindString}, formISOStamp},
	{"io.debezium.data.Json", []kind{kindString}, formJSON},
	{"io.debezium.data.Uuid", []kind{kindString}, formUUID},
	{"io.debezium.data.Bits", []kind{kindBytes}, formBits},
	{"io.debezium.data.VariableScaleDecimal", []kind{kindRecord}, formVarDecimal},
	{"io.debezium.data.geometry.Geometry", []kind{kindRecord}, formGeometry},
	{"io.debezium.data.geometry.Geography", []kind{kindRecord}, formGeometry},
	{"io.debezium.data.geometry.Point", []kind{kindRecord}, formGeometry},
}

// annotate refines the form of a type by what its schema object says.
func (n *node) annotate(o map[string]any) {
	params, _ := o["connect.parameters"].(map[string]any)
	n.scale = int32(intOf(o["scale"], intOf(params["scale"], 0)))
	n.bits = intOf(params["length"], 0)
	if name, ok := o["logicalType"].(string); ok {
		n.refine(logicalTypes, name)
	}
	if name, ok := o["connect.name"].(string); ok {
		n.refine(connectNames, name)
	}
	switch {
	case n.form == formDecimal && (n.scale < 0 || n.scale > logical.MaxScale),
		n.form == formDuration && n.size != 12,
		n.form == formUUIDFixed && n.size != 16:
		n.form = plainForms[n.kind] // as the Avro specification has it: an invalid logical type is ignored
	case n.form == formVarDecimal && !n.isVarDecimal():
		n.form = formComplex
	case n.form == formGeometry && (n.field("wkb") == nil || n.field("wkb").node.kind != kindBytes):
		n.form = formComplex
	}
}

func (n *node) refine(rules []rule, name string) {
	for _, r := range rules {
		if r.name != name {
			continue
		}
		for _, k := range r.kinds {
			if k == n.kind {
				n.form = r.form
				return
			}
		}
	}
}

func (n *node) isVarDecimal() bool {
	return len(n.fields) == 2 &&
		n.fields[0].name == "scale" && n.fields[0].node.kind == kindInt &&
		n.fields[1].name == "value" && n.fields[1].node.kind == kindBytes
}

// natural is the type of the column that a type becomes when nothing else is asked for.
func (s *Schema) natural(n *node) repr.Type {
	n = n.strip()
	switch n.kind {
	case kindArray:
		if elem := s.natural(n.items); elem.Kind != repr.KindArray && elem.Kind != repr.KindJSONB {
			return repr.ArrayOf(elem.Kind)
		}
		return repr.TypeOf(repr.KindJSONB)
	case kindUnion:
		return repr.TypeOf(s.unionKind(n))
	default:
		k := formKinds[n.form]
		if k == repr.KindTime && s.timeIsInterval {
			k = repr.KindInterval
		}
		return repr.TypeOf(k)
	}
}

// unionKind is the one kind that all branches of a union fit, else jsonb.
func (s *Schema) unionKind(n *node) repr.Kind {
	found := repr.KindNull
	for _, b := range n.branches {
		if b.kind == kindNull {
			continue
		}
		t := s.natural(b)
		switch {
		case t.Kind == repr.KindArray:
			return repr.KindJSONB
		case found == repr.KindNull || found == t.Kind:
			found = t.Kind
		case widens(found, t.Kind):
			found = t.Kind
		case !widens(t.Kind, found):
			return repr.KindJSONB
		}
	}
	if found == repr.KindNull {
		return repr.KindText
	}
	return found
}

func widens(from, to repr.Kind) bool {
	return from == repr.KindInt4 && to == repr.KindInt8 || from == repr.KindFloat4 && to == repr.KindFloat8
}

// Column is a column that a schema gives, with the value it has where a record lacks the field.
type Column struct {
	repr.Column
	Default []byte   // packed; nil when there is none, so that a missing field is NULL
	Aliases []string // the names that its field had in schemas before
}

// Columns are the columns that a record becomes, in order. A schema that is no record becomes one column, data.
func (s *Schema) Columns() ([]Column, error) {
	n := s.root.strip()
	if n.kind != kindRecord || n.form == formVarDecimal {
		return []Column{{Column: repr.Column{Name: "data", Type: s.natural(s.root), NotNull: !s.root.mayBeNull()}}}, nil
	}
	cols := make([]Column, 0, len(n.fields))
	for i := range n.fields {
		f := &n.fields[i]
		c := Column{Column: repr.Column{Name: f.name, Type: s.natural(f.node), NotNull: !f.node.mayBeNull()}, Aliases: f.aliases}
		def, err := s.packDefault(f, c.Type)
		if err != nil {
			return nil, err
		}
		c.Default = def
		cols = append(cols, c)
	}
	if len(cols) == 0 {
		return nil, badSchema("record %q has no field", n.name)
	}
	return cols, nil
}

// Desc is the shape of columns.
func Desc(cols []Column) repr.RowDesc {
	d := make(repr.RowDesc, len(cols))
	for i := range cols {
		d[i] = cols[i].Column
	}
	return d
}

// ColumnsOf are columns of a given shape, without defaults.
func ColumnsOf(d repr.RowDesc) []Column {
	cols := make([]Column, len(d))
	for i := range d {
		cols[i].Column = d[i]
	}
	return cols
}

func (n *node) mayBeNull() bool {
	if n.kind == kindNull {
		return true
	}
	for _, b := range n.branches {
		if b.kind == kindNull {
			return true
		}
	}
	return false
}
