// Package dataflow is a graph of operators over batches, and the workers that step it through time.
//
// A Graph says what to compute: nodes in topological order, each an Op over the outputs of earlier nodes.
// A Dataflow is a graph in progress: Step(t, inputs) takes one delta for each input collection, all at the
// same time t, and gives the delta of the output at t. Times never go back; a time may be stepped several
// times, so that a large input can come in chunks; an input that is left out did not change.
//
// Contract: for every history of inputs, the sum of the outputs up to t equals the operator's meaning applied
// to the sum of the inputs up to t. Every delta has an ok and an err batch: a row on which an expression fails
// is a row in err, and it is retracted when the row that caused it goes. The output of a step is consolidated
// and in the order of its bytes, so it is the same for any number of workers.
//
// The package knows no SQL: expressions arrive as closures over packed rows (RowFunc). Start at graph.go,
// then dataflow.go, then op/.
package dataflow
