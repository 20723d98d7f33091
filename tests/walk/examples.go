package walk

import (
	"fmt"
	"slices"
	"strings"

	"millrace/tests/stack"
)

// Example is a folder of examples, with all that it leaves on the servers.
type Example struct {
	Name     string
	Services []stack.Service // that it needs
	// Postgres and MariaDB are the databases that it fills; it finds them empty.
	Postgres, MariaDB string
	Connectors        []string // of Kafka Connect
	Topics            []string // that it writes, or has written
	Indexes           []string // of OpenSearch
	Prefixes          []string // of what it writes to the S3 server
	Python            bool     // whether it asks DuckDB
}

// Examples are all there are, in the order in which they are best read.
var Examples = []Example{
	{
		Name: "clickstream", Services: []stack.Service{stack.Kafka},
		Topics: []string{
			"imply-news", "imply-news-clicks", "imply-news-de", "millrace-progress-imply-news", "millrace-progress-imply-news-clicks",
			"millrace-progress-imply-news-de", "imply-news-newest", "millrace-progress-imply-news-newest",
		},
	},
	{
		Name: "enrich", Services: []stack.Service{stack.Postgres, stack.Kafka},
		Postgres: "testdb", Topics: []string{"input-user-clicks-demo", "input-user-clicks-dead", "millrace-progress-input-user-clicks-dead"},
	},
	{
		Name: "etl", Services: []stack.Service{stack.Postgres, stack.Kafka, stack.Registry, stack.Connect, stack.OpenSearch},
		Postgres: "customers", Connectors: []string{"customers"}, Indexes: []string{"shipped_orders", "millrace-progress"},
		Topics: []string{
			"customers.public.customers", "my-replica-set.logistics.orders", "my-replica-set.logistics.shipments",
			"shipped_orders", "millrace-progress-shipped_orders",
		},
	},
	{
		Name: "pageviews", Services: []stack.Service{stack.MariaDB, stack.Kafka, stack.Registry, stack.Connect},
		MariaDB: "shop", Connectors: []string{"shop"},
		Topics: []string{"pageviews", "mysql.shop.users", "mysql", "_history_mysql", "pageviews-user-segment-sink", "millrace-progress-pageviews-user-segment-sink"},
	},
	{
		Name: "staging", Services: []stack.Service{stack.Kafka, stack.Storage}, Python: true, Prefixes: []string{"orders"},
		Topics: []string{"events", "orders", "millrace-progress-orders", "customers", "millrace-progress-customers"},
	},
}

// Find gives the example of a name.
func Find(name string) (Example, error) {
	var names []string
	for _, e := range Examples {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	if name == "" {
		return Example{}, fmt.Errorf("name an example: one of %s", strings.Join(names, ", "))
	}
	return Example{}, fmt.Errorf("there is no example %q: one of %s", name, strings.Join(names, ", "))
}

func (e *Example) uses(s stack.Service) bool { return slices.Contains(e.Services, s) }
