// Package garbage holds sources to what they promise of records that cannot be decoded: truncated, of another schema, of the wrong type,
// damaged bit by bit, or 10 MB large, among good ones, in topics of every kind of format.
//
// No row of a good record may be missing and none of a bad one be there, at any time that a view of the source shows; each bad record is
// counted, is a row of errors with its topic, partition and offset, and is in the topic of dead letters once, byte by byte.
//
// Start reading at garbage_test.go, then topics.go. GARBAGE_RECORDS says how many bad records there are, and make garbage tries a million.
package garbage
