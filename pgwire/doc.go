// Package pgwire speaks the PostgreSQL frontend/backend protocol 3.0 (PostgreSQL documentation, chapter "Frontend/Backend
// Protocol") and hands statements to coord.
//
// What a client sends is framed here (frame.go) with limits on type and length, read into a buffer that grows only as
// bytes arrive, and checked (validate.go) before pgproto3 decodes it; a panic is caught once for each connection.
// The states of a connection are startup (startup.go), then a loop over messages (conn.go): simple query
// (simple.go), extended query (extended.go). Rows are printed in rows.go and copy.go. Start at server.go.
package pgwire
