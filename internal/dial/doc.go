// Package dial opens network connections under names that may be aliases: a pipeline that was written for
// "kafka:9092" runs unchanged where the broker listens elsewhere.
//
// The contract: an address that has an alias is dialled at the alias and nowhere else; every other address is
// dialled as given. Errors name the address that the user wrote, and the alias when there is one.
package dial
