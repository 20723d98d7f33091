package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"millrace/coord"
	"millrace/repr"
	"millrace/sql/ast"
)

// asked is what a client asks to follow.
type asked struct {
	view, subscription string
	columns            string // the envelope and its key, as SQL
	snapshot           string // "", "true" or "false"
	after              repr.Time
	resumes            bool // after was given
}

func readAsked(q *http.Request) (*asked, *repr.Error) {
	v := q.URL.Query()
	a := &asked{view: v.Get("view"), subscription: v.Get("subscription"), snapshot: v.Get("snapshot")}
	for name := range v {
		switch name {
		case "view", "subscription", "snapshot", "envelope", "key", "after":
		default:
			return nil, repr.NewError(repr.CodeInvalidParameter, "unknown parameter \""+name+"\"").
				WithHint("the parameters are view or subscription, snapshot, envelope, key and after")
		}
	}
	if (a.view == "") == (a.subscription == "") {
		return nil, repr.NewError(repr.CodeInvalidParameter, "name what to follow: either view=… or subscription=…")
	}
	if a.snapshot != "" && a.snapshot != "true" && a.snapshot != "false" {
		return nil, repr.NewError(repr.CodeInvalidParameter, "snapshot must be true or false")
	}
	if err := a.envelope(v.Get("envelope"), v["key"]); err != nil {
		return nil, err
	}
	after := v.Get("after")
	if id := q.Header.Get("Last-Event-ID"); id != "" {
		after = id // the browser comes back by itself, with the address that it had
	}
	if after == "" {
		return a, nil
	}
	n, err := strconv.ParseUint(after, 10, 62)
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, "\""+after+"\" is not the id of an event")
	}
	a.after, a.resumes = repr.Time(n), true
	return a, nil
}

// envelope reads envelope=upsert&key=a&key=b.
func (a *asked) envelope(kind string, key []string) *repr.Error {
	switch kind {
	case "":
		return nil
	case "upsert", "debezium":
	default:
		return repr.NewError(repr.CodeInvalidParameter, "envelope must be upsert or debezium")
	}
	quoted := make([]string, len(key))
	for i, k := range key {
		quoted[i] = ast.QuoteIdent(k)
	}
	if len(key) == 0 {
		return repr.NewError(repr.CodeInvalidParameter, "envelope needs a key: key=id, for each column of it")
	}
	a.columns = " ENVELOPE " + strings.ToUpper(kind) + " (KEY (" + strings.Join(quoted, ", ") + "))"
	return nil
}

// name is a name as SQL, its parts parted by dots.
func name(text string) string {
	parts := strings.Split(text, ".")
	for i, p := range parts {
		parts[i] = ast.QuoteIdent(p)
	}
	return strings.Join(parts, ".")
}

// opened is a stream that has begun.
type opened struct {
	session  *coord.Session
	rows     coord.Encoded
	cols     repr.RowDesc
	snapshot bool // it begins with the content
	named    string
}

func (o *opened) close() {
	o.rows.Close()
	o.session.Close()
}

// open begins a stream, behind the event that the client saw last where that can be. A client of a view that was away for too long
// begins anew; one of a subscription is told, for it counts on every change.
func (s *Server) open(ctx context.Context, a *asked) (*opened, *repr.Error) {
	session, err := s.session(nil)
	if err != nil {
		return nil, err
	}
	o := &opened{session: session, named: a.subscription}
	if o.named != "" {
		err = s.openNamed(ctx, o, a)
	} else {
		err = s.openView(ctx, o, a)
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	return o, nil
}

func (s *Server) openView(ctx context.Context, o *opened, a *asked) *repr.Error {
	from := "SUBSCRIBE " + name(a.view) + a.columns + " WITH (RETAIN FOR '" + strconv.FormatInt(s.opts.Resume.Milliseconds(), 10) + " milliseconds', SNAPSHOT = "
	if a.resumes {
		err := o.begin(ctx, from+"false) AS OF "+strconv.FormatUint(uint64(a.after), 10))
		if err == nil || err.Code != repr.CodeInvalidParameter {
			return err
		}
	}
	o.snapshot = a.snapshot != "false" || a.resumes
	return o.begin(ctx, from+strconv.FormatBool(o.snapshot)+")")
}

func (s *Server) openNamed(ctx context.Context, o *opened, a *asked) *repr.Error {
	if a.resumes && a.after > 0 {
		if err := o.acknowledge(ctx, a.after); err != nil {
			return err
		}
	}
	with := ""
	if a.snapshot != "" && !a.resumes {
		with = " WITH (SNAPSHOT = " + a.snapshot + ")"
	}
	err := o.begin(ctx, "SUBSCRIBE "+name(a.subscription)+a.columns+with)
	if err == nil {
		o.snapshot = o.rows.WithContent()
	}
	return err
}

// acknowledge notes durably that the client has taken in all up to a time.
func (o *opened) acknowledge(ctx context.Context, at repr.Time) *repr.Error {
	_, err := execute(ctx, o.session, "ACKNOWLEDGE "+name(o.named)+" AT "+strconv.FormatUint(uint64(at), 10))
	return err
}

func (o *opened) begin(ctx context.Context, text string) *repr.Error {
	res, err := execute(ctx, o.session, text)
	if err != nil {
		return err
	}
	o.rows, o.cols = res.Rows.(coord.Encoded), res.Cols
	return nil
}

// execute runs one statement that we have written.
func execute(ctx context.Context, session *coord.Session, text string) (*coord.Result, *repr.Error) {
	parsed, err := session.Split(text)
	if err != nil {
		return nil, err
	}
	p, err := session.Prepare(ctx, parsed[0], nil)
	if err != nil {
		return nil, err
	}
	return session.Execute(ctx, p, nil)
}

// subscribe answers GET /api/subscribe.
func (s *Server) subscribe(w http.ResponseWriter, q *http.Request) {
	a, err := readAsked(q)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	o, err := s.open(q.Context(), a)
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	defer o.close()
	if strings.EqualFold(q.Header.Get("Upgrade"), "websocket") {
		s.webSocket(w, q, o)
		return
	}
	out := newHTTPStream(s, w)
	if strings.Contains(q.Header.Get("Accept"), "application/x-ndjson") {
		w.Header().Set("Content-Type", "application/x-ndjson")
		s.follow(q.Context(), o, lines(o.cols), out)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	s.follow(q.Context(), o, events(o.cols), out)
}

// statusOf is the HTTP status of a stream that does not begin. A browser that is told anything but 200 does not ask again.
func statusOf(e *repr.Error) int {
	switch e.Code {
	case repr.CodeUndefinedTable, repr.CodeUndefinedObject:
		return http.StatusNotFound
	case repr.CodeObjectNotReady:
		return http.StatusGone
	case repr.CodeTooManyConnections, repr.CodeOutOfMemory, repr.CodeAdminShutdown:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}
