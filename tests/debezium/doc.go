// Package debezium replays what Debezium really wrote into sources of a whole server, and holds the tables that come of it to
// those of the databases that it captured.
//
// The records are those of sources/envelope/samples: a small shop, captured in every form that the connectors can be set to write.
// Where a table ends otherwise than in the database, what the producer lost on the way is named: see lost_test.go.
package debezium
