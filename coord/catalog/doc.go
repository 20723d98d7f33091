// Package catalog is what exists: schemas and the objects in them, and how a name is resolved.
//
// A Snapshot is immutable; changing the catalog makes a new one, and only the coordinator does that. So a
// statement is planned against one moment of the catalog without holding anything up. Start at catalog.go;
// the system tables are rows of the table in builtin.go.
package catalog
