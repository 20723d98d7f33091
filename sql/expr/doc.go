// Package expr is the typed scalar expression: a tree that the planner builds, the optimiser rewrites and
// Compile turns into a closure over lazily decoded columns.
//
// Every node knows its type; operands have been cast to what their function takes, so evaluation never
// coerces. AND, OR, CASE and COALESCE evaluate no operand that they do not need, so an error is raised only
// for what SQL would evaluate. Start at expr.go.
package expr
