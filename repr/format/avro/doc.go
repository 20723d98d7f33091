// Package avro turns Avro records into packed rows and back.
//
// A schema is parsed once (Parse), mapped to columns (Schema.Columns), and compiled to closures that decode a
// record straight into a packed row (NewDecoder), or take out some parts of it in one pass (NewExtractor). Fields
// are matched to columns by name, so a writer may add, drop and reorder fields: an unknown field is skipped, a
// missing one is the reader's default or NULL.
//
// The contract: no input, however damaged, panics, allocates more than a small multiple of its length, or runs
// longer than in proportion to it; what decodes has consumed the whole record; what does not decode is an error
// with a SQLSTATE that names the field. Recursive schemas are refused. goavro validates schemas here and is the
// test oracle of the decoder.
//
// How a schema maps to columns is the table in logical.go. Start reading at schema.go, then decode.go.
package avro
