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
	"time"

	"millrace/console"
	"millrace/coord"
	"millrace/internal/clock"
	"millrace/pgwire"
)

// server is a running server.
type server struct {
	coord *coord.Coordinator
	sql   *pgwire.Server
	http  *http.Server
	log   *slog.Logger
	addr  string
	web   string
	fail  chan error
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
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	debug.SetMemoryLimit(memory)
	debug.SetGCPercent(200)
	sqlListener, err := listen("SQL", c.SQLListen)
	if err != nil {
		return nil, err
	}
	webListener, err := listen("HTTP", c.HTTPListen)
	if err != nil {
		sqlListener.Close()
		return nil, err
	}
	co := coord.New(coord.Options{Workers: c.Workers, TickInterval: c.TickEvery, RetainHistory: c.History,
		MemoryLimit: memory, HostAliases: aliases, Log: log, Version: version})
	s := &server{coord: co, log: log, addr: sqlListener.Addr().String(), web: webListener.Addr().String(), fail: make(chan error, 2)}
	metrics := console.NewMetrics(version, runtime.Version(), sampler{co})
	s.sql = pgwire.NewServer(co, pgwire.Options{Log: log, Observe: metrics.ObserveQuery, Welcome: "millrace " + version + ": views that are always up to date. " +
		"What is kept in this version is lost when the server stops; sources are read again."})
	go func() { s.fail <- s.sql.Serve(sqlListener) }()
	s.http = &http.Server{Handler: s.console(metrics), ReadHeaderTimeout: 10 * time.Second}
	go func() { s.fail <- s.http.Serve(webListener) }()
	return s, nil
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
	s.close()
	return err
}

func (s *server) close() {
	s.log.Info("stopping")
	s.sql.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("close http", "err", err)
	}
	s.coord.Close()
}

func (s *server) console(metrics *console.Metrics) http.Handler {
	return console.New(console.Options{
		Readiness: s.readiness,
		Live: func(ctx context.Context) error {
			if _, err := s.coord.Status(ctx); err != nil {
				return err
			}
			return nil
		},
		Gatherer: metrics, Version: version, SQLAddr: s.addr, Log: s.log,
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
		o, ok := st.Objects[it.ID]
		if !ok {
			continue
		}
		detail := o.Status
		if o.Error != "" {
			detail += ": " + o.Error
		}
		out.Objects = append(out.Objects, console.ObjectStatus{Kind: it.Kind.String(), Name: it.FullName(),
			Ready: o.Status == "running", Detail: detail})
	}
	return out
}

// sampler gives the metrics their values.
type sampler struct{ c *coord.Coordinator }

// Samples emits one value for each metric and object.
func (s sampler) Samples(emit func(metric string, value float64, labels ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	st, err := s.c.Status(ctx)
	if err != nil {
		return
	}
	now := clock.System{}.Now().UnixMilli()
	for _, it := range s.c.Catalog().Items() {
		o, ok := st.Objects[it.ID]
		if !ok {
			continue
		}
		switch it.Kind.String() {
		case "source":
			if it.Hidden {
				continue
			}
			emit("millrace_source_records_total", float64(o.Good), it.Name, "ok")
			emit("millrace_source_records_total", float64(o.Bad), it.Name, "bad")
			lag := 0.0
			for _, p := range o.Partitions {
				emit("millrace_source_offset", float64(p.Next), it.Name, fmt.Sprint(p.Partition))
				emit("millrace_source_high_watermark", float64(p.High), it.Name, fmt.Sprint(p.Partition))
				if p.High > p.Next {
					lag = float64(now-o.NewestMS) / 1000
				}
			}
			emit("millrace_source_lag_seconds", lag, it.Name)
		case "materialized view":
			emit("millrace_view_records", float64(o.Rows), it.Name)
			emit("millrace_view_lag_seconds", float64(now-int64(o.Upper)+1)/1000, it.Name)
			emit("millrace_arrangement_bytes", float64(o.Bytes), it.Name, "output")
			for i, op := range o.Operators {
				label := fmt.Sprintf("%d %s", i, op.Label)
				emit("millrace_arrangement_bytes", float64(op.Bytes), it.Name, label)
				emit("millrace_operator_elapsed_seconds_total", op.Elapsed.Seconds(), it.Name, label)
			}
		case "sink":
			emit("millrace_sink_records_total", float64(o.Good), it.Name)
		}
	}
	var held int64
	for _, sub := range st.Subscriptions {
		held += sub.HeldBytes
	}
	emit("millrace_subscribe_clients", float64(len(st.Subscriptions)))
	emit("millrace_subscribe_held_bytes", float64(held))
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
