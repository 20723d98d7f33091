package walk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"millrace/tests/stack"
)

// Place is where an example runs: servers that are up.
type Place struct {
	Root      string // of the repository
	Scratch   string // a folder for what the example writes
	SQL, HTTP string // host:port of millrace
	Registry  string // host:port of the registry's interface at the root
	Stack     *stack.Stack
	Out       io.Writer

	python string // an interpreter with DuckDB, if the example needs it
}

// Aliases are what millrace must know, so that the names in the READMEs lead to the servers.
func Aliases(s *stack.Stack, registry string) string {
	return "kafka:9092=" + s.KafkaAddr + ",kafka:9093=" + s.KafkaLoginAddr + ",storage:9000=" + strings.TrimPrefix(s.StorageURL, "http://") + ",schema-registry:8081=" + registry + ",postgres:5432=" + s.PostgresAddr +
		",opensearch:9200=" + strings.TrimPrefix(s.OpenSearchURL, "http://")
}

// Env are the variables that the READMEs, and the settings of connectors, name.
func (p *Place) Env(e Example) []string {
	millrace := url.URL{Scheme: "postgres", User: url.User("materialize"), Host: p.SQL, Path: "materialize"}
	env := []string{
		"MILLRACE=" + millrace.String(), "MILLRACE_SQL_LISTEN=" + p.SQL, "MILLRACE_HTTP_LISTEN=" + p.HTTP, "SCRATCH=" + p.Scratch,
		"KAFKA=" + p.Stack.KafkaAddr, "REGISTRY=http://" + p.Registry,
	}
	if e.uses(stack.Connect) {
		env = append(env, "CONNECT="+p.Stack.ConnectURL, "APICURIO="+strings.TrimSuffix(p.Stack.RegistryURL, "/apis/ccompat/v7")+"/apis/registry/v2")
	}
	if e.uses(stack.OpenSearch) {
		env = append(env, "OPENSEARCH="+p.Stack.OpenSearchURL)
	}
	if e.uses(stack.Storage) {
		env = append(env, "STORAGE="+p.Stack.StorageURL)
	}
	if e.Python {
		env = append(env, "PYTHON="+p.python)
	}
	if host, port, err := net.SplitHostPort(p.Stack.PostgresAddr); err == nil && e.Postgres != "" {
		there := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: p.Stack.PostgresAddr, Path: e.Postgres}
		env = append(env, "POSTGRES="+there.String(), "POSTGRES_HOST="+host, "POSTGRES_PORT="+port)
	}
	if host, port, err := net.SplitHostPort(p.Stack.MariaDBAddr); err == nil && e.MariaDB != "" {
		env = append(env, "MARIADB="+e.MariaDB, "MYSQL_HOST="+host, "MYSQL_TCP_PORT="+port)
	}
	return env
}

// Run runs an example in one dialect from its first block to its last, and prints each with its answer.
func (p *Place) Run(ctx context.Context, e Example, dialect string) error {
	text, err := os.ReadFile(filepath.Join(p.Root, "examples", e.Name, "README.md"))
	if err != nil {
		return fmt.Errorf("read example %s: %w", e.Name, err)
	}
	blocks, err := Parse(string(text))
	if err != nil {
		return fmt.Errorf("read example %s: %w", e.Name, err)
	}
	if err := p.Prepare(ctx, e); err != nil {
		return err
	}
	for _, b := range blocks {
		if b.dialect() && b.On != dialect {
			continue
		}
		if err := p.run(ctx, e, b); err != nil {
			return fmt.Errorf("examples/%s/README.md, line %d: %w", e.Name, b.Line, err)
		}
	}
	return nil
}

// patience is how long a block may take to answer as it must, and a connector to run: machines are slow.
const patience = 3 * time.Minute

// run runs a block, again and again if it has an answer that it does not give yet.
func (p *Place) run(ctx context.Context, e Example, b Block) error {
	p.say("%s", b.prompted())
	for deadline := time.Now().Add(patience); ; {
		out, err := p.once(ctx, e, b)
		switch {
		case err == nil && (!b.Checked || b.matches(out)):
			if out != "" {
				p.say("%s", out)
			}
			p.say("")
			return nil
		case err != nil && (!b.Checked || ctx.Err() != nil):
			return fmt.Errorf("%w\n%s", err, out)
		case time.Now().After(deadline):
			return errors.Join(fmt.Errorf("after %s it answers\n%s\nand not\n%s", patience, out, b.Answer), err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// once runs a block and gives what it prints, into a file: what a block leaves in the background would keep a pipe open.
func (p *Place) once(ctx context.Context, e Example, b Block) (out string, err error) {
	file, err := os.CreateTemp(p.Scratch, "out-")
	if err != nil {
		return "", fmt.Errorf("make a file for output: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	args, input := b.command()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = p.Root, append(os.Environ(), p.Env(e)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), file, file
	err = cmd.Run()
	text, readErr := os.ReadFile(file.Name())
	return strings.TrimRight(string(text), "\n"), errors.Join(err, readErr)
}

func (p *Place) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Out, format+"\n", args...) // for a reader; that nobody reads is no reason to stop
}
