// Package slt runs sqllogictest files: scripts of statements, and of queries with their answers.
//
//	statement ok
//	CREATE TABLE t (a int, b text)
//
//	statement error 22012
//	SELECT 1 / 0
//
//	query IT rowsort
//	SELECT a, b FROM t
//	----
//	1	x
//	2	NULL
//
// The answers of the files here are PostgreSQL 15's: go test ./tests/slt -pg URL asks it, and with GOLDEN=update its
// answers are written into the files. What is special to this runner:
//
//   - A row of an answer stands on a line, values apart by tabs; one value a line, as the first sqllogictest had it, is
//     read too. NULL and (empty) stand for what they say. Values are compared as they come over the wire, whatever the
//     letter of their type; hash-threshold hashes them one a line.
//   - statement error takes a SQLSTATE, or a regular expression for the message, or nothing.
//   - skipif and onlyif know the engines millrace and postgresql.
//   - Order is compared only with nosort, which is the default, and only where the query is not read from a view.
//   - Nothing is substituted in the text of statements.
//
// Run executes a file as it stands. With Options.Views each of its queries is made a materialized view as soon as the
// tables it needs are created, so before any row is inserted, and is read back from the view where it stands; what cannot
// be maintained is asked as it is, and counted by its reason. The answers must be the same in both.
//
// parse.go reads and rewrites files, run.go runs them, views.go knows the views. found/ holds what tests/oracle found.
package slt
