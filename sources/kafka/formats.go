package kafka

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/format/avro"
	"millrace/repr/format/bytes"
	"millrace/repr/format/csv"
	"millrace/repr/format/json"
	"millrace/repr/format/protobuf"
	"millrace/sources/envelope"
	"millrace/sources/infer"
)

// Shape is what a format has to be told beside its name.
type Shape struct {
	Columns   repr.RowDesc // of JSON and CSV, as declared; without any, JSON is one column, data
	Count     int          // of CSV without declared columns: how many there are; 0: as many as the header has
	Delimiter byte         // of CSV; a comma when 0
	Header    bool         // of CSV: messages that say the names of the columns are no rows
	Infer     bool         // of JSON: the columns are what the first messages have
	Schema    string       // of AVRO and PROTOBUF without a registry
	Framed    bool         // of these: the registry's framing stands before each message, and the id in it is not asked for
	Message   string       // of PROTOBUF: the type of the messages; empty for the first of the schema
}

// side is the key or the value of messages.
type side struct {
	format Format
	shape  Shape
	kept   string // what Describe found before: see Schemas
	suffix string // of the subject
}

// suffixValue ends the subject of the values of a topic.
const suffixValue = "-value"

func (s *Source) value() side {
	return side{s.cfg.ValueFormat, s.cfg.ValueShape, s.cfg.ValueSchema, suffixValue}
}

func (s *Source) key() side { return side{s.cfg.KeyFormat, s.cfg.KeyShape, s.cfg.KeySchema, "-key"} }

// makeDecoder makes a decoder for columns but some, and says what it was made by.
type makeDecoder func(ctx context.Context, s *Source, of side, without []string) (envelope.ValueDecoder, string, error)

// formats make a decoder for the columns that are not left out, and say what it was made by, to be kept.
var formats = map[Format]makeDecoder{
	FormatBytes: func(context.Context, *Source, side, []string) (envelope.ValueDecoder, string, error) {
		return envelope.Plain(bytes.Bytes{}), "", nil
	},
	FormatText: func(context.Context, *Source, side, []string) (envelope.ValueDecoder, string, error) {
		return envelope.Plain(bytes.Text{}), "", nil
	},
	FormatJSON: jsonDecoder, FormatCSV: csvDecoder,
	FormatAvro: avroDecoder, FormatAvroSchema: avroSchemaDecoder,
	FormatProtobuf: protobufDecoder, FormatProtobufSchema: protobufSchemaDecoder,
}

// decoder makes a decoder, and says what it was made by.
func (s *Source) decoder(ctx context.Context, of side, without []string) (envelope.ValueDecoder, string, error) {
	return formats[of.format](ctx, s, of, without)
}

// left are columns without those of some names.
func left(cols repr.RowDesc, without []string) repr.RowDesc {
	return slices.DeleteFunc(slices.Clone(cols), func(c repr.Column) bool { return slices.Contains(without, c.Name) })
}

func jsonDecoder(ctx context.Context, s *Source, of side, without []string) (envelope.ValueDecoder, string, error) {
	if of.shape.Infer {
		return s.inferred(ctx, of, without)
	}
	if len(of.shape.Columns) == 0 {
		return envelope.Plain(&json.Decoder{}), "", nil
	}
	dec := json.NewColumns(left(of.shape.Columns, without))
	s.forgives(of, dec)
	return envelope.Plain(dec), "", nil
}

// forgives notes the decoder of values that can make NULL of a field.
func (s *Source) forgives(of side, dec format.Lenient) {
	if of.suffix == suffixValue {
		s.lenient = dec
	}
}

// inferred decodes JSON to the columns that were found out. Of a value it keeps the rest.
func (s *Source) inferred(ctx context.Context, of side, without []string) (envelope.ValueDecoder, string, error) {
	cols, found, err := s.infer(ctx, of)
	if err != nil {
		return nil, "", err
	}
	kept, err := found.Text()
	if err != nil {
		return nil, "", err
	}
	dec := json.NewColumns(left(cols, without))
	s.forgives(of, dec)
	if found.Rest {
		added, err := infer.UnkeepColumns(found.Added)
		if err != nil {
			return nil, "", err
		}
		dec.KeepRest(without)
		dec.Add(added)
		s.rest = dec
	}
	return envelope.Plain(dec), kept, nil
}

// csvDecoder takes the names of the columns from the declaration, from the first message, or makes them up.
func csvDecoder(ctx context.Context, s *Source, of side, _ []string) (envelope.ValueDecoder, string, error) {
	opts := csv.Options{Delimiter: of.shape.Delimiter, Header: of.shape.Header}
	cols, kept := of.shape.Columns, ""
	text := repr.TypeOf(repr.KindText)
	for i := range of.shape.Count {
		cols = append(cols, repr.Column{Name: fmt.Sprintf("column%d", i+1), Type: text})
	}
	if len(cols) == 0 {
		var err error
		if kept, err = s.header(ctx, of); err != nil {
			return nil, "", err
		}
		names, err := csv.Names([]byte(kept), opts)
		if err != nil {
			return nil, "", err
		}
		for _, name := range names {
			cols = append(cols, repr.Column{Name: name, Type: text})
		}
	}
	dec := csv.NewDecoder(cols, opts)
	s.forgives(of, dec)
	return envelope.Plain(dec), kept, nil
}

// avroDecoder decodes by the schemas of the registry.
func avroDecoder(ctx context.Context, s *Source, of side, without []string) (envelope.ValueDecoder, string, error) {
	parsed, err := s.schema(ctx, of.kept, of.suffix)
	if err != nil {
		return nil, "", err
	}
	cols, err := avroColumns(parsed, without)
	if err != nil {
		return nil, "", err
	}
	return envelope.NewRegistered(s.cfg.Registry, cols), parsed.Text(), nil
}

func avroColumns(schema *avro.Schema, without []string) ([]avro.Column, error) {
	cols, err := schema.Columns()
	if err != nil {
		return nil, err
	}
	nullable(cols)
	return slices.DeleteFunc(cols, func(c avro.Column) bool { return slices.Contains(without, c.Name) }), nil
}

// avroSchemaDecoder decodes by a schema that was given.
func avroSchemaDecoder(_ context.Context, _ *Source, of side, without []string) (envelope.ValueDecoder, string, error) {
	parsed, err := avro.Parse(of.shape.Schema)
	if err != nil {
		return nil, "", err
	}
	cols, err := avroColumns(parsed, without)
	if err != nil {
		return nil, "", err
	}
	dec, err := avro.NewDecoder(parsed, cols)
	if err != nil {
		return nil, "", err
	}
	return envelope.Plain(&unframed{Decoder: avroDecoderOf{dec, avro.Desc(cols)}, framed: of.shape.Framed}), "", nil
}

// avroDecoderOf is a decoder of Avro that knows its columns.
type avroDecoderOf struct {
	*avro.Decoder
	cols repr.RowDesc
}

func (d avroDecoderOf) Columns() repr.RowDesc { return d.cols }

// unframed passes over the registry's framing, where messages have one.
type unframed struct {
	format.Decoder
	framed  bool
	indexes bool // that of Protobuf
}

// Append decodes what follows the framing.
func (u *unframed) Append(dst, message []byte) ([]byte, error) {
	if !u.framed {
		return u.Decoder.Append(dst, message)
	}
	_, message, err := avro.Unframe(message)
	if err == nil && u.indexes {
		_, message, err = protobuf.Unframe(message)
	}
	if err != nil {
		return dst, err
	}
	return u.Decoder.Append(dst, message)
}

// protobufDecoder decodes by the schemas of the registry.
func protobufDecoder(ctx context.Context, s *Source, of side, without []string) (envelope.ValueDecoder, string, error) {
	kept := of.kept
	if kept == "" {
		message, cols, err := s.protobufColumns(ctx, of)
		if err != nil {
			return nil, "", err
		}
		if kept, err = infer.Keep(message, cols); err != nil {
			return nil, "", err
		}
	}
	found, cols, err := infer.Unkeep(kept)
	if err != nil {
		return nil, "", err
	}
	return envelope.NewRegisteredProtobuf(s.cfg.Registry, left(cols, without), found.Message), kept, nil
}

// protobufColumns asks the registry for the newest schema of the subject: the type that is read, and its columns, each of which may be
// NULL, as a message of another schema may lack a field.
func (s *Source) protobufColumns(ctx context.Context, of side) (message string, cols repr.RowDesc, err error) {
	latest, err := s.cfg.Registry.Latest(ctx, s.subject(of.suffix))
	if err != nil {
		return "", nil, s.registryError(err, of.suffix)
	}
	schema, err := envelope.CompileProtobuf(ctx, s.cfg.Registry, &latest)
	if err != nil {
		if errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrNotFound) {
			err = s.registryError(err, of.suffix)
		}
		return "", nil, err
	}
	m, err := schema.Message(of.shape.Message)
	if err != nil {
		return "", nil, err
	}
	cols, err = protobuf.Columns(m)
	return string(m.FullName()), cols, err
}

// protobufSchemaDecoder decodes by a schema that was given: the text of a .proto file, or a FileDescriptorSet in hexadecimal digits.
func protobufSchemaDecoder(ctx context.Context, _ *Source, of side, without []string) (envelope.ValueDecoder, string, error) {
	schema, err := protobufSchema(ctx, of.shape.Schema)
	if err != nil {
		return nil, "", err
	}
	m, err := schema.Message(of.shape.Message)
	if err != nil {
		return nil, "", err
	}
	cols, err := protobuf.Columns(m)
	if err != nil {
		return nil, "", err
	}
	dec, err := protobuf.NewDecoder(m, left(cols, without))
	if err != nil {
		return nil, "", err
	}
	return envelope.Plain(&unframed{Decoder: dec, framed: of.shape.Framed, indexes: true}), "", nil
}

func protobufSchema(ctx context.Context, text string) (*protobuf.Schema, error) {
	if b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`)); err == nil && len(b) > 0 {
		return protobuf.FromDescriptors(b)
	}
	return protobuf.Compile(ctx, text, nil)
}
