// Package sql is the way of a query from a bound plan to a dataflow graph, one stage after the other.
//
// Compile takes what sql/plan binds through decorrelation, rewriting and lowering, and keeps the plan after each
// stage, so that EXPLAIN can print it. The same text against the same catalog gives the same plan and graph.
// Start at compile.go.
package sql
