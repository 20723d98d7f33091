// Command cmd starts and stops the servers of the end-to-end tests by hand:
//
//	go run ./tests/stack/cmd up [service...]
//	go run ./tests/stack/cmd fetch
//	go run ./tests/stack/cmd down
//	go run ./tests/stack/cmd status
//
// The environment variables STACK_BASE_PORT, STACK_CACHE and STACK_HOME say where.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"millrace/tests/stack"
)

const usage = "usage: up [service...] | fetch | down | status"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	s, err := stack.New(stack.Config{Detach: true})
	if err != nil {
		return err
	}
	switch args[0] {
	case "up":
		return up(ctx, s, args[1:])
	case "fetch":
		return s.Fetch(ctx)
	case "down":
		return s.StopAll(ctx)
	case "status":
		fmt.Print(s.Status())
		return nil
	}
	return fmt.Errorf("unknown command %q; %s", args[0], usage)
}

func up(ctx context.Context, s *stack.Stack, names []string) error {
	services := make([]stack.Service, len(names))
	for i, name := range names {
		services[i] = stack.Service(name)
		if !stack.Known(services[i]) {
			return fmt.Errorf("unknown service %q: one of %v", name, stack.Services())
		}
	}
	if err := s.Start(ctx, services...); err != nil {
		return errors.Join(err, s.Down())
	}
	fmt.Printf("kafka     %s\nregistry  %s\nconnect   %s\npostgres  %s\nmariadb   %s\n",
		s.KafkaAddr, s.RegistryURL, s.ConnectURL, s.PostgresAddr, s.MariaDBAddr)
	return s.Release()
}
