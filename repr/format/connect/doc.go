// Package connect is JSON as Kafka Connect's JsonConverter writes it, taken straight into packed rows: with the schema that
// each message may carry, or by columns that were declared where it carries none.
//
// A Scanner walks the text, which may be anything. A Schema is what a message says of itself; its fields become columns as
// those of Avro do. A Row takes objects apart, matched to its columns by name.
//
// What is passed over is checked for brackets and quotes only; what is taken is checked in full. An error of type
// *repr.Error names the field, and the row that it happened in is void.
//
// Start reading at row.go.
package connect
