package coord

import (
	"fmt"
	"strings"

	"millrace/repr"
	"millrace/sources/kafka"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// messageFormats are the formats of a source, in the words of the connector, and what each has to be told.
var messageFormats = map[ast.FormatKind]struct {
	name  kafka.Format
	shape func(f *ast.MessageFormat, shape *kafka.Shape) *repr.Error // nil: nothing
}{
	ast.FormatBytes: {name: kafka.FormatBytes}, ast.FormatText: {name: kafka.FormatText},
	ast.FormatJSON: {kafka.FormatJSON, jsonShape}, ast.FormatCSV: {kafka.FormatCSV, csvShape},
	ast.FormatAvroRegistry: {kafka.FormatAvro, registryShape}, ast.FormatAvroSchema: {kafka.FormatAvroSchema, schemaShape},
	ast.FormatProtobufRegistry: {kafka.FormatProtobuf, registryShape}, ast.FormatProtobuf: {kafka.FormatProtobufSchema, schemaShape},
}

// usesRegistry says whether a format asks a schema registry.
func usesRegistry(f *ast.MessageFormat) bool {
	return f.Kind == ast.FormatAvroRegistry || f.Kind == ast.FormatProtobufRegistry
}

// shapeOf reads a format; columns are those that were declared, of the format of a value.
func shapeOf(f *ast.MessageFormat, columns repr.RowDesc) (kafka.Format, kafka.Shape, *repr.Error) {
	shape := kafka.Shape{Columns: columns}
	if f == nil {
		return kafka.FormatNone, shape, nil
	}
	kind, ok := messageFormats[f.Kind]
	if !ok {
		return "", shape, unsupported("this format of a source", f.Pos).WithHint("the formats are BYTES, TEXT, JSON, CSV, AVRO and PROTOBUF")
	}
	if len(columns) > 0 && f.Kind != ast.FormatJSON && f.Kind != ast.FormatCSV {
		return "", shape, unsupported("a list of columns with types and FORMAT "+string(kind.name), f.Pos).
			WithHint("the format says the types; a list of names without types renames the columns")
	}
	if kind.shape == nil {
		return kind.name, shape, nil
	}
	return kind.name, shape, kind.shape(f, &shape)
}

func jsonShape(f *ast.MessageFormat, shape *kafka.Shape) *repr.Error {
	if f.JSONArray {
		return unsupported("FORMAT JSON ARRAY of a Kafka source", f.Pos)
	}
	for _, o := range f.Options {
		if o.Name != "infer" {
			return errFormatOption(&o, "JSON", "INFER")
		}
		shape.Infer = true
		if len(shape.Columns) > 0 {
			return repr.NewError(repr.CodeSyntax, "columns are either declared or found out: INFER does not go with a list of columns").At(o.Pos)
		}
	}
	return nil
}

func csvShape(f *ast.MessageFormat, shape *kafka.Shape) *repr.Error {
	switch len(f.CSVDelimiter) {
	case 0:
	case 1:
		shape.Delimiter = f.CSVDelimiter[0]
	default:
		return repr.NewError(repr.CodeInvalidParameter, "the delimiter of CSV must be a single one-byte character").At(f.Pos)
	}
	if shape.Delimiter == '"' || shape.Delimiter == '\n' || shape.Delimiter == '\r' {
		return repr.NewError(repr.CodeInvalidParameter, "the delimiter of CSV cannot be a quote or the end of a line").At(f.Pos)
	}
	shape.Header = f.CSVHeader
	for _, name := range f.CSVNames {
		if len(shape.Columns) == len(f.CSVNames) {
			break // declared with types
		}
		shape.Columns = append(shape.Columns, repr.Column{Name: name.Name, Type: repr.TypeOf(repr.KindText)})
	}
	if f.CSVHeader {
		return nil
	}
	const most = 1600
	if n := f.CSVColumns; n < 1 || n > most {
		return repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("CSV has 1 to %d columns", most)).At(f.Pos)
	}
	if len(shape.Columns) == 0 {
		shape.Count = f.CSVColumns
		return nil
	}
	if len(shape.Columns) != f.CSVColumns {
		return repr.NewError(repr.CodeSyntax, fmt.Sprintf("%d columns are declared, and CSV has %d", len(shape.Columns), f.CSVColumns)).At(f.Pos)
	}
	return nil
}

func registryShape(f *ast.MessageFormat, shape *kafka.Shape) *repr.Error {
	shape.Message = f.Message
	for _, o := range f.Options {
		if f.RegistryURL != "" && isFormerLogin(o.Name) {
			continue // registryOf reads it
		}
		return errFormatOption(&o, "a schema registry", "")
	}
	return nil
}

// schemaShape reads a schema that stands in the statement. The framing of the registry is expected before each message of AVRO, as
// Materialize has it, and not of PROTOBUF, unless CONFLUENT WIRE FORMAT says otherwise.
func schemaShape(f *ast.MessageFormat, shape *kafka.Shape) *repr.Error {
	if f.SchemaFile != "" {
		return unsupported("USING SCHEMA FILE, for SQL does not read the files of the server,", f.Pos).WithHint("write the schema itself: USING SCHEMA '…'")
	}
	shape.Schema, shape.Message, shape.Framed = f.Schema, f.Message, f.Kind == ast.FormatAvroSchema
	for _, o := range f.Options {
		v, ok := optionBool(o)
		switch {
		case o.Name != "confluent wire format" && o.Name != "confluent_wire_format":
			return errFormatOption(&o, "USING SCHEMA", "CONFLUENT WIRE FORMAT")
		case !ok:
			return repr.NewError(repr.CodeInvalidParameter, "CONFLUENT WIRE FORMAT is true or false").At(o.Pos)
		}
		shape.Framed = v
	}
	return nil
}

func errFormatOption(o *ast.Option, of, known string) *repr.Error {
	err := repr.NewError(repr.CodeInvalidParameter, "unrecognized option "+strings.ToUpper(o.Name)+" of "+of).At(o.Pos)
	if known == "" {
		return err.WithHint("there are no options here; user, password and certificates belong to the connection")
	}
	return err.WithHint("the option is " + known)
}

// declared are the columns of a source as its statement lists them, with types or by name alone, and its keys, which nobody enforces.
type declared struct {
	columns repr.RowDesc
	names   []string
	keys    [][]string
}

// declaredColumns reads the list of columns of a source.
func declaredColumns(st *ast.CreateSource) (d declared, err *repr.Error) {
	for _, n := range st.ColumnNames {
		d.names = append(d.names, n.Name)
	}
	for _, c := range st.Columns {
		for _, k := range c.Constraints {
			switch k.Kind {
			case ast.ConstraintNotNull, ast.ConstraintNull:
			case ast.ConstraintPrimaryKey:
				d.keys = append(d.keys, []string{c.Name})
			default:
				return d, unsupported("this constraint of a column of a source", k.Pos).WithHint("a source knows NOT NULL and PRIMARY KEY NOT ENFORCED")
			}
		}
	}
	for _, k := range st.Constraints {
		if k.Kind != ast.ConstraintPrimaryKey && k.Kind != ast.ConstraintUnique || !k.NotEnforced {
			return d, unsupported("a constraint of a source that is enforced", k.Pos).WithHint("write PRIMARY KEY (…) NOT ENFORCED")
		}
		var key []string
		for _, c := range k.Columns {
			key = append(key, c.Name)
		}
		d.keys = append(d.keys, key)
	}
	if len(st.Columns) > 0 {
		d.columns, _, err = plan.Columns(st.Columns, nil)
	}
	return d, err
}
