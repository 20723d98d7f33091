// Package kafka writes the changes of a view to a Kafka topic, exactly once.
//
// The contract: whoever reads the topic with read_committed and adds up all records has the content of the view at
// the time of one tick, never a part of a tick; no record is lost and none is doubled, whatever happens to the
// broker, the network or this process. For that, one Kafka transaction carries one or more whole ticks together
// with a record of the time that was reached, in the compacted progress topic. After every failure the client is
// thrown away: a new one with the same transactional id ends what the old one left open, and the progress topic
// tells whether the last commit, whose answer may have been lost, took place.
//
// The first tick of a Run is the snapshot of the view. When the progress topic says that the sink has written
// before, the records in the topic are added up and only the difference between them and the snapshot is written.
// This needs all that the sink ever wrote, and memory for the view: when the broker has deleted the oldest records,
// the sink fails and says so rather than write rows twice.
//
// A record is an envelope in the manner of Debezium, {before, after}: an insertion has no before, a deletion no
// after, and in a sink with a key a deletion and an insertion of one key in one tick are one record with both.
// In Avro the envelope is the record "envelope", its rows the record "row", keys the record "key"; types are those
// of repr/format/avro, where a numeric without precision is a decimal(81,39). With a key, a record's partition
// is that of the key in every Kafka client; without one it is that of the row, so that the deletion of a row
// follows its insertion.
//
// Start reading at sink.go (the loop), then transaction.go (one commit), progress.go and resume.go (what is
// already there).
package kafka
