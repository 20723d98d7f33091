// Package oracle holds plans to their meaning: random plans over random histories are run as dataflows and compared,
// after every step, with a plain interpreter that recomputes them by nested loops.
//
// reference_test.go is the interpreter, generate_test.go makes the plans, oracle_test.go compares. A failure names
// its seed and prints the plan, as made and as optimised. There is nothing here but tests.
//
// The folder postgres asks random SQL of a real PostgreSQL as well, and sqlgen makes it.
package oracle
