// Package samples reads what Debezium 3.5 wrote for a small shop in PostgreSQL (topics pg…) and MariaDB (mysql…), for tests: in Avro,
// in JSON (…_json) and in JSON with schemas (…_jsonschema), with every way that its connectors can be set to write decimals, times and
// bytes; the schemas; and the tables as they were at the end.
//
// The contract: keys and values are the bytes that were captured, and what is not there is nil. Nothing but tests imports it.
// Start reading at Topics; testdata has the files.
package samples
