// Package deadletter writes the records that a source cannot decode to a topic of Kafka, each once.
//
// Contract: a letter has a place and a position in it, which name the record for ever: a record that is read again has them again, and
// within a place positions come in order. Letters are written in a transaction with the positions up to which those of each place are
// there, so what is read again after a crash, or after a commit whose answer was lost, is left out. Write returns when the letters are
// committed; what is told of the records afterwards, such as their rows of errors, comes later than they do.
//
// Start reading at outbox.go; writer.go has what goes on with the brokers.
package deadletter
