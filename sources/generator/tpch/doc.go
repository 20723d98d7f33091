// Package tpch makes up the order database of the TPC-H benchmark (specification 3.0): eight tables at any scale, the
// load and the refreshes that follow it.
//
// Schema, sizes and value ranges are the specification's; texts are shorter lists of its words. Where a query would find nothing
// at a hundredth of the benchmark's smallest scale, what it looks for is made more frequent: bulk orders (Q18), parts
// that sell (Q17, Q19), suppliers that are complained about (Q16). Beyond the specification, a refresh also updates customers,
// parts, suppliers and their offers, so that every table but nation and region changes.
//
// A row is a function of the seed, its key and its version, so a Generator keeps no rows: only which orders there are and
// the versions of what was updated. Start reading at generator.go; tables.go has the tables, rows.go a row of each,
// words.go the words.
package tpch
