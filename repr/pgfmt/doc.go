// Package pgfmt writes every value as PostgreSQL prints it and reads what PostgreSQL accepts, in the text and in
// the binary format, and fits values to a type's modifier.
//
// The contract: for every value d of type t, ParseText(t, AppendText(d)) and ParseBinary(t, AppendBinary(d)) give
// a value that is equal to d and prints the same; what PostgreSQL 15 answers to a text, error wording and SQLSTATE
// included, is the answer here. NULL has no form: callers mark it in their own way.
//
// Options carry what a session can set. Start at pgfmt.go; each family of types has its file.
package pgfmt
