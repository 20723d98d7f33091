// Package generate writes the event files of the benchmarks.
//
// The files are a contract with other engines: the same call writes the same bytes on every machine, so that
// figures and check values can be compared. That is why the generator of chance is fixed (splitmix64, one fixed
// seed a file) and why the order in which it is asked never changes: each field of each record draws in the
// order in which it is written, except where a comment says otherwise. The layout of the files is described in
// bench/README.md; package events reads them.
//
// Start reading at record.go (how a field is written), then one file a benchmark.
package generate
