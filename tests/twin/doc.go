// Package twin runs a millrace in the process beside a real PostgreSQL 15: both get the same statements over the wire,
// and their answers are compared as text, value by value.
//
// A Twin is both sides of one test; an Answer is what one side said. The PostgreSQL comes from tests/stack, so tests that
// use this run only with MILLRACE_E2E=1. Start reading at twin.go.
package twin
