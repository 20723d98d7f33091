// Package lower turns an optimised plan into a dataflow graph.
//
// Plan is the entry. Maps, filters and projections between two operators become one linear function (linear.go)
// that is fused into whatever consumes it: a join's output, an arrangement's key, the input of a reduction.
// Comparisons between the sides of a join become ranges of the other side's order (range.go).
// A function is compiled to a program over packed rows (program.go): plain columns are copied as bytes, only
// what is computed is decoded. Outer, semi and anti joins are built from inner joins, distinct keys and
// differences (outer.go).
//
// The contract: the graph computes what the plan means, errors included. Keys are packed in canonical form;
// where equal values may print differently the printed form travels beside the key. A node is made once for each
// distinct computation, so a plan that stands twice in a query is computed once.
package lower
