// Package e2e runs bin/millrace against real servers and drives it with real clients: psql, psycopg2, psycopg 3,
// pgx, pgJDBC, Kafka clients, Debezium over MariaDB.
//
// The tests start servers, so they run only with MILLRACE_E2E=1, which `make e2e` sets after building the binary;
// then nothing is skipped, and what cannot be had is a failure. The servers come from tests/stack, are started when
// the first test needs them, and stop when the last is done.
//
// Each test starts a millrace of its own. What the pipelines of the documentation call kafka:9092 and
// schema-registry:8081 is led to the real servers by --host-aliases, so their statements run as typed.
// Start reading at walkthrough_test.go; examples_test.go runs the READMEs of examples.
package e2e
