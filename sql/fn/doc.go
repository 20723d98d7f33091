// Package fn is the library of SQL: functions, operators, casts, aggregates and table functions, and PostgreSQL's
// rules by which a call finds the one that is meant.
//
// Each family is one file with an ordered table of rows; a row is a signature in SQL's words and the code behind it,
// and the row is the registration. docs/functions.md is written from the tables.
//
// The contract: an Eval is called with operands of exactly the types that the resolved Func names, never with NULL
// unless NullCalled, and keeps no state; equal calls are the same call (name, argument and result types). A function
// whose answer depends on the session's settings alone counts as immutable, for a view keeps the settings it
// was created with; its Env has none, which means UTC and PostgreSQL's defaults.
//
// Answers and errors are PostgreSQL 15's, held so by testdata. Start at table.go, then resolve.go and cast.go.
package fn
