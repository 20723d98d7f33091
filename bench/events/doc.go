// Package events reads the event files of the benchmarks straight into packed rows, and computes the check
// value by which engines compare their answers.
//
// Open a File, then call Read with one Batch again and again: the batch keeps its buffers, so reading does not
// allocate. Contract: the rows of a batch are packed as repr packs them, one column for each in the RowDesc of
// their table, and stay as they are until the next Read into that batch or Reset. A file that ends early, names an
// unknown table or holds text that no text column may hold is an error that names the file and the record;
// the records before it are in the batch.
//
// Start reading at file.go, then layout.go; check.go is on its own.
package events
