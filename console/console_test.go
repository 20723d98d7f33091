package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/internal/golden"
)

var states = map[string]Readiness{
	"starting": {},
	"empty":    {Serving: true},
	"ready":    {Serving: true, Objects: []ObjectStatus{{Kind: "source", Name: "users", Ready: true}}},
	"waiting": {Serving: true, Objects: []ObjectStatus{
		{Kind: "source", Name: "users", Ready: true, Detail: "3 bad records: see users_errors"},
		{Kind: "materialized view", Name: `"<b>"`, Detail: "hydrating\n40 %"},
	}},
	"busy": {Serving: true, Memory: Memory{Limit: 3 << 30, Holders: []Holder{{"v", 900}, {"(journal)", 5 << 20}, {"s (envelope)", 0}}}, Objects: []ObjectStatus{
		{Kind: "source", Name: "s", Detail: "stalled: cannot reach the broker", Hint: "check the address", Counts: Counts{Records: 1234567, Bad: 2, Kept: 2, Behind: 1000, Rows: 10, Bytes: 3 << 19}},
		{Kind: "source", Name: "shop", Ready: true, Detail: "running", Counts: Counts{Records: 5, BehindBytes: 3 << 20}},
		{Kind: "source", Name: "s_errors", Ready: true, Part: true, Detail: "running", Counts: Counts{Rows: 2}},
		{Kind: "table", Name: "t", Ready: true, Detail: "running", Counts: Counts{Rows: 999, Bytes: 1000}},
		{Kind: "index", Name: "i", Ready: true, Detail: "running"},
		{Kind: "materialized view", Name: "v", Ready: true, Detail: "running", Counts: Counts{Rows: 5, Errors: 1, Bytes: 900}},
		{Kind: "sink", Name: "k", Ready: true, Detail: "running", Counts: Counts{Records: 7, Bad: 3, Kept: 1}},
	}},
}

func get(t *testing.T, opts Options, path, remote string) *httptest.ResponseRecorder {
	t.Helper()
	if opts.Readiness == nil {
		opts.Readiness = func() Readiness { return states["ready"] }
	}
	if opts.Gatherer == nil {
		opts.Gatherer = prometheus.NewRegistry()
	}
	q := httptest.NewRequest(http.MethodGet, path, nil)
	q.RemoteAddr = remote
	w := httptest.NewRecorder()
	New(opts).ServeHTTP(w, q)
	return w
}

const here, elsewhere = "127.0.0.1:5000", "192.0.2.1:5000"

// TestAnswers asks for a path in a state of the server.
func TestAnswers(t *testing.T) {
	t.Parallel()
	golden.Run(t, "testdata/answers", func(t *testing.T, c golden.Case) string {
		t.Helper()
		r, ok := states[c.Cmd]
		if !ok {
			t.Fatalf("%s: no state is called %s", c.Pos(), c.Cmd)
		}
		opts := Options{Readiness: func() Readiness { return r }, Version: "1.2.3", SQLAddr: "127.0.0.1:6875"}
		w := get(t, opts, c.Input, elsewhere)
		return http.StatusText(w.Code) + ", " + w.Header().Get("Content-Type") + "\n" + w.Body.String()
	})
}

func TestLivez(t *testing.T) {
	t.Parallel()
	stuck := Options{Live: func(context.Context) error { return errors.New("the coordinator does not answer") }}
	if w := get(t, stuck, "/livez", elsewhere); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "coordinator") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	bounded := Options{Live: func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			return errors.New("there is no end to the question")
		}
		return nil
	}}
	if w := get(t, bounded, "/api/livez", elsewhere); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestProfilesAreForThisMachine(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]int{
		here: 200, "[::1]:1": 200, "[::ffff:127.0.0.1]:1": 200, elsewhere: 403, "[2001:db8::1]:1": 403, "nonsense": 403, "@": 403,
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1"} {
			if w := get(t, Options{}, path, remote); w.Code != want {
				t.Errorf("%s from %s: got %d, want %d", path, remote, w.Code, want)
			}
		}
	}
	q := httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil)
	q.RemoteAddr = here
	q.Header.Set("X-Forwarded-For", "192.0.2.1")
	w := httptest.NewRecorder()
	New(Options{Gatherer: prometheus.NewRegistry()}).ServeHTTP(w, q)
	if w.Code != http.StatusForbidden {
		t.Errorf("through a proxy: got %d", w.Code)
	}
}

func TestEveryAnswerIsStrict(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/livez", "/readyz", "/metrics", "/console.css", "/nothing"} {
		h := get(t, Options{}, path, here).Header()
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %v", path, h)
		}
	}
}

func TestOnlyGet(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/readyz", "/metrics"} {
		q := httptest.NewRequest(http.MethodPost, path, nil)
		w := httptest.NewRecorder()
		New(Options{Gatherer: prometheus.NewRegistry()}).ServeHTTP(w, q)
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: got %d", path, w.Code)
		}
	}
}

type samples func(emit func(string, float64, ...string))

func (s samples) Samples(emit func(string, float64, ...string)) { s(emit) }

// every gives a sample of each metric in the table.
func every(emit func(string, float64, ...string)) {
	for i, m := range metrics {
		emit(m.name, float64(i), slices.Repeat([]string{"x"}, len(m.labels))...)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1.2.3", "go1.26", samples(every))
	m.ObserveQuery(3 * time.Millisecond)
	w := get(t, Options{Gatherer: m}, "/metrics", elsewhere)
	var ours []string
	for _, line := range strings.Split(w.Body.String(), "\n") {
		if strings.HasPrefix(line, "millrace_") {
			ours = append(ours, line)
		}
	}
	golden.File(t, "testdata/metrics", strings.Join(ours, "\n")+"\n")
	for _, want := range []string{"go_goroutines ", "process_open_fds "} {
		if !strings.Contains(w.Body.String(), "\n"+want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// A sample that does not fit the table is an error of the scrape, and takes no other sample with it.
func TestWrongSamplesShow(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]samples{
		"unknown":   func(emit func(string, float64, ...string)) { emit("millrace_unknown", 1) },
		"no labels": func(emit func(string, float64, ...string)) { emit("millrace_view_records", 1) },
		"bad text":  func(emit func(string, float64, ...string)) { emit("millrace_view_records", 1, "\xff") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMetrics("1", "go", samples(func(emit func(string, float64, ...string)) {
				wrong(emit)
				emit("millrace_subscribe_clients", 7)
			}))
			families, err := m.Gather()
			if err == nil {
				t.Error("the scrape does not say so")
			}
			others := 0
			for _, f := range families {
				if f.GetName() == "millrace_subscribe_clients" {
					others++
				}
			}
			if others != 1 {
				t.Error("the other sample is gone")
			}
		})
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	t.Parallel()
	for _, m := range metrics {
		total := strings.HasSuffix(m.name, "_total")
		if !strings.HasPrefix(m.name, "millrace_") || total != (m.kind == prometheus.CounterValue) {
			t.Errorf("%s: a counter ends in _total, nothing else does", m.name)
		}
		if !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s: the help is not a sentence", m.name)
		}
	}
}

func TestMetricsDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	golden.File(t, "../docs/metrics.md", MetricsDocument())
}
