package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"millrace/console"
	"millrace/console/api"
	"millrace/coord"
	"millrace/coord/catalog"
	"millrace/internal/clock"
	"millrace/internal/disk"
	"millrace/internal/journal"
	"millrace/pgwire"
	"millrace/sources/parquet"
)

// gcPercent is how far the heap grows between collections: memory is bounded by the limit, and packed rows cost a
// collection little, so that fewer collections are worth the room.
const gcPercent = 200

// server is a running server.
type server struct {
	coord  *coord.Coordinator
	ticks  *journal.Journal // nil when nothing is kept
	bugs   *crashes
	sql    *pgwire.Server
	http   *http.Server
	api    *api.Server
	log    *slog.Logger
	addr   string
	web    string
	memory int64 // its limit
	fail   chan error
}

func serve(ctx context.Context, args []string) error {
	var c config
	fs := flag.NewFlagSet("millrace serve", flag.ContinueOnError)
	c.flags(fs)
	if err := load(fs, &c, args); err != nil {
		return err
	}
	s, err := start(&c)
	if err != nil {
		return err
	}
	s.log.Info("millrace is ready", "version", version, "sql", s.addr, "http", s.web)
	return s.wait(ctx)
}

// start brings a server up: it listens when start returns.
func start(c *config) (*server, error) {
	log, err := logger(c)
	if err != nil {
		return nil, err
	}
	memory, err := c.memoryBytes()
	if err != nil {
		return nil, err
	}
	aliases, err := c.aliases()
	if err != nil {
		return nil, err
	}
	folders, err := c.fileSources()
	if err != nil {
		return nil, err
	}
	debug.SetMemoryLimit(forHeap(memory))
	debug.SetGCPercent(gcPercent)
	sqlListener, err := listen("SQL", c.SQLListen)
	if err != nil {
		return nil, err
	}
	webListener, err := listen("HTTP", c.HTTPListen)
	if err != nil {
		return nil, errors.Join(err, sqlListener.Close())
	}
	web := &http.Server{Handler: &entrance{}, ReadHeaderTimeout: 10 * time.Second}
	fail := make(chan error, 2)
	go func() { fail <- web.Serve(webListener) }()
	bugs := c.crashes(log)
	co, ticks, err := c.open(coord.Options{Clock: clock.Fine{}, OnBug: bugs.report, Workers: c.Workers, TickInterval: c.TickEvery, RetainHistory: c.History,
		MemoryLimit: memory, HostAliases: aliases, Log: log, Version: version, ObjectSink: objectSink, FileSinks: c.FileSinks, FileSources: folders,
		ParquetFiles: parquet.Open})
	if err != nil {
		return nil, errors.Join(err, sqlListener.Close(), web.Close())
	}
	bugs.coord.Store(co)
	s := &server{coord: co, ticks: ticks, memory: memory, bugs: bugs, http: web, log: log, addr: sqlListener.Addr().String(), web: webListener.Addr().String(), fail: fail}
	metrics := console.NewMetrics(version, runtime.Version(), sampler{co})
	s.sql = pgwire.NewServer(co, pgwire.Options{Log: log, Observe: metrics.ObserveQuery, Welcome: c.welcome()})
	go func() { s.fail <- s.sql.Serve(sqlListener) }()
	s.api = api.New(co, api.Options{Origins: c.origins(), Log: log})
	web.Handler.(*entrance).open(s.console(metrics))
	return s, nil
}

// entrance is what HTTP shows: that the server is not ready while it reads what is kept, then the console.
type entrance struct{ console atomic.Pointer[http.Handler] }

func (e *entrance) open(h http.Handler) { e.console.Store(&h) }

// ServeHTTP answers a request.
func (e *entrance) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if h := e.console.Load(); h != nil {
		(*h).ServeHTTP(w, q)
		return
	}
	closed := console.New(console.Options{Readiness: func() console.Readiness { return console.Readiness{} }})
	closed.ServeHTTP(w, q)
}

// crashes keeps reports of bugs in the data directory, once that is there.
func (c *config) crashes(log *slog.Logger) *crashes {
	if c.Volatile || os.MkdirAll(c.DataDir, 0o700) != nil { // the start says why it cannot be made
		return watchCrashes("", log)
	}
	return watchCrashes(c.DataDir, log)
}

// open starts the coordinator, on the data directory unless nothing is to be kept.
func (c *config) open(opts coord.Options) (*coord.Coordinator, *journal.Journal, error) {
	if c.Volatile {
		return coord.New(opts), nil, nil
	}
	segment, ok := parseBytes(c.LogSegment)
	if !ok {
		return nil, nil, fmt.Errorf("log segment %q: write a size such as 32MiB", c.LogSegment)
	}
	ticks, err := journal.Open(journal.Options{Dir: c.DataDir, SegmentBytes: segment, Compress: c.LogCompress, Log: opts.Log})
	if errors.Is(err, disk.ErrLocked) {
		return nil, nil, fmt.Errorf("another server runs on the data directory %s: %w; stop it, or give this one another --data-dir", c.DataDir, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open the data directory %s: %w", c.DataDir, err)
	}
	opts.Journal = ticks
	co, err := coord.Open(opts)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start from the data directory %s: %w", c.DataDir, err), ticks.Close())
	}
	return co, ticks, nil
}

func (c *config) welcome() string {
	text := "millrace " + version + ": views that are always up to date."
	if c.Volatile {
		text += " This server keeps nothing: what is there is lost when it stops."
	}
	return text
}

// listen opens a port; only loopback is allowed while there are no passwords.
func listen(what, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%s address %q: %w", what, addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s address %q: only loopback is allowed in this version, for there are no passwords and no TLS yet", what, addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", what, err)
	}
	return l, nil
}

// wait serves until ctx ends, and then ends what runs.
func (s *server) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.fail:
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
	}
	return errors.Join(err, s.close())
}

// Limits of how long a stop may take: for the last answers over HTTP, for sinks, for folding the log, and for all of it.
const (
	httpPatience = time.Second
	sinkPatience = 2 * time.Second
	foldPatience = 1500 * time.Millisecond
	stopPatience = 4500 * time.Millisecond
)

// errStuck says that the server did not come to its end. What was acknowledged is durable all the same.
var errStuck = errors.New("not all has ended in time; what was acknowledged is there after the next start")

// close ends what runs: statements get 57P01, sinks commit what was complete, and the journal is closed.
func (s *server) close() error {
	s.log.Info("stopping")
	done := make(chan error, 1)
	go func() { done <- s.end() }()
	select {
	case err := <-done:
		s.bugs.close()
		s.log.Info("stopped")
		return err
	case <-clock.System{}.After(stopPatience):
		return errStuck
	}
}

func (s *server) end() error {
	s.api.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		ctx, cancel := context.WithTimeout(context.Background(), httpPatience)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // those who still listen are cut off
		}
	}()
	s.sql.Close()
	ctx, cancel := context.WithTimeout(context.Background(), sinkPatience)
	defer cancel()
	s.coord.Settle(ctx)
	s.coord.Close()
	<-answered
	if s.ticks == nil {
		return nil
	}
	fold, done := context.WithTimeout(context.Background(), foldPatience)
	defer done()
	if err := s.ticks.Settle(fold); err != nil {
		s.log.Info("the log is not folded: the next start reads it as it is", "err", err)
	}
	if err := s.ticks.Close(); err != nil {
		return fmt.Errorf("close the data directory: %w", err)
	}
	return nil
}

func (s *server) console(metrics *console.Metrics) http.Handler {
	var copied func(dir string) (int64, error)
	if s.ticks != nil {
		copied = s.ticks.Backup
	}
	return console.New(console.Options{
		Backup:    copied,
		Readiness: s.readiness,
		Live: func(ctx context.Context) error {
			if _, err := s.coord.Status(ctx); err != nil {
				return err
			}
			return nil
		},
		API: s.api, Gatherer: metrics, Version: version, SQLAddr: s.addr, Log: s.log,
	})
}

// readiness is the state of every object that runs.
func (s *server) readiness() console.Readiness {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	st, err := s.coord.Status(ctx)
	if err != nil {
		return console.Readiness{}
	}
	out := console.Readiness{Serving: true}
	for _, it := range s.coord.Catalog().Items() {
		o := st.Of(it)
		if _, runs := st.Objects[it.ID]; !runs && it.Failed == nil {
			continue
		}
		detail := o.Status
		if o.Progress != "" {
			detail += ": " + o.Progress
		}
		if o.Error != "" {
			detail += ": " + o.Error
		}
		out.Objects = append(out.Objects, console.ObjectStatus{Kind: it.Kind.String(), Name: it.FullName(),
			Ready: o.Status == "running", Detail: detail, Hint: o.Hint, Part: it.Hidden, Counts: countsOf(&o)})
	}
	out.Memory.Limit = s.memory
	for _, h := range st.Holders(s.coord.Catalog()) {
		out.Memory.Holders = append(out.Memory.Holders, console.Holder{Name: h.Name, Bytes: h.Bytes + h.FlowBytes})
	}
	return out
}

func countsOf(o *catalog.ObjectStatus) console.Counts {
	c := console.Counts{Records: o.Good, Bad: o.Bad, Kept: o.ErrorsKept, Rows: o.Rows, Errors: o.Errors, Bytes: o.Bytes + o.FlowBytes}
	if o.Log != nil {
		c.BehindBytes = o.Log.Lag()
		return c
	}
	for _, p := range o.Partitions {
		c.Behind += p.High - p.Next
	}
	return c
}

// logger makes the log: text for people, JSON for machines.
func logger(c *config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("log level %q: one of debug, info, warn, error", c.LogLevel)
	}
	opts := &slog.HandlerOptions{Level: level}
	format := strings.ToLower(c.LogFormat)
	if format == "auto" {
		format = "json"
		if st, err := os.Stderr.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			format = "text"
		}
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	default:
		return nil, fmt.Errorf("log format %q: one of text, json, auto", c.LogFormat)
	}
}
