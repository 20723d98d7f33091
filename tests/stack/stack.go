package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Stack is a set of running servers.
type Stack struct {
	// KafkaAddr, PostgresAddr, StandbyAddr and MariaDBAddr are host:port; ConnectURL is the root of the Connect worker's
	// interface, RegistryURL the root of the registry's Confluent-compatible one, OpenSearchURL that of the search server.
	KafkaAddr, PostgresAddr, StandbyAddr, MariaDBAddr, ConnectURL, RegistryURL, OpenSearchURL string
	// StorageURL is the S3 server. KafkaLoginAddr is where the broker wants a login: SASL PLAIN without TLS, as ann with the password xyz.
	StorageURL, KafkaLoginAddr string
	// KafkaSecureAddr is where Kafka wants SASL and TLS, as KafkaUser and KafkaPapers have them.
	KafkaSecureAddr string

	cfg     Config
	lock    *lock
	sayMu   sync.Mutex // guards writes to cfg.Log
	started []Service  // in the order they were asked for

	kafkaJars, registryDir, plugins, searchJars string
}

// New returns a stack with nothing running yet. Down must be called in the end.
func New(cfg Config) (*Stack, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	return &Stack{
		cfg:           cfg,
		KafkaAddr:     cfg.address(kafkaPort),
		PostgresAddr:  cfg.address(postgresPort),
		StandbyAddr:   cfg.address(standbyPort),
		MariaDBAddr:   cfg.address(mariadbPort),
		ConnectURL:    "http://" + cfg.address(connectPort),
		RegistryURL:   "http://" + cfg.address(registryPort) + "/apis/ccompat/v7",
		OpenSearchURL: "http://" + cfg.address(searchPort),
		StorageURL:    "http://" + cfg.address(storagePort),

		KafkaLoginAddr:  cfg.address(loginPort),
		KafkaSecureAddr: cfg.address(securePort),
	}, nil
}

// Up fetches what is missing and starts the named services, or all of them, and returns when each answers.
// When it fails, what it started is stopped again.
func Up(ctx context.Context, cfg Config, services ...Service) (*Stack, error) {
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.Start(ctx, services...); err != nil {
		return nil, errors.Join(err, s.Down())
	}
	return s, nil
}

// Start starts the named services, or all of them, and whatever they need. One that is running already is left
// as it is, and Down will leave it too.
func (s *Stack) Start(ctx context.Context, services ...Service) error {
	services = withNeeds(services)
	if err := s.claim(ctx); err != nil {
		return err
	}
	if err := s.fetch(ctx, services); err != nil {
		return err
	}
	if err := s.prepareHome(); err != nil {
		return err
	}
	began := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, len(services))
	ready := make(map[Service]chan struct{})
	for _, name := range services {
		ready[name] = make(chan struct{})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, name := range services {
		wg.Go(func() {
			if errs[i] = s.bring(ctx, name, ready); errs[i] != nil {
				cancel()
				return
			}
			close(ready[name])
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.say("all up in %s: %s", took(began), joinServices(services))
	return nil
}

// Down stops what this stack started, the newest first, and lets the next run have its place.
func (s *Stack) Down() error {
	err := s.stopAll(s.started)
	s.started = nil
	err = errors.Join(err, s.lock.release())
	s.lock = nil
	return err
}

// Stop stops one service, as if it had failed: those that need it go on without it. Start starts it again.
func (s *Stack) Stop(name Service) error {
	if err := s.stop(string(name), table[name].signal); err != nil {
		return err
	}
	s.sayMu.Lock()
	defer s.sayMu.Unlock()
	s.started = slices.DeleteFunc(s.started, func(o Service) bool { return o == name })
	return nil
}

// Crash ends a PostgreSQL as a crash does: nothing is written that was not, and it recovers when it is started again.
func (s *Stack) Crash(name Service) error {
	if name != Postgres && name != Standby {
		return fmt.Errorf("crash %s: only a PostgreSQL can be crashed", name)
	}
	if err := s.stop(string(name), syscall.SIGQUIT); err != nil {
		return err
	}
	s.sayMu.Lock()
	defer s.sayMu.Unlock()
	s.started = slices.DeleteFunc(s.started, func(o Service) bool { return o == name })
	return nil
}

// StopAll stops every service that runs in this place, whoever started it.
func (s *Stack) StopAll(ctx context.Context) error {
	if err := s.claim(ctx); err != nil {
		return err
	}
	s.started = Services()
	return s.Down()
}

// Status tells of each service whether it runs, and as which process.
func (s *Stack) Status() string {
	var b strings.Builder
	for _, name := range Services() {
		state := "down"
		if p, ok := s.running(string(name)); ok {
			state = fmt.Sprintf("up, process %d", p.pid)
		}
		fmt.Fprintf(&b, "%-10s %s\n", name, state)
	}
	return b.String()
}

// Release gives up the place without stopping anything: for a stack that is meant to outlive its process.
func (s *Stack) Release() error {
	err := s.lock.release()
	s.lock = nil
	return err
}

// claim waits until no other process works on this place.
func (s *Stack) claim(ctx context.Context) error {
	if s.lock != nil {
		return nil
	}
	l, err := acquire(ctx, s.cfg.Home+".lock", func() { s.say("another run uses %s, waiting for it", s.cfg.Home) })
	s.lock = l
	return err
}

// prepareHome makes the folders, and clears what an earlier stack left if that was asked for.
func (s *Stack) prepareHome() error {
	idle := !slices.ContainsFunc(Services(), func(name Service) bool {
		_, ok := s.running(string(name))
		return ok
	})
	if s.cfg.Fresh && idle {
		if err := os.RemoveAll(s.cfg.Home); err != nil {
			return fmt.Errorf("clear %s: %w", s.cfg.Home, err)
		}
	}
	for _, dir := range []string{s.cfg.path("pids"), s.cfg.path("log")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	return nil
}

// bring starts one service when those it needs are ready, and waits until it answers.
func (s *Stack) bring(ctx context.Context, name Service, ready map[Service]chan struct{}) error {
	d := table[name]
	for _, need := range d.needs {
		select {
		case <-ready[need]:
		case <-ctx.Done():
			return nil // another service failed and says why
		}
	}
	if _, ok := s.running(string(name)); ok {
		s.say("%s is up already", name)
		return s.await(ctx, name, time.Now())
	}
	if err := portFree(s.cfg.address(d.port)); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	began := time.Now()
	s.noteStarted(name)
	if err := d.start(s, ctx); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return s.await(ctx, name, began)
}

func (s *Stack) noteStarted(name Service) {
	s.sayMu.Lock()
	defer s.sayMu.Unlock()
	s.started = append(s.started, name)
}

// await asks a service again and again until it answers; it gives up at once when its process ends.
func (s *Stack) await(ctx context.Context, name Service, began time.Time) error {
	const limit = 180 * time.Second
	for {
		if err := table[name].ready(s, ctx); err == nil {
			s.say("%s ready after %s", name, took(began))
			return nil
		} else if time.Since(began) > limit {
			return fmt.Errorf("%s does not answer after %s: %w\n%s", name, limit, err, s.logEnd(name))
		}
		if _, ok := s.running(string(name)); !ok {
			return fmt.Errorf("%s ended while starting:\n%s", name, s.logEnd(name))
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil // another service failed and says why, or the caller gave up
		}
	}
}

// waves are the services in the order in which they are stopped: first those that need others.
var waves = [][]Service{{Connect, Standby}, {Registry, Kafka, MariaDB, Postgres, OpenSearch, Storage}}

// stopAll stops services, those that need others first.
func (s *Stack) stopAll(services []Service) error {
	var errs []error
	for _, wave := range waves {
		var wg sync.WaitGroup
		var mu sync.Mutex // guards errs
		for _, name := range wave {
			if !slices.Contains(services, name) {
				continue
			}
			wg.Go(func() {
				err := s.stop(string(name), table[name].signal)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
		wg.Wait()
	}
	return errors.Join(errs...)
}

func (s *Stack) logEnd(name Service) string {
	text, err := os.ReadFile(s.logPath(string(name)))
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), 30)
}

func (s *Stack) say(format string, args ...any) {
	s.sayMu.Lock()
	defer s.sayMu.Unlock()
	line := fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintf(s.cfg.Log, "%s stack: %s\n", time.Now().Format(time.TimeOnly), line) // progress only
}

func took(began time.Time) time.Duration { return time.Since(began).Round(10 * time.Millisecond) }

// portFree says clearly who is in the way before a server does so in its own words.
func portFree(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("port is taken (choose others with STACK_BASE_PORT): %w", err)
	}
	return l.Close()
}

// answers tells whether a GET of url succeeds.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
