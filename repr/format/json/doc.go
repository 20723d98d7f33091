// Package json is the format JSON: a message is one column, data jsonb, in PostgreSQL's normal form, or an object whose members
// are columns of declared types, as jsonb_to_record has it; and a row goes
// out as an object of its columns, each value as PostgreSQL's to_json writes it: numbers as numbers, timestamps in
// ISO 8601, what JSON has no word for (NaN, infinity) as a string.
package json
