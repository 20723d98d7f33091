// Package ast is the syntax tree of millrace's SQL: PostgreSQL's shapes, with Materialize's streaming
// statements beside them. It is plain data: it knows no catalog, no types and no parser.
//
// The types to know are Statement (anything a client can send), Query (SELECT, VALUES, set operations
// and what surrounds them), Expr, TableExpr (an item of FROM), TypeName and Name.
//
// Invariants. Identifiers are as they resolve: folded to lower case unless they were quoted, at most
// 63 bytes. Numbers keep the text that was typed. Parentheses are not in the tree; Format puts back
// those that are needed, and Parse(Format(n)) is n again, positions aside. Every node that an error can
// name has a position: the 1-based character offset in the text that the user sent, 0 when unknown.
//
// SQL's special spellings are kept only where they mean something of their own. The others arrive as
// calls of the function that PostgreSQL calls for them: EXTRACT(f FROM x) as extract('f', x),
// x AT TIME ZONE z as timezone(z, x), POSITION(a IN b) as position(b, a), SUBSTRING, TRIM and OVERLAY
// likewise; FuncCall.Special says which spelling it was.
//
// Start reading at node.go.
package ast
