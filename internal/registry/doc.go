// Package registry is a client of a schema registry that speaks the Confluent REST API.
//
// A schema of an id never changes, so it is asked for once and kept; the latest schema of a subject is asked for
// anew each time. Errors tell apart what a retry may mend (ErrUnreachable) from what it cannot, and name the URL
// and the subject or id. Answers are bounded in size, requests in time.
package registry
