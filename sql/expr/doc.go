// Package expr is the typed scalar expression: a tree that the planner builds, the optimiser rewrites and
// Compile turns into a closure over lazily decoded columns.
//
// Every node knows its type; operands have been cast to what their function takes, so evaluation never
// coerces. AND, OR, CASE and COALESCE evaluate no operand that they do not need, so an error is raised only
// for what SQL would evaluate. Trees are immutable: Transform and Fold return new nodes and share what did
// not change.
//
// Start at expr.go; compile.go and row.go evaluate, walk.go and equal.go look, fold.go simplifies. Package rel
// prints expressions along with the plans within them.
package expr
