// Package op holds the operators: what each does with the batches of one step, over arrangements of its own.
//
// An operator is stepped with unsorted or sorted batches of one time and emits updates into a builder; errors of
// rows go to an error builder with the count of the row that caused them. It knows no graph, no time and no
// other worker: the package dataflow runs it. Every operator has a plain reference in the tests, and random
// histories hold the two together.
package op
