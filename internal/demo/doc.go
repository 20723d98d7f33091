// Package demo is a small shop to try the server with: a Kafka broker, a schema registry, and the shop's traffic,
// all inside the process.
//
// Start fills two topics and goes on writing to them:
//
//	mysql.shop.users   the table shop.users as Debezium captures it from MySQL: Avro, an envelope with before and
//	                   after, first a snapshot, then inserts, updates and deletes, a tombstone behind each delete
//	pageviews          what users look at, as JSON
//
// Contract: with the same Options and a clock that stands at the same time, the same records are written to the
// same partitions in the same order. All records of one user are in one partition. Every page loaded at the
// start was viewed by a user of the snapshot, so that a join of the two topics finds a user for each.
//
// Everything listens on 127.0.0.1 and is gone after Close. Start reading at demo.go; shop.go makes the traffic up,
// debezium.go puts it into messages.
package demo
