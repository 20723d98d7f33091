// Package protobuf turns Protocol Buffers messages into packed rows.
//
// A schema is compiled once from its text, or taken as descriptors (Compile, FromDescriptors); Schema.Columns maps the fields of
// a message type to columns, in the order of the schema, and a Decoder takes messages of one type apart, field by field, matched
// to the columns of a reader by name. A field that nested messages or maps make is jsonb in the JSON form that Protocol
// Buffers defines, with the names of the schema.
//
// The contract: no message, however damaged, panics or takes more than in proportion to its length; what does not decode is an
// error with a SQLSTATE that names the field. A field that is not there is its default where the schema knows no other, and NULL
// where it can tell (optional, oneof, messages).
//
// Start reading at schema.go, then decode.go.
package protobuf
