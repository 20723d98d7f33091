// Package parquet reads files of Parquet for the source of files.
//
// Contract: the columns of a file are those of one level; what nests is refused by its name. A value that a column cannot have, such as text that is no text,
// makes an error of its row. Whatever is wrong with a file, and be it that the library panics over it, is an error of that file. Only cmd/millrace imports
// this package, so that the tests of the rest do not compile the library.
//
// Start reading at table.go; column.go says what the types become.
package parquet
