// Package logical is what the values of a message mean beyond their format: the decimals, dates, times and intervals of
// Avro's logical types, and those that Kafka Connect and Debezium gave names. The format finds out which one a value is,
// the functions here make a SQL value of it, or say by a *repr.Error why that cannot be.
package logical
