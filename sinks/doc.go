// Package sinks is what every connector that takes data out has in common. One connector a folder.
//
// A sink is given the deltas of whole ticks, in order, each exactly once while the server lives, and writes them in
// transactions of one or more whole ticks together with its own progress.
package sinks
