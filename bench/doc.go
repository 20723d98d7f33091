// Package bench is what the benchmarks measure: the queries and, in events, the files that they read. The
// commands that run them stand in README.md.
package bench
