package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"millrace/coord"
	"millrace/internal/clock"
	"millrace/repr"
)

// Options are how requests are served. Zero values mean the default.
type Options struct {
	// Origins are the origins of pages that may ask, beside the server's own: "http://localhost:8000".
	Origins []string
	// MostRequests is how many may run at a time; default 10,000.
	MostRequests int
	// WriteTimeout is how long a client may take nothing before it is cut off; default 2 min.
	WriteTimeout time.Duration
	// Resume is how long a client of a view may be away and still go on where it was; default 1 min.
	Resume time.Duration
	// Heartbeat is how long a stream is silent before it tells how far it has come; default 10 s.
	Heartbeat time.Duration
	// Log takes what goes wrong beside requests. nil: nothing.
	Log *slog.Logger
}

// Server answers requests with the sessions of one coordinator.
type Server struct {
	opts  Options
	coord *coord.Coordinator
	clock clock.Clock
	room  chan struct{} // has an element for each request that runs
	ctx   context.Context
	stop  context.CancelCauseFunc
	mux   *http.ServeMux
}

// New makes a server. Close ends the requests that run.
func New(c *coord.Coordinator, opts Options) *Server {
	if opts.MostRequests == 0 {
		opts.MostRequests = 10_000
	}
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = 2 * time.Minute
	}
	if opts.Resume == 0 {
		opts.Resume = time.Minute
	}
	if opts.Heartbeat == 0 {
		opts.Heartbeat = 10 * time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: opts, coord: c, clock: clock.System{}, room: make(chan struct{}, opts.MostRequests), mux: http.NewServeMux()}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.mux.HandleFunc("POST /api/sql", s.sql)
	s.mux.HandleFunc("GET /api/subscribe", s.subscribe)
	s.mux.HandleFunc("POST "+webhookPath+"{database}/{schema}/{name}", s.webhook)
	return s
}

var errStopping = repr.NewError(repr.CodeAdminShutdown, "terminating connection due to administrator command")

// Close ends the requests that run.
func (s *Server) Close() { s.stop(errStopping) }

// ServeHTTP answers a request of whoever may ask.
func (s *Server) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if why := s.refusal(q); why != "" {
		refuse(w, http.StatusForbidden, repr.NewError(repr.CodeInsufficientPrivilege, why).
			WithHint("pages of other origins are served when --http-origins names them"))
		return
	}
	if origin := q.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Vary", "Origin")
	}
	if q.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Last-Event-ID")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	default:
		refuse(w, http.StatusServiceUnavailable, repr.NewError(repr.CodeTooManyConnections, "sorry, too many clients already"))
		return
	}
	ctx, cancel := context.WithCancelCause(q.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
	s.mux.ServeHTTP(w, q.WithContext(ctx))
}

// refusal is why a request is not answered; "" when it is. A browser sends requests of any page to this server, and tells whose they
// are: only those of our own pages count, and of those that are trusted. A name that leads to this machine without being its own is
// one that somebody else has chosen, so that his page may count as ours.
func (s *Server) refusal(q *http.Request) string {
	if strings.HasPrefix(q.URL.Path, webhookPath) && !fromBrowser(q) {
		return "" // other servers know this one by its public name
	}
	if !isOwnName(q.Host) {
		return "the host \"" + q.Host + "\" is not a name of this server"
	}
	origin, site := q.Header.Get("Origin"), q.Header.Get("Sec-Fetch-Site")
	switch {
	case origin != "" && slices.Contains(s.opts.Origins, origin):
		return ""
	case origin != "" && !isOrigin(origin, q.Host):
		return "the origin \"" + origin + "\" is not trusted"
	case origin == "" && site != "" && site != "same-origin" && site != "none":
		return "the page that asks is not of this server"
	default:
		return ""
	}
}

// fromBrowser says whether a request comes from a page: browsers say so with all that can change something.
func fromBrowser(q *http.Request) bool {
	return q.Header.Get("Origin") != "" || q.Header.Get("Sec-Fetch-Site") != ""
}

// isOwnName says whether a Host header names this machine by an address or as localhost.
func isOwnName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// isOrigin says whether an origin is that of a host.
func isOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// Error is an error as clients see it, with the fields that PostgreSQL's protocol has.
type Error struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Where    string `json:"where,omitempty"`
	Position int    `json:"position,omitempty"`
}

func errorOf(e *repr.Error) *Error {
	return &Error{Severity: "ERROR", Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint, Where: e.Context, Position: e.Position}
}

// Notice is a message beside an answer.
type Notice struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// refuse answers with an error alone.
func refuse(w http.ResponseWriter, status int, e *repr.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]*Error{"error": errorOf(e)}) // a client that has gone is not our concern
}

// session opens a session for a request.
func (s *Server) session(onNotice func(coord.Notice)) (*coord.Session, *repr.Error) {
	return s.coord.NewSession(coord.SessionOptions{User: coord.DefaultUser, Database: coord.DefaultDatabase, OnNotice: onNotice,
		Settings: map[string]string{"application_name": "http"}})
}
