// Package txn keeps the transactions of a database whole that come over several topics.
//
// Debezium writes the changes of a transaction to a topic for each table, and to one more when it began, when it ended and how
// many changes there were in each table. A Gate holds the batches of several sources back until each transaction that they are
// of is there with all its changes. What it lets go at once is, for each source, the batches that came first, and of no transaction a
// part only: so a tick that takes them all shows whole transactions.
//
// A transaction of which nothing but a beginning is known is over when the next one begins: so MariaDB's are that are no more than a
// change of a schema. One that the topic does not know, though it was read to its end some time ago, is let go as it is, and so is
// what comes again of one that was let go.
package txn
