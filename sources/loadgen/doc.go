// Package loadgen is the source that makes up what it gives: CREATE SOURCE … FROM LOAD GENERATOR.
//
// A world is a list of steps. What a step changes is a function of the seed, of its number and of the times of the steps, so
// nothing is kept but how many steps were handed over and when they happened: after a restart, and for a table that is added
// later, the same steps come out again. The clock says how many steps are due; a batch holds whole steps.
//
// Start reading at source.go; kinds.go has the table of worlds, calendar.go the times of steps, and each world a file of its own.
package loadgen
