// Package postgres holds millrace to a real PostgreSQL 15: random queries over random histories are asked three ways,
// as a materialized view created before the data, as a SELECT, and of PostgreSQL, and the answers are compared after
// every batch.
//
// What the two may differ in is written down in compare.go, and nothing else is let pass. A difference is made small
// and kept as a script of tests/slt, which the tests run from then on.
//
// run.go asks, compare.go judges, keep.go makes small and keeps, report.go counts. The queries come from the package
// sqlgen.
package postgres
