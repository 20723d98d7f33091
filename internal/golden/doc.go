// Package golden keeps the answers of tests in files that read like the question.
//
// A golden file is a list of cases:
//
//	# why this case is here (optional)
//	command argument key=value key=(a, b)
//	input, any number of lines
//	----
//	answer, up to the next empty line
//
// An answer that itself holds an empty line, or begins with a line of dashes, stands between two pairs of dashes
// (longer ones, where the answer holds such a line):
//
//	command
//	----
//	----
//	first
//
//	second
//	----
//	----
//
// Run asks a function for the answer to each case and compares; File compares one whole text. With the flag
// -golden.update, or GOLDEN=update in the environment, both write what they got instead of comparing, and keep
// the comments, the order and the spacing of the file. Read the diff before you commit it.
//
// The contract: a file that was written by an update passes the next run unchanged, whatever the answers hold.
// Start reading at golden.go; the file format is in format.go.
package golden
