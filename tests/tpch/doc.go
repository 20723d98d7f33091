// Package tpch holds the 22 queries of TPC-H, as materialized views that were created before there were any data, to a
// real PostgreSQL 15: after every batch of a load in any order, of the refreshes that insert and delete orders and update
// the tables beside them, and when all is deleted again.
//
// They run with MILLRACE_E2E=1, which `make e2e` sets. MILLRACE_TPCH_SCALE is the scale, MILLRACE_TPCH_SEED the seed.
// There is nothing here but tests.
package tpch
