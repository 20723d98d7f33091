package e2e

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"millrace/tests/stack"
)

// basePort keeps the servers of these tests apart from those that somebody started by hand.
const basePort = 23100

// portOf is where the servers of these tests lie: STACK_BASE_PORT moves them.
func portOf() int {
	if os.Getenv("STACK_BASE_PORT") != "" {
		return 0
	}
	return basePort
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.down(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// need skips a test unless servers may be started.
func need(t *testing.T) {
	t.Helper()
	if os.Getenv("MILLRACE_E2E") == "" {
		t.Skip("starts servers: set MILLRACE_E2E=1, or run make e2e")
	}
}

// servers are the real servers, started once for all tests.
type servers struct {
	once         sync.Once
	mu           sync.Mutex // guards the making of stack
	err          error
	stack        *stack.Stack
	registryAddr string // where the registry's Confluent interface lies at the root
	stopRegistry func() error
}

var shared servers

// real starts the real servers if no test has yet.
func real(t *testing.T) *servers {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
		defer cancel()
		if shared.err = shared.start(ctx); shared.err != nil {
			return
		}
		shared.registryAddr, shared.stopRegistry, shared.err = shared.stack.ServeRegistry()
	})
	if shared.err != nil {
		t.Fatalf("start the real servers: %v", shared.err)
	}
	return &shared
}

// start starts services, or the usual ones.
func (s *servers) start(ctx context.Context, services ...stack.Service) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stack == nil {
		made, err := stack.New(stack.Config{BasePort: portOf(), Fresh: true})
		if err != nil {
			return err
		}
		s.stack = made
	}
	return s.stack.Start(ctx, services...)
}

// running starts the services that a test needs, if they do not run yet.
func running(t *testing.T, services ...stack.Service) *stack.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if err := shared.start(ctx, services...); err != nil {
		t.Fatalf("start %v: %v", services, err)
	}
	return shared.stack
}

// fetched is a stack with nothing running, for what is only fetched: interpreters and drivers.
func fetched(t *testing.T) *stack.Stack {
	t.Helper()
	s, err := stack.New(stack.Config{BasePort: portOf()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *servers) down() error {
	if s.stopRegistry != nil {
		if err := s.stopRegistry(); err != nil {
			return err
		}
	}
	if s.stack == nil {
		return nil
	}
	return s.stack.Down()
}

// aliases lead the names that the documentation uses to the real servers.
func (s *servers) aliases() string {
	return "kafka:9092=" + s.stack.KafkaAddr + ",schema-registry:8081=" + s.registryAddr
}

// eventually repeats what did not hold yet, until it holds or the time is over.
func eventually(t *testing.T, limit time.Duration, what string, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s: %v", what, limit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
