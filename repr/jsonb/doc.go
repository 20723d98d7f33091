// Package jsonb reads, compares and edits JSON as bytes, without a tree.
//
// A jsonb value at rest is text in one normal form, the one PostgreSQL prints: keys sorted by length and then
// by bytes, each once; ", " between items and ": " behind keys; numbers as numeric prints them; strings with
// no escape that is not needed. Normalize makes it from any JSON text and is the only door in: every
// other function takes bytes in normal form and trusts them, so that a look-up is a walk over bytes.
//
// The invariant: Normalize(Normalize(x)) = Normalize(x), and what Concat, Set, Delete and the builders
// return is in normal form again. Two values are equal as jsonb iff their Canonical bytes are equal, iff
// their AppendSort bytes are; the order of AppendSort bytes is the order of ORDER BY.
//
// Start at parse.go, then scan.go.
package jsonb
