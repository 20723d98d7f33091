// Package sqlgen makes random SQL: schemas, histories of changes, and queries over the whole grammar, which PostgreSQL
// and millrace are asked alike.
//
// What is made is a tree of Nodes, each a piece of text with holes for its kids, and nothing knows more of SQL than
// that: so a statement that shows a fault is made smaller by leaving out what may be left out and by putting a part in
// the place of the whole where the sorts agree (shrink.go). A text that is wrong after such an edit is simply refused
// by PostgreSQL and the edit taken back.
//
// Everything made has one answer, whatever plan is chosen: LIMIT stands behind a total order, lists are aggregated in
// the order of their values, windows are ordered by all columns, and sums of floating point are exact. What may fail
// on a row (division, casts of text, scalar subqueries of many rows) is made only by a generator with Fallible set,
// because which row of a query fails first, or fails at all, is free.
//
// Start at generator.go; functions.go is the table of what expressions are made of.
package sqlgen
