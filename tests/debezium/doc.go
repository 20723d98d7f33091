// Package debezium replays what Debezium really wrote into sources of a whole server, and holds the tables that come of it to
// those of the databases that it captured.
//
// The records are those of sources/envelope/testdata/debezium: a small shop in PostgreSQL and MariaDB, captured by Debezium 3.5
// in Avro, in JSON and in JSON with schemas, with every way that its connectors can be set to write decimals, times and bytes.
// Where a table ends otherwise than in the database, what the producer lost on the way is named: see lost_test.go.
package debezium
