// Package kafka reads a topic of Kafka into a collection.
//
// New checks nothing but the configuration; Describe asks the broker and the registry, within seconds, and says in
// words what is wrong; Run reads until it is stopped.
//
// The contract of Run: records of a partition are handed over in order, each once while the connector lives, and
// only those of committed transactions; new partitions are found and read from their beginning; a record that cannot
// be decoded becomes a row of errors and the next one is read; a broker or registry that is away is waited for and
// reported; records that are gone (retention, a topic deleted and made anew) end the source with an error that says so,
// as reading on would leave a gap in silence. What is fetched and not yet handed over is bounded.
//
// Start reading at config.go, then run.go.
package kafka
