// Package sim lets whole servers live through what a machine may do to them: power that goes at any write, disks that are full,
// slow or fail to sync, clocks that jump, stops. Everything comes from a seed, time is that of a bubble, and the world is in
// memory. Every operation of the disk and every word to the server takes a time of its own, so that a second run of a seed is most
// often the first one again; what goroutines do at the same nanosecond has no order, and now and then a seed has to be run twice.
//
// What the server says is held against two judges. The model knows what each acknowledged statement does, and which of those
// whose answer never came may have been done: every answer must be that of a state which is possible then. The chronicle knows
// what was shown at which time: no answer may ever say anything else about that time, whatever has happened since.
//
// Start reading at world_test.go; the judges are in model_test.go and chronicle_test.go, what happens in steps_test.go.
package sim
