// Package check holds the assertions of the project: a condition that fails here is a bug of ours,
// and stopping beats serving a wrong row. Errors of the world are returned as errors instead.
package check

import "fmt"

// Failure is the value that a failed assertion panics with, so that the recover of a connection can
// tell a broken invariant from a runtime error.
type Failure struct{ Message string }

func (f Failure) Error() string { return "internal error: " + f.Message }

// That panics with a Failure when ok is false.
func That(ok bool, format string, args ...any) {
	if !ok {
		panic(Failure{Message: fmt.Sprintf(format, args...)})
	}
}

// Never marks a place that cannot be reached.
func Never(format string, args ...any) {
	panic(Failure{Message: fmt.Sprintf(format, args...)})
}
