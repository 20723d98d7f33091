// Package postgres reads the tables of a publication of a PostgreSQL: their content, and then what each commit changes.
//
// A Source has a replication slot of its own on the other side, which holds what was not read, and a table feeds one collection.
// A table that is new is read at the moment of a second slot, which exists only meanwhile: everything that committed before that
// moment is in what COPY gives, and everything later comes through the first slot, so that nothing is missed and nothing comes
// twice. While a table is read the stream waits.
//
// What must stay true: all rows of a commit are in one batch; the slot is told to forget only what a durable tick has bound; a row
// is taken back with the very bytes it was given with. A table with a key needs no more than REPLICA IDENTITY DEFAULT, for the rows
// are remembered by key; one without needs FULL.
//
// What the other side does not send is looked for: publication.go has what a publication leaves out, partitions.go what becomes of
// partitions; refused.go has the rows that cannot be had.
//
// A large transaction comes while it is open (open.go), and is handed over in pieces when it commits (gather.go).
//
// Start reading in run.go, which reads as the life of a source; stream.go has the changes, copy.go the first content, wire.go the
// messages of pgoutput, table.go what a message means for a table.
package postgres
