// Package arrangement is a collection's updates, indexed by their bytes.
//
// A Batch is a sealed run of updates of one time: rows in the order of their bytes, each once, no count zero. An
// Arrangement takes batches and keeps their sum: a B-tree of immutable blocks as the settled base, and a few
// sorted runs in front of it that are folded in bit by bit (Work), so that no insertion is long. A Snapshot is the
// content at one moment; taking one costs nothing, and readers of it never meet the writer. A Trace is an
// arrangement with time: readable at every t with since ≤ t < upper.
//
// A key is a prefix of columns, so a prefix of bytes: arranged rows hold the key columns first, and Cursor.Seek
// finds the rows of a key. Cursors go forward only; probe in sorted order. Start at batch.go, then
// arrangement.go; fold.go has how runs become part of the base, fill.go how a first content does, and cursor.go how they are read.
package arrangement
