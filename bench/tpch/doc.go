// Package tpch is the 22 queries of the TPC-H benchmark with their validation parameters, for the tests that hold our
// answers to PostgreSQL's and for the benchmark that measures them as maintained views.
//
// Queries is the table to know; queries/ has a file for each. The data they read is made up by sources/generator/tpch.
package tpch
