// Package stack runs the real servers that the end-to-end tests talk to: PostgreSQL, MariaDB, Kafka, a schema
// registry that speaks Confluent's interface, and Kafka Connect with Debezium, from Debian packages and Maven
// artifacts, without containers.
//
// The types to know are Config (where things lie, which ports) and Stack (what is up, and its addresses).
//
// The contract:
//   - every server listens on loopback only, on a port counted from Config.BasePort;
//   - what was fetched is kept in Config.Cache under a name that contains the hash of its recipe, and appears there
//     whole or not at all, so a second run fetches nothing and an interrupted one leaves nothing half done;
//   - one process at a time works on one Config.Home: a second one waits;
//   - Down stops what this Stack started, by the process id it recorded, and nothing else. A Stack that is not
//     detached takes its servers with it when its process dies.
//
// Start reading at stack.go; service.go has the list of servers, one file each has its details.
package stack
