package walk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"millrace/tests/stack"
)

// Prepare makes the empty databases that an example fills; what an earlier run has left goes.
func (p *Place) Prepare(ctx context.Context, e Example) error {
	if err := p.Clean(ctx, e); err != nil {
		return err
	}
	if e.Python {
		var err error
		if p.python, err = p.Stack.Python(ctx); err != nil {
			return err
		}
	}
	if e.Postgres != "" {
		if _, err := p.Stack.SQL(ctx, "postgres", "CREATE DATABASE "+e.Postgres); err != nil {
			return fmt.Errorf("make the database of example %s: %w", e.Name, err)
		}
	}
	if e.MariaDB != "" {
		if _, err := p.Stack.MySQL(ctx, "CREATE DATABASE "+e.MariaDB+" CHARACTER SET utf8mb4"); err != nil {
			return fmt.Errorf("make the database of example %s: %w", e.Name, err)
		}
		return p.Stack.GrantDebezium(ctx)
	}
	return nil
}

// Clean takes away what an example leaves on the servers: who reads before what is read.
func (p *Place) Clean(ctx context.Context, e Example) error {
	for _, name := range e.Connectors {
		if err := (Connector{Worker: p.Stack.ConnectURL, Name: name}).Delete(ctx); err != nil {
			return err
		}
	}
	if e.Postgres != "" {
		if err := p.dropPostgres(ctx, e.Postgres); err != nil {
			return fmt.Errorf("clean up behind example %s: %w", e.Name, err)
		}
	}
	if e.MariaDB != "" {
		if _, err := p.Stack.MySQL(ctx, "DROP DATABASE IF EXISTS "+e.MariaDB); err != nil {
			return fmt.Errorf("clean up behind example %s: %w", e.Name, err)
		}
	}
	for _, prefix := range e.Prefixes {
		if err := (Bucket{Server: p.Stack.StorageURL}).Delete(ctx, prefix); err != nil {
			return fmt.Errorf("clean up behind example %s: %w", e.Name, err)
		}
	}
	for _, index := range e.Indexes {
		r := request{method: http.MethodDelete, url: p.Stack.OpenSearchURL + "/" + index + "?ignore_unavailable=true"}
		if err := askJSON(ctx, r, nil); err != nil {
			return fmt.Errorf("clean up behind example %s: %w", e.Name, err)
		}
	}
	if !e.uses(stack.Kafka) {
		return nil
	}
	return Topics{Broker: p.Stack.KafkaAddr}.Delete(ctx, e.Topics...)
}

// dropPostgres drops a database with its replication slots, each of which goes a moment after the one that read it.
func (p *Place) dropPostgres(ctx context.Context, database string) error {
	slots := fmt.Sprintf(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '%s' AND NOT active`, database)
	for deadline := time.Now().Add(patience); ; {
		_, err := p.Stack.SQL(ctx, "postgres", slots)
		if err == nil {
			_, err = p.Stack.SQL(ctx, "postgres", fmt.Sprintf(`DROP DATABASE IF EXISTS %s WITH (FORCE)`, database))
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
