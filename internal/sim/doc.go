// Package sim stands in for the world in tests: a disk that crashes, fills up and fails, and lines that are
// cut. Everything that it does by chance comes
// from a seed, so that a run can be repeated.
package sim
