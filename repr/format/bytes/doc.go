// Package bytes is the formats BYTES and TEXT: a message is one value, taken as it is.
//
// A text must be UTF-8 without NUL, as everywhere in SQL; other bytes are an error with PostgreSQL's wording.
package bytes
