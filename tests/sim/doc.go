// Package sim lets whole servers live through what a machine may do to them: power that goes at any write, disks that are full, slow,
// fail to sync, or read and write less than they should, clocks that jump, stops. Everything comes from a seed, time is that of a
// bubble, and the world is in memory. Everyone who waits goes on at a nanosecond of its own (turns_test.go), so that nothing happens
// at the same moment as something else, and a second run of a seed is the first one again, to the last byte, with any number of
// workers. In a quarter of the lives views are filled side by side after a start: there chance has a word of its own.
//
// Sources read topics, some of them two that the transactions of one database bind together, whose records come at different times: of
// each transaction all is shown or nothing. Others are load generators, or take requests. Sinks write to topics, to a table that has their
// progress in its transactions, and to files that are written one after the other; all of these fail, and lose answers, now and then.
//
// What the server says is held against two judges. The model knows what each acknowledged statement does, and which of those
// whose answer never came may have been done: every answer must be that of a state which is possible then. The chronicle knows
// what was shown at which time: no answer may ever say anything else about that time, whatever has happened since.
//
// Start reading at world_test.go; the judges are in model_test.go and chronicle_test.go, what happens in steps_test.go.
package sim
