package stack

import (
	"context"
	"slices"
	"strings"
	"syscall"
)

// Service names a server.
type Service string

// The services there are.
const (
	Postgres Service = "postgres"
	MariaDB  Service = "mariadb"
	Kafka    Service = "kafka"
	Registry Service = "registry"
	Connect  Service = "connect"
	// OpenSearch is not among those that are meant when none is named: it is slow to start, and little needs it.
	OpenSearch Service = "opensearch"
	// Standby follows Postgres, and may be promoted. It is started when it is named.
	Standby Service = "standby"
	// Storage is an S3 server with a bucket called lake, all in memory. It is started when it is named.
	Storage Service = "storage"
)

// description is what the stack must know of a service.
type description struct {
	needs  []Service
	port   int // offset from the base
	start  func(*Stack, context.Context) error
	ready  func(*Stack, context.Context) error
	signal syscall.Signal // asks it to stop in good order
}

var table = map[Service]description{
	Postgres: {port: postgresPort, start: (*Stack).startPostgres, ready: (*Stack).postgresReady, signal: syscall.SIGINT},
	MariaDB:  {port: mariadbPort, start: (*Stack).startMariaDB, ready: (*Stack).mariadbReady, signal: syscall.SIGTERM},
	Kafka:    {port: kafkaPort, start: (*Stack).startKafka, ready: (*Stack).kafkaReady, signal: syscall.SIGTERM},
	Registry: {port: registryPort, start: (*Stack).startRegistry, ready: (*Stack).registryReady, signal: syscall.SIGTERM},
	Connect: {
		needs: []Service{Kafka, Registry}, port: connectPort,
		start: (*Stack).startConnect, ready: (*Stack).connectReady, signal: syscall.SIGTERM,
	},
	OpenSearch: {port: searchPort, start: (*Stack).startOpenSearch, ready: (*Stack).openSearchReady, signal: syscall.SIGTERM},
	Storage:    {port: storagePort, start: (*Stack).startStorage, ready: (*Stack).storageReady, signal: syscall.SIGTERM},
	Standby:    {needs: []Service{Postgres}, port: standbyPort, start: (*Stack).startStandby, ready: (*Stack).standbyReady, signal: syscall.SIGINT},
}

// Services lists all services in the order in which they are shown.
func Services() []Service { return append(usual(), OpenSearch, Standby, Storage) }

// usual are the services that are meant when none is named.
func usual() []Service { return []Service{Postgres, MariaDB, Kafka, Registry, Connect} }

// Known tells whether there is a service of that name.
func Known(name Service) bool { return slices.Contains(Services(), name) }

// withNeeds completes a list of services by what they need; none means the usual ones.
func withNeeds(services []Service) []Service {
	if len(services) == 0 {
		return usual()
	}
	wanted := make(map[Service]bool)
	for _, name := range services {
		wanted[name] = true
		for _, need := range table[name].needs {
			wanted[need] = true
		}
	}
	return slices.DeleteFunc(Services(), func(name Service) bool { return !wanted[name] })
}

func joinServices(services []Service) string {
	names := make([]string, len(services))
	for i, name := range services {
		names[i] = string(name)
	}
	return strings.Join(names, ", ")
}
