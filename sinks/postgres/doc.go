// Package postgres writes a view to a table of a PostgreSQL server, exactly once.
//
// The contract: the table has the content of the view at the time of one tick, never a part of a tick. One transaction
// carries one or more whole ticks, and with them moves the sink's row in the table millrace_progress from the time it stood
// at to the new one. A commit whose answer was lost shows there; so does another writer, whom the row that has moved
// keeps from writing a second time.
//
// Rows are found by the key of the sink: what a tick takes away is deleted by key, what it brings replaces the row of its
// key. When the changes since the last commit are not kept any more the whole content is compared with the table.
//
// Start reading at target.go.
package postgres
