// Package format is what the formats of messages have in common. One format a folder: bytes (with text), json, csv, avro,
// protobuf.
//
// A format turns the bytes of a key or a value into columns, and back. What does not decode is an error of type
// *repr.Error, whose message names the field; it never panics, whatever the bytes.
package format
