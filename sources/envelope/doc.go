// Package envelope turns messages into updates of a collection.
//
// NONE takes a message for a row that stays. DEBEZIUM takes it for a change of a table: snapshot reads, inserts,
// updates, deletes and truncations become insertions and retractions, so that the collection is the table.
//
// The contract of Debezium. Debezium delivers each change at least once and, for one key, in order:
//
//   - For a table with keys we hold the row of every key, and retract what we hold, never what a message calls
//     "before": it may be missing, partial or filled with defaults. So no row is retracted that was not inserted.
//   - A change that comes again, after the connector or its worker restarted, is dropped by its position in the
//     database's log. Log positions are compared for one key only: across transactions they need not be in order.
//   - For a table without keys the rows are a multiset; "before" must name a row of it.
//   - A large value that PostgreSQL did not log is taken from the row that we hold, also when the key changed.
//   - What cannot be applied is an error and changes nothing; it never stops what comes after.
//
// Start reading at envelope.go, then debezium.go.
package envelope
