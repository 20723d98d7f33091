// Package spool keeps lists of records that grow side by side: in memory, packed, while they are small together, and in a file each
// when they are not.
//
// What is in a Pool lives no longer than the process: a file that a crash has left is removed by Clear at the next start, so nothing
// is synced. What is read back is checked all the same, for a damaged record must not become a row.
//
// Start reading at spool.go; list.go has the form of what is kept.
package spool
