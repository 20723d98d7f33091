// Package rel is the relational plan: what a query means, as a tree of multiset operators over typed rows.
//
// The planner builds it from the syntax tree, with Apply and expr.Subquery for what is correlated;
// the optimiser removes those and rewrites the rest; lower turns it into a dataflow graph. A plan holds nothing
// that only our own dataflow can run. Columns are positions; names are for EXPLAIN. Start at rel.go.
package rel
