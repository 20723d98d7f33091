// Package coord decides: what runs, at which time we read, and what may be forgotten.
//
// One goroutine, the coordinator's loop, owns the catalog, the collections, the dataflows and the tick.
// Sessions, sources and sinks have goroutines of their own and meet the loop on bounded channels: a session
// plans against an immutable catalog snapshot and reads immutable snapshots of collections, so only what must be
// one moment is done in the loop.
//
// The life of a tick (tick.go): inputs that wait are bound to one time t; the record goes to the journal;
// every dataflow steps once; only then is t complete, readers and subscribers see it, and writers get their
// answer. So no reader ever sees part of a tick, nor two views that disagree.
//
// Start reading at coordinator.go, then tick.go, session.go and exec.go.
package coord
