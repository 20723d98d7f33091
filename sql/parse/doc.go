// Package parse turns the text of SQL statements into sql/ast.
//
// Statements are read by recursive descent over our own tokens (lex.go, parser.go and one file per
// statement). Queries and scalar expressions are parsed by auxten/postgresql-parser, whose grammar is
// PostgreSQL's in structure but not in every word. So it never sees the user's text. It sees a skeleton
// of it (skeleton.go): keywords that carry structure, punctuation and arithmetic stay; every name,
// literal, operator and special form is replaced by a name like k12, where 12 is the number of an entry
// that holds what stood there. Its tree is translated into ours at once (translate_*.go), where each
// k12 turns back into its entry.
//
// What this keeps true:
//   - every name and literal has its exact text and its place, which the library would lose;
//   - what counts as a keyword is decided here, by PostgreSQL's rules and the place of the word;
//   - operators have PostgreSQL's precedence: a OP b travels as a || k12 || b, and || stands where
//     PostgreSQL has "any other operator";
//   - nothing of the user's text can reach the library, and no type of the library leaves this package.
//
// Errors are *repr.Error with a character position in the whole text sent. Start reading at parser.go.
package parse
