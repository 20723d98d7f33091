package ast

import "strings"

// Node is any part of the tree that has a place in the user's text.
type Node interface {
	// Position is the 1-based character offset in the text sent; 0 when unknown.
	Position() int
}

// At is the place of a node; every node embeds it.
type At struct {
	Pos int // 1-based character offset in the text sent; 0 when unknown
}

// Position returns the place of the node.
func (a At) Position() int { return a.Pos }

// Statement is one SQL statement.
type Statement interface {
	Node
	statement()
}

// Expr is a scalar expression, or something that stands where one may (a star, a row, a subquery).
type Expr interface {
	Node
	expr()
}

// TableExpr is an item of a FROM list.
type TableExpr interface {
	Node
	tableExpr()
}

// QueryBody is what stands between WITH and ORDER BY: a SELECT, a set operation, VALUES, TABLE t, or
// another query in parentheses.
type QueryBody interface {
	Node
	queryBody()
}

// Ident is one identifier with its place.
type Ident struct {
	At
	Name string
}

// Name is the possibly qualified name of an object: table, function, type, collation, …
type Name struct {
	At
	Parts []string // outermost qualifier first, the object itself last; empty only in a zero Name
}

// NewName makes a name without a position.
func NewName(parts ...string) Name { return Name{Parts: parts} }

// Last is the unqualified name; "" for a zero Name.
func (n Name) Last() string {
	if len(n.Parts) == 0 {
		return ""
	}
	return n.Parts[len(n.Parts)-1]
}

// Qualifiers are the parts before the last, outermost first.
func (n Name) Qualifiers() []string {
	if len(n.Parts) == 0 {
		return nil
	}
	return n.Parts[:len(n.Parts)-1]
}

// IsZero says whether there is no name at all.
func (n Name) IsZero() bool { return len(n.Parts) == 0 }

// String is the name as errors show it: the parts joined by dots, without quotes.
func (n Name) String() string { return strings.Join(n.Parts, ".") }
