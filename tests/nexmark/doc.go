// Package nexmark holds the queries of the Nexmark benchmark, as materialized views that were created before there were any
// data, to a real PostgreSQL 15: after every batch of events, of late deletions and of updates, and when all is gone.
//
// The queries are those of the benchmark, with ties decided so that there is one answer, and with windows that fit a
// history of half a minute. q12 counts by the time of processing, which has no answer to compare: here a table says when the bids of each
// batch came. Over a source it is a column, the timestamp that INCLUDE TIMESTAMP gives. q10 is the query without its sink of
// files. Those with a word behind their number say the same in another way.
//
// They run with MILLRACE_E2E=1, which `make e2e` sets. There is nothing here but tests.
package nexmark
