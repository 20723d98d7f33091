// Command millrace is the server, the demo and the benchmark in one binary: flags, wiring and signals, nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/internal/journal"
)

// version is set by the build.
var version = "0.1.0-dev"

// command is one subcommand.
type command struct {
	name  string
	about string
	run   func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "run the server", serve},
		{"demo", "run the server with a broker, a schema registry and a shop inside", runDemo},
		{"dump", "write what a server or data directory holds as SQL", dump},
		{"restore", "run the statements of a dump", restore},
		{"backup", "let a running server copy its data directory", backup},
		{"tail", "print a view as it changes", tail},
		{"check", "look at a data directory, the machine and the connections", checkAll},
		{"bench", "run one query over an event file and print what it took", runBench},
		{"version", "print the version", func(context.Context, []string) error {
			_, err := fmt.Println("millrace " + version)
			return err
		}},
	}
}

// errUsage says that the arguments were wrong and that this has been said already.
var errUsage = errors.New("usage")

func main() {
	err := dispatch(untilSignal(), os.Args[1:])
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "millrace: "+explained(err))
		os.Exit(1)
	}
}

// explained is an error with all that is known of it: what the server says beside its message, and what to do.
func explained(err error) string {
	text := err.Error()
	add := func(word, s string) {
		if s != "" {
			text += "\n" + word + ": " + s
		}
	}
	var answer *pgconn.PgError
	var damaged *journal.DamageError
	switch {
	case errors.As(err, &answer):
		add("DETAIL", answer.Detail)
		add("HINT", answer.Hint)
	case errors.As(err, &damaged):
		add("HINT", "nothing was changed. millrace check --data-dir "+filepath.Dir(damaged.File)+" lists all that is damaged. "+
			"Put the file back if it was moved, or start from a backup; keep this folder until that runs.")
	case errors.Is(err, os.ErrPermission):
		add("HINT", fmt.Sprintf("the process runs as user %d: it needs to read and write the folder and all files in it", os.Getuid()))
	}
	return text
}

// untilSignal is a context that ends with the first signal to stop. The second ends the process at once.
func untilSignal() context.Context {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		<-signals
		fmt.Fprintln(os.Stderr, "millrace: stopped at once")
		os.Exit(1)
	}()
	return ctx
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return serve(ctx, nil)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	if args[0] != "help" && args[0] != "-h" && args[0] != "--help" {
		if args[0][0] == '-' {
			return serve(ctx, args)
		}
		fmt.Fprintf(os.Stderr, "millrace: there is no command %q\n\n", args[0])
		fmt.Fprint(os.Stderr, usage())
		return errUsage
	}
	_, err := fmt.Print(usage())
	return err
}

func usage() string {
	var b strings.Builder
	b.WriteString("usage: millrace COMMAND [flags]\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-8s %s\n", c.name, c.about)
	}
	b.WriteString("millrace COMMAND --help lists the flags of a command.\n")
	return b.String()
}
