// Package tidy checks what a machine can check of how this project is laid out and written: the direction of
// imports, sizes, names, comments, where time and chance come from, that links lead somewhere, that the tests and files
// which documents name are there, and that the list of decisions is whole. It runs as a test, `go test ./internal/tidy`, and needs nothing but the source tree.
//
// Check reads a tree and returns its Findings. What is allowed where is data, in rules.go: the ranks of folders,
// the third-party modules with the packages that may import them, the limits, and the exceptions with a reason
// each. An exception that nothing needs any more is itself a finding, so that the list only shrinks.
//
// A new rule is a function in the table of tidy.go and a file in testdata/broken that breaks it; the test fails
// when a rule finds nothing there.
package tidy
