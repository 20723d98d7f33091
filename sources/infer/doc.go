// Package infer finds out the columns of what a source reads by looking at it, and keeps them.
//
// Fields are the members that JSON objects were seen to have, with types that take all their values. Kept is how columns are kept that
// were found out: those of the next start are the same, whatever is read by then. Of JSON the members that no column has are kept in a
// column behind the others, and may become columns later.
package infer
