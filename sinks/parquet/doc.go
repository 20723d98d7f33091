// Package parquet writes a view to Parquet files in object storage.
//
// The contract: the files that the sink's state names as committed hold, added up, the view at the time that it names. A commit first
// writes into the state which files will come, then the files, and then that they are there. After a crash the files that were to come
// and are not committed are deleted before anything else, so that a reader of all files under the prefix sees no row twice either;
// while a commit runs such a reader may see a part of it, and one that goes by the state or by the manifests never does.
//
//	PREFIX/day=2020-04-03/NAME-TIME-0-X.parquet  rows; a folder for each value of the columns that files are parted by
//	PREFIX/_millrace/NAME/state.json             the time up to which all is written, and what a commit that runs will write
//	PREFIX/_millrace/NAME/TIME-X.json            the manifest of a commit: its files, with their rows
//
// X tells the openings of the sink apart. A request that nobody waits for any more may be carried out late: what it brings has a
// name of its own, and is deleted again for some minutes.
//
// Of a view that only grows the files hold rows. Of any other they hold changes: each row with the columns mz_timestamp and mz_diff,
// whose sum is the view.
//
// Given a whole content behind a commit, the sink reads its files again and commits what is different.
//
// Start reading at target.go; file.go writes one file, column.go the columns of each type, read.go reads them, compare.go compares.
package parquet
