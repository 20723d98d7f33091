// Package file is the source that reads files of the server: lines of text, of JSON, and CSV, and tables such as
// those of Parquet, which a package of its own opens.
//
// Contract: files are read inside one folder that the server was told of, and links do not lead out of it. Each file is a partition, whose
// offset is the byte behind the last record that was handed over, so that a restart reads on there. What was read stays: a file
// that was truncated or whose beginning is another than it was is read no further, and the source says so.
//
// Start reading at source.go; run.go looks for files and reads them, lines.go takes them apart, table.go reads tables, kept.go is what is known after a restart.
package file
