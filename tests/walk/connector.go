package walk

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"
)

// Connector is one of a Connect worker.
type Connector struct {
	Worker string // URL
	Name   string
}

// Put makes the connector with the settings in a file, in which ${NAME} is the variable of that name, and returns when it runs.
func (c Connector) Put(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read settings of %s: %w", c.Name, err)
	}
	settings := os.Expand(string(text), os.Getenv)
	return c.try(ctx, "RUNNING", http.MethodPut, "/config", []byte(settings))
}

// Delete takes the connector away, if it is there, with what it remembers of how far it is.
func (c Connector) Delete(ctx context.Context) error {
	var names []string
	if err := askJSON(ctx, request{method: http.MethodGet, url: c.Worker + "/connectors"}, &names); err != nil || !slices.Contains(names, c.Name) {
		return err
	}
	if err := c.try(ctx, "STOPPED", http.MethodPut, "/stop", nil); err != nil {
		return err
	}
	if err := c.ask(ctx, http.MethodDelete, "/offsets", nil, nil); err != nil {
		return err
	}
	return c.ask(ctx, http.MethodDelete, "", nil, nil)
}

// try sends a request until the worker takes it, for while it shares out its work it takes none, and waits until the connector is in a state.
func (c Connector) try(ctx context.Context, state, method, path string, body []byte) error {
	sent := false
	for deadline := time.Now().Add(patience); ; {
		err := error(nil)
		if !sent {
			err = c.ask(ctx, method, path, body, nil)
			sent = err == nil
		}
		if sent {
			if err = c.in(ctx, state); err == nil {
				return nil
			}
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// in is nil when the connector and each of its tasks are in a state.
func (c Connector) in(ctx context.Context, state string) error {
	var status struct {
		Connector struct{ State string }
		Tasks     []struct{ State, Trace string }
	}
	if err := c.ask(ctx, http.MethodGet, "/status", nil, &status); err != nil {
		return err
	}
	if status.Connector.State != state || state == "RUNNING" && len(status.Tasks) == 0 {
		return fmt.Errorf("connector %s is %s", c.Name, status.Connector.State)
	}
	for _, task := range status.Tasks {
		if task.State != state {
			return fmt.Errorf("a task of connector %s is %s: %s", c.Name, task.State, task.Trace)
		}
	}
	return nil
}

func (c Connector) ask(ctx context.Context, method, path string, body []byte, answer any) error {
	return askJSON(ctx, request{method, c.Worker + "/connectors/" + c.Name + path, "application/json", body}, answer)
}
