// Package opt rewrites plans: decorrelation, then an ordered table of rules to a fixpoint.
//
// Decorrelate turns every subquery and every Apply into joins; what it gives holds neither. Optimize applies the
// rules of pipeline.go, each in a file of its own with what it does and when that is safe; the table says which
// rule must stand before which, and a test holds the table to it.
//
// The contract: a rewritten plan gives the same rows as the plan it was made of, at every time and for every
// history of inputs. An expression that can fail is not moved to where it would be evaluated on rows that a
// filter, a CASE or a join leaves out, with three exceptions, each where PostgreSQL does the same: a join key
// that can fail, when the join has no other key, is evaluated on every row of its side; an uncorrelated
// subquery is evaluated even where no row asks for it; and what stands in the select list of a subquery in FROM
// is evaluated on the rows of that subquery.
package opt
