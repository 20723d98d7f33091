// Package registry is a schema registry for Avro inside the process: the REST interface that Confluent's clients
// speak, kept in memory.
//
// It is there for the demo and for tests. A Registry is a http.Handler; Register puts a schema in without HTTP.
// Contract, as clients rely on it: one schema has one id, in whatever subject it stands; an id is never used for
// another schema, also not after a deletion; versions of a subject count from 1 and only grow; a schema that the
// compatibility level of its subject forbids is refused with 409.
//
// Left out, and refused by name: schema types other than AVRO, and references between schemas.
//
// Start reading at registry.go (what is held), then routes.go (what is asked); compat.go says which schema can
// read which.
package registry
