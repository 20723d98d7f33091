// Package sources is what every connector that brings data in has in common: the messages it hands to the
// coordinator and the offsets that bind them. One connector a folder; envelopes in envelope/.
//
// A connector reads at its own pace and pushes batches, in order, into a bounded channel. The coordinator binds
// each batch to the tick that takes it: rows and progress of a batch land in one tick, together or not at all.
package sources
