// Package csv is the format CSV: a message is one record of fields.
//
// The rules are those of PostgreSQL's COPY in CSV mode: fields stand between delimiters, a field may be quoted, a quote
// inside a quoted field is doubled, and an empty field without quotes is NULL. A line break may end the message.
//
// The contract: what decodes has as many fields as there are columns; a header, which is a message that says the names of the
// columns, is no row; everything else is an error with a SQLSTATE.
package csv
