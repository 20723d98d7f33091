package console

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what the console shows. Only Readiness is needed.
type Options struct {
	// Readiness is the state of the server now. It must not wait.
	Readiness func() Readiness
	// Live says why the server does not do its work, or nil; it gives up when ctx ends. nil: always alive.
	Live func(ctx context.Context) error
	// Gatherer collects the metrics. nil: there are none.
	Gatherer prometheus.Gatherer
	// Backup copies what is kept to a folder and says how much that is. nil: nothing is kept.
	Backup func(dir string) (bytes int64, err error)
	// API answers SQL over HTTP, under /api/sql and /api/subscribe, and takes the requests of /api/webhook. nil: nothing does.
	API http.Handler
	// Version and SQLAddr are shown on the page.
	Version string
	SQLAddr string
	// Log takes what goes wrong while metrics are collected. nil: nothing.
	Log *slog.Logger
}

// Readiness says whether the server takes statements, and in what state its objects are.
type Readiness struct {
	Serving bool // the catalog is loaded
	Objects []ObjectStatus
	Memory  Memory
}

// Memory is what the server holds, and may hold.
type Memory struct {
	Limit   int64 // 0: any
	Holders []Holder
}

// Holder is something that holds memory.
type Holder struct {
	Name  string
	Bytes int64
}

// ObjectStatus is the state of one source, view, index or sink.
type ObjectStatus struct {
	Kind   string // as SQL calls it: "source", "materialized view"
	Name   string
	Ready  bool
	Detail string // why it is not ready, or what to know of it; never the data of a row
	Hint   string // what to do about it
	Part   bool   // it belongs to another object, such as the errors of a source: the page does not list it
	Counts
}

// Counts are what an object has done and what it keeps.
type Counts struct {
	Records     int64 // read by a source, written by a sink
	Bad         int64 // records that could not be decoded, or changes that a sink has left out
	Behind      int64 // records that are there and were not read yet
	BehindBytes int64 // of a log, that were not read yet
	Kept        int64 // rows of the relation of errors of a source or sink
	Rows        int64
	Errors      int64 // rows that an expression fails on
	Bytes       int64 // of memory
}

// ready says whether everything can be read, and how many objects cannot.
func (r Readiness) ready() (ok bool, waiting int) {
	for _, o := range r.Objects {
		if !o.Ready {
			waiting++
		}
	}
	return r.Serving && waiting == 0, waiting
}

type console struct {
	opts Options
}

// New makes the console. A profile takes as long as its caller asks, so the http.Server around it must not cut
// answers short.
func New(opts Options) http.Handler {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Gatherer == nil {
		opts.Gatherer = prometheus.NewRegistry()
	}
	c := &console{opts: opts}
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/api"} {
		mux.HandleFunc("GET "+prefix+"/livez", c.livez)
		mux.HandleFunc("GET "+prefix+"/readyz", c.readyz)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(opts.Gatherer, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(opts.Log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	}))
	mux.Handle("/debug/pprof/", loopbackOnly(profiles()))
	mux.Handle("POST /api/backup", loopbackOnly(http.HandlerFunc(c.backup)))
	if opts.API != nil {
		mux.Handle("/api/sql", opts.API)
		mux.Handle("/api/subscribe", opts.API)
		mux.Handle("/api/webhook/", opts.API)
	}
	mux.HandleFunc("GET /{$}", c.page)
	mux.HandleFunc("GET /console.css", style)
	return strict(mux)
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// loopbackOnly lets callers on the same machine through. Who comes through a proxy is not one of them, wherever
// the proxy runs.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		forwarded := q.Header.Get("X-Forwarded-For") != "" || q.Header.Get("Forwarded") != ""
		if forwarded || !isLoopback(q.RemoteAddr) {
			http.Error(w, "this is for callers on the same machine", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, q)
	})
}

func isLoopback(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// strict forbids the browser everything but our own style sheet, and to guess, frame, keep or pass on.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, q)
	})
}
