package repr

import "iter"

// Aggregate is how the values of a group become one value, under insertions and retractions alike.
// Exactly one of Words, New, Fold and Extreme says how.
type Aggregate struct {
	Name string

	// Words > 0: the state is that many int64, zero at first, and Add is linear in diff, so that a
	// retraction undoes an insertion exactly. Result reads the state; it is called for groups that have rows.
	Words  int
	Add    func(state []int64, arg Datum, diff Diff)
	Result func(state []int64) (Datum, *Error)
	// AddInt, where it is not nil, is Add of an argument with an integer as its payload, which is not NULL.
	AddInt func(state []int64, n int64, diff Diff)
	// Counts says that the state is one word, that Add adds diff to it whatever the argument, and that it is the result.
	Counts bool
	// State, where it is not empty, names what the words hold: aggregates of one name over the same rows have the same state.
	State string

	// New: as Words, with a state of any form. Add is linear in diff.
	New func() Accumulator

	// Fold: recomputed from the rows of the group, which come sorted (by the aggregate's ORDER BY, then by
	// value) with their counts, all positive. args are the argument columns.
	Fold func(rows iter.Seq2[[]Datum, Diff]) (Datum, *Error)

	// Extreme is -1 when the result is the least argument in the order of values, +1 when the greatest.
	Extreme int

	// SkipNulls says that rows whose first argument is NULL do not count.
	SkipNulls bool
	// Empty is the result over no rows, for an aggregate without GROUP BY.
	Empty Datum
}

// Accumulator is the state of one group under an Aggregate with New.
type Accumulator interface {
	Add(args []Datum, diff Diff)
	Result() (Datum, *Error)
	// Clone is a copy with a state of its own.
	Clone() Accumulator
}
