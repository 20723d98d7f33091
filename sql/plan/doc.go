// Package plan binds a syntax tree to the catalog: names become columns, operators and functions get their
// types, and a query becomes a plan of package rel.
//
// The semantics are PostgreSQL 15's, and so are the errors, with the place in the user's text. What is not
// supported is refused with SQLSTATE 0A000 and the name of the construct. Query binds a query that is run once,
// QueryAsView one that is maintained, Insert, Update and Delete the writes of a table.
//
// Invariants. Every operand has exactly the type that its function takes. An expr.Outer of level n is a column of
// the row n subqueries (or right sides of an Apply) further out. The visible columns of a bound query come first,
// those that only ORDER BY needs behind them. Binding the same text against the same catalog gives the same plan.
//
// Start at query.go; scope.go says what a name can mean, select.go and group.go are the heart, expr.go and
// its neighbours bind scalar expressions, coerce.go has the rules of types.
package plan
