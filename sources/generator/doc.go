// Package generator is what the sources that make up their own data have in common: chance that is the same on every
// machine, the changes they make, and those changes as SQL.
//
// A generator is a pure function of its size and its seed: the same two give the same changes in the same order, so a
// run can be repeated, and a row that is to be retracted is computed again instead of being kept. One generator a
// folder: tpch is the order database of the TPC-H benchmark, nexmark an auction site.
//
// Start reading at generator.go.
package generator
