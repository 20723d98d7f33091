// Package broker is what the Kafka source and the Kafka sink have in common: how to connect, what is wrong when that
// does not work, and whether the brokers answer right now.
//
// The contract: an error that a user sees names the topic and the address that the user wrote; no call waits longer
// than its context, and none retries what cannot mend itself. A connection's password is in no error and no log.
package broker
