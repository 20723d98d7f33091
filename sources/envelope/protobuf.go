package envelope

import (
	"context"
	"fmt"

	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/repr/format/protobuf"
)

// ImportingSchemas gives schemas by id, and what they import.
type ImportingSchemas interface {
	Schemas
	Imports(ctx context.Context, s *registry.Schema) (map[string]string, error)
}

// RegisteredProtobuf decodes Protocol Buffers whose schema the registry knows by the id in each message, to the columns of a reader.
type RegisteredProtobuf struct {
	schemas  ImportingSchemas
	cols     repr.RowDesc
	message  string // the type that is read; empty for whichever a message names
	programs cache[*protoProgram]
}

// protoProgram takes messages of one schema apart: a decoder for each of its types that has come.
type protoProgram struct {
	schema   *protobuf.Schema
	decoders map[string]*protobuf.Decoder
	last     string
	dec      *protobuf.Decoder
}

// NewRegisteredProtobuf makes a decoder for columns; only messages of the type of that name are read, unless it is empty.
func NewRegisteredProtobuf(schemas ImportingSchemas, cols repr.RowDesc, message string) *RegisteredProtobuf {
	return &RegisteredProtobuf{schemas: schemas, cols: cols, message: message}
}

// Columns are what a message becomes.
func (v *RegisteredProtobuf) Columns() repr.RowDesc { return v.cols }

// Append decodes a message.
func (v *RegisteredProtobuf) Append(ctx context.Context, dst, message []byte) ([]byte, error) {
	id, rest, err := avro.Unframe(message)
	if err != nil {
		return dst, err
	}
	p, err := v.programs.lookUp(ctx, v.schemas, id, func(s registry.Schema) (*protoProgram, error) {
		schema, err := CompileProtobuf(ctx, v.schemas, &s)
		return &protoProgram{schema: schema, decoders: map[string]*protobuf.Decoder{}}, err
	})
	if err != nil {
		return dst, err
	}
	path, record, err := protobuf.Unframe(rest)
	if err != nil {
		return dst, err
	}
	name := rest[:len(rest)-len(record)]
	if p.dec == nil || p.last != string(name) {
		if err := v.choose(p, path, string(name)); err != nil {
			return dst, err
		}
	}
	return p.dec.Append(dst, record)
}

// choose makes the decoder of one type the one that is used.
func (v *RegisteredProtobuf) choose(p *protoProgram, path []int, name string) error {
	dec := p.decoders[name]
	if dec == nil {
		m, err := p.schema.At(path)
		if err != nil {
			return err
		}
		if full := string(m.FullName()); v.message != "" && full != v.message {
			return repr.NewError(repr.CodeInvalidBinary, fmt.Sprintf("the message is of type %q, not %q", full, v.message))
		}
		if dec, err = protobuf.NewDecoder(m, v.cols); err != nil {
			return err
		}
		p.decoders[name] = dec
	}
	p.last, p.dec = name, dec
	return nil
}

// CompileProtobuf compiles a schema of a registry with what it imports.
func CompileProtobuf(ctx context.Context, schemas ImportingSchemas, s *registry.Schema) (*protobuf.Schema, error) {
	if err := s.Is(registry.Protobuf); err != nil {
		return nil, repr.NewError(repr.CodeFeatureNotSupported, err.Error())
	}
	imports, err := schemas.Imports(ctx, s)
	if err != nil {
		return nil, err
	}
	return protobuf.Compile(ctx, s.Text, imports)
}
