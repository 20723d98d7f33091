// Package journal keeps the log of ticks: what a tick binds to its time is durable as a whole, or not there at all.
//
// A Record is one tick: the updates of collections, changed notes (small named values, such as the catalog and the offsets of
// sources), and the collections that end. Append writes it to the newest segment of the log and syncs; Commit.Wait says
// when it would survive a crash. In the background whole segments are folded: the updates of each collection become a sorted,
// consolidated run file, runs of a size are merged when there are a few, all when too much of them is gone, and a
// manifest names the runs and holds the notes as of the fold. A segment goes when a manifest covers it.
// A segment that is held back for the history of some collections alone is made thin: what it holds of the others is folded.
//
// The contract: what Open gives is the sum of all records whose Commit was waited for, in order, and at most one record more
// (the one whose sync a crash cut off). A damaged tail of the last segment is cut away when nothing valid follows; any other
// damage is an error that names the file and the place. After a failed sync nothing more is acknowledged: the state of the
// page cache is not known then, so there is no second try. A full disk refuses the record and leaves the log as it was.
//
// The journal knows neither rows nor SQL: rows are bytes in the order of their bytes.
//
// Start reading at journal.go; the forms of the files are in record.go, segment.go, run.go, thin.go and manifest.go.
package journal
