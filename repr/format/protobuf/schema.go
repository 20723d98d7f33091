package protobuf

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"millrace/repr"
)

// Limits of a schema.
const (
	maxSchemaBytes = 1 << 20
	maxFields      = 1600
)

// mainFile is the name of a schema that is given without one.
const mainFile = "schema.proto"

// Schema is a compiled schema. It is immutable.
type Schema struct {
	files []protoreflect.FileDescriptor // the last is the schema's own; those before it may hold the message too
}

// Compile reads the text of a schema; imports are the texts of the files that it imports, by name. Google's own are known.
func Compile(ctx context.Context, text string, imports map[string]string) (*Schema, error) {
	sources := maps.Clone(imports)
	if sources == nil {
		sources = map[string]string{}
	}
	sources[mainFile] = text
	size := 0
	for _, s := range sources {
		size += len(s)
	}
	if size > maxSchemaBytes {
		return nil, badSchema("the schema is larger than %d bytes", maxSchemaBytes)
	}
	c := protocompile.Compiler{MaxParallelism: 1,
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(sources)})}
	files, err := c.Compile(ctx, mainFile)
	if err != nil {
		return nil, badSchema("%v", err)
	}
	return &Schema{files: []protoreflect.FileDescriptor{files[0]}}, nil
}

// FromDescriptors reads a FileDescriptorSet, as protoc --descriptor_set_out writes it.
func FromDescriptors(b []byte) (*Schema, error) {
	if len(b) > maxSchemaBytes {
		return nil, badSchema("the schema is larger than %d bytes", maxSchemaBytes)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(b, &set); err != nil {
		return nil, badSchema("it is no FileDescriptorSet: %v", err)
	}
	known, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, badSchema("%v", err)
	}
	s := &Schema{}
	for _, f := range set.GetFile() {
		d, err := known.FindFileByPath(f.GetName())
		if err != nil {
			return nil, badSchema("%v", err)
		}
		s.files = append(s.files, d)
	}
	if len(s.files) == 0 {
		return nil, badSchema("the FileDescriptorSet has no file")
	}
	return s, nil
}

// Message finds a type by its name, with or without the package; an empty name means the first of the schema.
func (s *Schema) Message(name string) (protoreflect.MessageDescriptor, error) {
	var found []protoreflect.MessageDescriptor
	var names []string
	for _, f := range slices.Backward(s.files) {
		for m := range messages(f.Messages()) {
			full := string(m.FullName())
			if name == "" {
				return m, nil
			}
			if full == strings.TrimPrefix(name, ".") {
				return m, nil
			}
			if strings.HasSuffix(full, "."+name) {
				found = append(found, m)
			}
			names = append(names, full)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, badSchema("message %q is not unique", name).WithHint("Name it with its package.")
	case len(names) == 0:
		return nil, badSchema("the schema has no message")
	}
	slices.Sort(names)
	return nil, (&repr.Error{Code: repr.CodeUndefinedObject, Message: fmt.Sprintf("Protobuf message %q not found in the schema", name)}).
		WithHint("The schema has " + strings.Join(names[:min(len(names), 20)], ", ") + ".")
}

// messages are the types of a list, each followed by those inside it.
func messages(list protoreflect.MessageDescriptors) func(yield func(protoreflect.MessageDescriptor) bool) {
	return func(yield func(protoreflect.MessageDescriptor) bool) { walk(list, yield) }
}

func walk(list protoreflect.MessageDescriptors, yield func(protoreflect.MessageDescriptor) bool) bool {
	for i := range list.Len() {
		m := list.Get(i)
		if m.IsMapEntry() {
			continue
		}
		if !yield(m) || !walk(m.Messages(), yield) {
			return false
		}
	}
	return true
}

// At finds the type at a path of indexes, as the framing of the registry names it.
func (s *Schema) At(path []int) (protoreflect.MessageDescriptor, error) {
	list := s.files[len(s.files)-1].Messages()
	var m protoreflect.MessageDescriptor
	for _, i := range path {
		if i < 0 || i >= list.Len() {
			return nil, repr.NewError(repr.CodeInvalidBinary, fmt.Sprintf("the message is of type %v of its schema, which has none there", path))
		}
		m = list.Get(i)
		list = m.Messages()
	}
	if m == nil {
		return nil, repr.NewError(repr.CodeInvalidBinary, "the message names no type of its schema")
	}
	return m, nil
}

// Columns are the columns that a message type becomes.
func Columns(m protoreflect.MessageDescriptor) (repr.RowDesc, error) {
	fields := m.Fields()
	if fields.Len() == 0 || fields.Len() > maxFields {
		return nil, badSchema("message %q has %d fields, want 1 to %d", m.FullName(), fields.Len(), maxFields)
	}
	cols := make(repr.RowDesc, fields.Len())
	for i := range cols {
		f := fields.Get(i)
		cols[i] = repr.Column{Name: string(f.Name()), Type: typeOf(f), NotNull: f.IsList() || f.IsMap() || !f.HasPresence()}
	}
	return cols, nil
}

// kinds are the types of scalar fields.
var kinds = map[protoreflect.Kind]repr.Kind{
	protoreflect.BoolKind: repr.KindBool, protoreflect.EnumKind: repr.KindText, protoreflect.StringKind: repr.KindText,
	protoreflect.BytesKind: repr.KindBytea, protoreflect.FloatKind: repr.KindFloat4, protoreflect.DoubleKind: repr.KindFloat8,
	protoreflect.Int32Kind: repr.KindInt4, protoreflect.Sint32Kind: repr.KindInt4, protoreflect.Sfixed32Kind: repr.KindInt4,
	protoreflect.Uint32Kind: repr.KindInt8, protoreflect.Fixed32Kind: repr.KindInt8,
	protoreflect.Int64Kind: repr.KindInt8, protoreflect.Sint64Kind: repr.KindInt8, protoreflect.Sfixed64Kind: repr.KindInt8,
	protoreflect.Uint64Kind: repr.KindNumeric, protoreflect.Fixed64Kind: repr.KindNumeric,
}

// wellKnown are the messages of Google's that have a type of their own here.
var wellKnown = map[protoreflect.FullName]repr.Kind{
	"google.protobuf.Timestamp": repr.KindTimestampTZ, "google.protobuf.Duration": repr.KindInterval,
	"google.protobuf.BoolValue": repr.KindBool, "google.protobuf.StringValue": repr.KindText, "google.protobuf.BytesValue": repr.KindBytea,
	"google.protobuf.FloatValue": repr.KindFloat4, "google.protobuf.DoubleValue": repr.KindFloat8,
	"google.protobuf.Int32Value": repr.KindInt4, "google.protobuf.UInt32Value": repr.KindInt8,
	"google.protobuf.Int64Value": repr.KindInt8, "google.protobuf.UInt64Value": repr.KindNumeric,
}

func typeOf(f protoreflect.FieldDescriptor) repr.Type {
	if isNested(f) {
		return repr.TypeOf(repr.KindJSONB)
	}
	k := kinds[f.Kind()]
	if m := f.Message(); m != nil {
		k = wellKnown[m.FullName()]
	}
	if f.IsList() {
		return repr.ArrayOf(k)
	}
	return repr.TypeOf(k)
}

// isNested says whether a field becomes JSON: maps, messages but the well known ones, and lists of any messages.
func isNested(f protoreflect.FieldDescriptor) bool {
	m := f.Message()
	if m == nil {
		return false
	}
	_, known := wellKnown[m.FullName()]
	return f.IsMap() || f.IsList() || !known
}

func badSchema(format string, args ...any) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "invalid Protobuf schema: "+fmt.Sprintf(format, args...))
}
