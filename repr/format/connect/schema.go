package connect

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"millrace/repr"
)

// maxSchemaBytes bounds the text of a schema.
const maxSchemaBytes = 1 << 20

// Schema is what a message says of itself, or of a part of itself.
type Schema struct {
	Type       string            `json:"type"`
	Optional   bool              `json:"optional"`
	Name       string            `json:"name"`
	Parameters map[string]string `json:"parameters"`
	Field      string            `json:"field"`
	Fields     []*Schema         `json:"fields"`
	Items      *Schema           `json:"items"`
	Default    json.RawMessage   `json:"default"`

	// timeIsInterval: the writer is a database whose TIME exceeds a day, so times become intervals.
	timeIsInterval bool
}

// Parse reads the JSON text of a schema.
func Parse(text []byte) (*Schema, error) {
	if len(text) > maxSchemaBytes {
		return nil, badSchema("it is larger than %d bytes", maxSchemaBytes)
	}
	s := &Schema{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, badSchema("%v", err)
	}
	if err := s.check(0); err != nil {
		return nil, err
	}
	if source := s.Sub("source"); source != nil {
		s.timeIsInterval = strings.Contains(source.Name, ".mysql.") || strings.Contains(source.Name, ".mariadb.")
	}
	return s, nil
}

// check refuses what is nested too deeply, or has holes.
func (s *Schema) check(depth int) error {
	if depth > maxDepth {
		return badSchema("it is nested too deeply")
	}
	for _, f := range append(s.Fields[:len(s.Fields):len(s.Fields)], s.Items) {
		if f == nil {
			continue
		}
		if err := f.check(depth + 1); err != nil {
			return err
		}
	}
	if s.Type == typeArray && s.Items == nil {
		return badSchema("an array has no items")
	}
	for _, f := range s.Fields {
		if f == nil {
			return badSchema("a field is null")
		}
	}
	return nil
}

func badSchema(format string, args ...any) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "invalid Kafka Connect schema: "+fmt.Sprintf(format, args...))
}

// Sub is the schema of a field; nil when there is none of that name.
func (s *Schema) Sub(name string) *Schema {
	for _, f := range s.Fields {
		if f.Field == name {
			sub := *f
			sub.timeIsInterval = s.timeIsInterval
			return &sub
		}
	}
	return nil
}

// IsStruct says whether its values have fields.
func (s *Schema) IsStruct() bool { return s.Type == typeStruct }

// The types of Kafka Connect that are looked for by name.
const (
	typeStruct = "struct"
	typeArray  = "array"
	typeBytes  = "bytes"
	typeString = "string"
)

// Columns are the columns that a struct becomes, in order.
func (s *Schema) Columns() ([]Column, error) {
	cols := make([]Column, len(s.Fields))
	for i, f := range s.Fields {
		r, err := s.reading(f)
		if err != nil {
			return nil, err
		}
		cols[i].Column = repr.Column{Name: f.Field, Type: r.natural, NotNull: !f.Optional}
		if len(f.Default) > 0 {
			if cols[i].Default, err = r.value(f.Default); err != nil {
				return nil, inField(f.Field, err)
			}
		}
	}
	if len(cols) == 0 {
		return nil, badSchema("%q has no field", s.Name)
	}
	return cols, nil
}

// value packs a value that stands for itself.
func (r *reading) value(text []byte) ([]byte, error) {
	var sc Scanner
	sc.Reset(text)
	packed := sc.column(nil, r)
	sc.Finish()
	return packed, sc.Err()
}

func inField(name string, err error) error {
	if e, ok := err.(*repr.Error); ok {
		c := *e
		c.Message = fmt.Sprintf("column %q: %s", name, e.Message)
		return &c
	}
	return fmt.Errorf("column %q: %w", name, err)
}

// A rule says how values are read whose schema has a name and a type.
type rule struct {
	name string // empty: any that no other rule names
	typ  string
	form form
	kind repr.Kind
}

// rules are the types and names of Kafka Connect and Debezium. A name that is not here leaves the type as it is: a
// ZonedTimestamp, an Enum, an EnumSet are text, a Year is an integer.
var rules = []rule{
	{"org.apache.kafka.connect.data.Decimal", typeBytes, formDecimal, repr.KindNumeric},
	{"org.apache.kafka.connect.data.Date", "int32", formDate, repr.KindDate},
	{"org.apache.kafka.connect.data.Time", "int32", formTimeMillis, repr.KindTime},
	{"org.apache.kafka.connect.data.Timestamp", "int64", formStampMillis, repr.KindTimestamp},
	{"io.debezium.time.Date", "int32", formDate, repr.KindDate},
	{"io.debezium.time.Time", "int32", formTimeMillis, repr.KindTime},
	{"io.debezium.time.MicroTime", "int64", formTimeMicros, repr.KindTime},
	{"io.debezium.time.NanoTime", "int64", formTimeNanos, repr.KindTime},
	{"io.debezium.time.Timestamp", "int64", formStampMillis, repr.KindTimestamp},
	{"io.debezium.time.MicroTimestamp", "int64", formStampMicros, repr.KindTimestamp},
	{"io.debezium.time.NanoTimestamp", "int64", formStampNanos, repr.KindTimestamp},
	{"io.debezium.time.MicroDuration", "int64", formSpanMicros, repr.KindInterval},
	{"io.debezium.time.Interval", typeString, formDuration, repr.KindInterval},
	{"io.debezium.time.IsoDate", typeString, formISO, repr.KindDate},
	{"io.debezium.time.IsoTime", typeString, formISO, repr.KindTime},
	{"io.debezium.time.IsoTimestamp", typeString, formISO, repr.KindTimestamp},
	{"io.debezium.data.Json", typeString, formJSON, repr.KindJSONB},
	{"io.debezium.data.Uuid", typeString, formUUID, repr.KindUUID},
	{"io.debezium.data.Bits", typeBytes, formBits, repr.KindText},
	{"io.debezium.data.VariableScaleDecimal", typeStruct, formVarDecimal, repr.KindNumeric},
	{"io.debezium.data.geometry.Geometry", typeStruct, formGeometry, repr.KindBytea},
	{"io.debezium.data.geometry.Geography", typeStruct, formGeometry, repr.KindBytea},
	{"io.debezium.data.geometry.Point", typeStruct, formGeometry, repr.KindBytea},
	{"", "boolean", formBool, repr.KindBool},
	{"", "int8", formInt, repr.KindInt4},
	{"", "int16", formInt, repr.KindInt4},
	{"", "int32", formInt, repr.KindInt4},
	{"", "int64", formInt, repr.KindInt8},
	{"", "float", formFloat, repr.KindFloat4},
	{"", "double", formFloat, repr.KindFloat8},
	{"", "float32", formFloat, repr.KindFloat4},
	{"", "float64", formFloat, repr.KindFloat8},
	{"", typeString, formText, repr.KindText},
	{"", typeBytes, formBytes, repr.KindBytea},
	{"", typeStruct, formDocument, repr.KindJSONB},
	{"", "map", formDocument, repr.KindJSONB},
}

// reading is how the values of a field are read when nothing else is asked for.
func (s *Schema) reading(f *Schema) (*reading, error) {
	if f.Type == typeArray {
		return s.list(f)
	}
	var found *rule
	for i := range rules {
		r := &rules[i]
		if r.typ == f.Type && (r.name == f.Name || r.name == "" && found == nil) {
			found = r
		}
	}
	if found == nil {
		return nil, badSchema("field %q has the unknown type %q", f.Field, f.Type)
	}
	r := &reading{form: found.form, natural: repr.TypeOf(found.kind)}
	r.scale = int32(parameter(f, "scale"))
	r.bits = parameter(f, "length")
	if found.kind == repr.KindTime && s.timeIsInterval && found.form != formISO {
		r.natural = repr.TypeOf(repr.KindInterval)
	}
	r.target = r.natural
	return r, nil
}

// list reads an array: of scalars as an array, of others as a document.
func (s *Schema) list(f *Schema) (*reading, error) {
	item, err := s.reading(f.Items)
	if err != nil {
		return nil, err
	}
	if k := item.natural.Kind; k == repr.KindArray || k == repr.KindJSONB {
		t := repr.TypeOf(repr.KindJSONB)
		return &reading{form: formDocument, natural: t, target: t}, nil
	}
	t := repr.ArrayOf(item.natural.Kind)
	return &reading{form: formArray, natural: t, target: t, item: item}, nil
}

func parameter(f *Schema, name string) int {
	n, err := strconv.Atoi(f.Parameters[name])
	if err != nil {
		return 0
	}
	return n
}
