package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"millrace/coord"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// host is a server for the time of a test.
type host struct {
	t    testing.TB
	http *httptest.Server
	api  *Server
	c    *coord.Coordinator
}

func serve(t *testing.T, opts Options, co coord.Options) *host {
	t.Helper()
	if co.TickInterval == 0 {
		co.TickInterval = 10 * time.Millisecond
	}
	h := &host{t: t, c: coord.New(co)}
	h.api = New(h.c, opts)
	h.http = httptest.NewServer(h.api)
	t.Cleanup(func() { h.api.Close(); h.http.Close(); h.c.Close() })
	return h
}

// post sends a body to /api/sql.
func (h *host) post(body string) (int, string) {
	h.t.Helper()
	res, err := http.Post(h.http.URL+"/api/sql", "application/json", strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSuffix(string(b), "\n")
}

// run runs statements that have to succeed.
func (h *host) run(sql string) string {
	h.t.Helper()
	body, _ := json.Marshal(map[string]string{"query": sql})
	status, answer := h.post(string(body))
	if status != http.StatusOK || strings.Contains(answer, `"error"`) {
		h.t.Fatalf("%s: %d %s", sql, status, answer)
	}
	return answer
}

func TestSQL(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	h.run("CREATE TABLE t (a int, b text, c numeric, d jsonb, e timestamptz)")
	for _, c := range []struct{ body, want string }{
		{`{"query": "INSERT INTO t VALUES (1, 'x\"y', 1.10, '{\"k\": [1]}', '2024-05-01 12:00+00'), (2, NULL, NULL, NULL, NULL)"}`,
			`{"results":[{"tag":"INSERT 0 2","notices":[]}]}`},
		{`{"query": "SELECT a, b, c, d, e FROM t ORDER BY a"}`, `"rows":[[1,"x\"y",1.10,{"k": [1]},"2024-05-01T12:00:00+00:00"],[2,null,null,null,null]],"tag":"SELECT 2","notices":[]}]}`},
		{`{"queries": [{"query": "SELECT $1::int + 1 AS n, $2::text AS s", "params": [41, null]}, {"query": "SELECT $1::jsonb", "params": [{"a": "<"}]}]}`,
			`{"results":[{"desc":{"columns":[{"name":"n","type":"integer","type_oid":23,"type_len":4,"type_mod":-1},{"name":"s","type":"text","type_oid":25,"type_len":-1,"type_mod":-1}]},"rows":[[42,null]],"tag":"SELECT 1","notices":[]},`},
		{`{"query": "SELECT 1; SELECT 1/0; SELECT 2"}`, `"rows":[[1]],"tag":"SELECT 1","notices":[]},{"error":{"severity":"ERROR","code":"22012","message":"division by zero"`},
		{`{"query": "INSERT INTO t VALUES (3); SELECT 1/0"}`, `"22012"`},
		{`{"query": "SELECT count(*) FROM t"}`, `"rows":[[2]]`},
		{`{"query": "BEGIN; INSERT INTO t VALUES (4)"}`, `"tag":"INSERT 0 1","notices":[{"severity":"WARNING","code":"25001","message":"the request ends within a transaction`},
		{`{"query": "SELECT count(*) FROM t"}`, `"rows":[[2]]`},
		{`{"query": "BEGIN; SELECT 1; ROLLBACK"}`, `"tag":"ROLLBACK","notices":[]}]}`},
		{`{"query": "SELEC 1"}`, `"code":"42601","message":"syntax error at or near \"SELEC\"","position":1}`},
		{`{"query": "DROP TABLE IF EXISTS nope"}`, `"notices":[{"severity":"NOTICE","code":"00000","message":"table \"nope\" does not exist, skipping"}]`},
		{`{"query": "SUBSCRIBE t"}`, `"code":"0A000"`},
		{`{"query": "COPY t TO STDOUT"}`, `"code":"0A000"`},
		{`{"query": "SELECT $1::int + 1 AS n", "params": [41]}`, `"rows":[[42]],"tag":"SELECT 1"`},
		{`{"query": "SELECT $1::int", "params": ["x"]}`, `"code":"22P02"`},
		{`{"query": "SELECT 1; SELECT $1::int", "params": [1]}`, `"code":"42601"`},
		{`{"params": [1], "queries": [{"query": "SELECT 1"}]}`, `"code":"08P01"`},
		{`{"queries": [{"query": "SELECT $1::int", "params": []}]}`, `"code":"08P01"`},
		{`{"queries": [{"query": "SELECT $1::int", "params": ["x"]}]}`, `"code":"22P02"`},
		{`{"queries": [{"query": "SELECT 1; SELECT 2"}]}`, `"code":"42601"`},
		{`{"query": "SELECT 1", "more": 1}`, `"code":"08P01"`},
		{`{}`, `"code":"08P01"`},
		{`nonsense`, `"code":"08P01"`},
		{`{"query": ""}`, `"code":"08P01"`},
		{`{"query": "SET statement_timeout = '50ms'; SELECT count(*) FROM generate_series(1, 100000000) AS a"}`, `"code":"57014","message":"canceling statement due to statement timeout"`},
	} {
		_, got := h.post(c.body)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s gives\n%s\nwant\n%s", c.body, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s gives no JSON: %s", c.body, got)
		}
	}
}

// TestWhoMayAsk: pages of others, and names that are not ours, get nothing.
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{Origins: []string{"http://localhost:8000"}}, coord.Options{})
	own := strings.TrimPrefix(h.http.URL, "http://")
	for _, c := range []struct {
		about, host string
		header      map[string]string
		want        int
	}{
		{"a program", "", nil, 200},
		{"our page", "", map[string]string{"Origin": "http://" + own, "Sec-Fetch-Site": "same-origin"}, 200},
		{"a trusted page", "", map[string]string{"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"}, 200},
		{"localhost", "localhost:6874", nil, 200},
		{"a page of others", "", map[string]string{"Origin": "http://evil.example"}, 403},
		{"a page without an origin", "", map[string]string{"Origin": "null"}, 403},
		{"a picture of others", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a page of another port", "", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"a name that leads here", "evil.example", map[string]string{"Origin": "http://evil.example"}, 403},
		{"a form", "", map[string]string{"Content-Type": "text/plain"}, 415},
	} {
		q, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, h.http.URL+"/api/sql", strings.NewReader(`{"query": "SELECT 1"}`))
		q.Header.Set("Content-Type", "application/json")
		q.Host = c.host
		for k, v := range c.header {
			q.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s gets %d", c.about, res.StatusCode)
		}
		if allowed := res.Header.Get("Access-Control-Allow-Origin"); (allowed != "") != (c.want == 200 && c.header["Origin"] != "") {
			t.Errorf("%s: allowed %q", c.about, allowed)
		}
	}
}

// event is an event of a stream.
type event struct {
	kind, id string
	data     struct {
		Event   string
		ID      string
		Last    bool
		Changes []struct {
			Diff  int64
			State string
			Row   map[string]any
		}
		Error *Error
	}
}

// source is a browser's EventSource: it remembers the last id.
type source struct {
	t    testing.TB
	body io.ReadCloser
	in   *bufio.Reader
	id   string
	stop context.CancelFunc
}

// source opens a stream of events.
func (h *host) source(query, lastID string) *source {
	h.t.Helper()
	ctx, stop := context.WithTimeout(h.t.Context(), patience)
	q, _ := http.NewRequestWithContext(ctx, http.MethodGet, h.http.URL+"/api/subscribe?"+query, nil)
	if lastID != "" {
		q.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		h.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		b, _ := io.ReadAll(res.Body)
		h.t.Fatalf("%s: %d %s", query, res.StatusCode, b)
	}
	s := &source{t: h.t, body: res.Body, in: bufio.NewReader(res.Body), id: lastID, stop: stop}
	h.t.Cleanup(s.close)
	return s
}

func (s *source) close() { s.stop(); _ = s.body.Close() }

// next reads an event.
func (s *source) next() event {
	s.t.Helper()
	var e event
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the stream ends: %v", err)
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "event":
			e.kind = value
		case "id":
			e.id, s.id = value, value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				s.t.Fatalf("%s: %v", value, err)
			}
		case "":
			return e
		}
	}
}

// page is what a page shows that follows a view.
type page struct {
	rows map[string]int64
	part []string
	sums []int64
}

func (p *page) take(e event) {
	if e.kind == "snapshot" && len(p.part) == 0 {
		p.rows = map[string]int64{}
	}
	for _, c := range e.data.Changes {
		p.part = append(p.part, fmt.Sprint(c.Row))
		p.sums = append(p.sums, c.Diff)
	}
	if e.kind == "progress" || !e.data.Last {
		return
	}
	for i, row := range p.part {
		if p.rows[row] += p.sums[i]; p.rows[row] == 0 {
			delete(p.rows, row)
		}
	}
	p.part, p.sums = nil, nil
}

// TestEventsResume cuts a stream again and again: the browser goes on behind the last event that it has, and the content comes once.
func TestEventsResume(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{RetainHistory: 10 * time.Millisecond})
	h.run("CREATE TABLE t (a int, b json); INSERT INTO t SELECT g, '{\n}' FROM generate_series(1, 2500) AS g")
	s := h.source("view=t", "")
	p, kinds := &page{}, map[string]int{}
	want := map[string]int64{}
	for i := range 2500 {
		want[fmt.Sprint(map[string]any{"a": float64(i + 1), "b": map[string]any{}})]++
	}
	for i := range 40 {
		h.run(fmt.Sprintf("DELETE FROM t WHERE a = %d; INSERT INTO t VALUES (%d, NULL)", i+1, -i))
		delete(want, fmt.Sprint(map[string]any{"a": float64(i + 1), "b": map[string]any{}}))
		want[fmt.Sprint(map[string]any{"a": float64(-i), "b": nil})]++
		for !maps.Equal(p.rows, want) {
			e := s.next()
			kinds[e.kind]++
			p.take(e)
		}
		if i%5 == 4 {
			s.close()
			time.Sleep(50 * time.Millisecond) // longer than others keep history
			s = h.source("view=t", s.id)
		}
	}
	if kinds["snapshot"] < 3 || kinds["snapshot"] > 4 || kinds["change"] < 37 {
		t.Errorf("there were %v", kinds)
	}
	s.close()
	s = h.source("view=t", "12345")
	if e := s.next(); e.kind != "snapshot" {
		t.Errorf("who was away for too long gets %s", e.kind)
	}
}

// TestEventsOfSubscription: the id that a browser comes back with acknowledges, and what is not kept any more is told.
func TestEventsOfSubscription(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{Heartbeat: 20 * time.Millisecond}, coord.Options{RetainHistory: 10 * time.Millisecond})
	h.run("CREATE TABLE t (a int); CREATE SUBSCRIPTION s ON t; CREATE SUBSCRIPTION short ON t WITH (RETAIN FOR '1 millisecond')")
	s := h.source("subscription=s", "")
	if e := s.next(); e.kind != "snapshot" || len(e.data.Changes) != 0 || !e.data.Last {
		t.Errorf("it begins with %+v", e)
	}
	h.run("INSERT INTO t VALUES (1)")
	change := func(s *source) event {
		for {
			if e := s.next(); e.kind != "progress" {
				return e
			}
		}
	}
	first := change(s)
	if first.kind != "change" || len(first.data.Changes) != 1 {
		t.Fatalf("got %+v", first)
	}
	if e := s.next(); e.kind != "progress" || e.id < first.id {
		t.Errorf("behind %s comes %+v", first.id, e)
	}
	s.close()
	h.run("INSERT INTO t VALUES (2)")
	s = h.source("subscription=s", first.id)
	if e := change(s); e.kind != "change" || len(e.data.Changes) != 1 || e.data.Changes[0].Row["a"] != 2.0 {
		t.Errorf("it goes on with %+v", e)
	}
	if got := h.run("SELECT acknowledged::text FROM mz_subscriptions WHERE name = 's'"); !strings.Contains(got, first.id) {
		t.Errorf("acknowledged is %s, not %s", got, first.id)
	}
	time.Sleep(100 * time.Millisecond)
	for query, want := range map[string]int{
		"subscription=short": http.StatusGone, "subscription=nope": http.StatusNotFound, "view=nope": http.StatusNotFound, "": http.StatusBadRequest,
		"view=t&subscription=s": http.StatusBadRequest, "view=t&after=x": http.StatusBadRequest, "view=t&envelope=upsert": http.StatusBadRequest,
		"view=t&nope=1": http.StatusBadRequest,
	} {
		res, err := http.Get(h.http.URL + "/api/subscribe?" + query)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d %s", query, res.StatusCode, b)
		}
	}
}

// TestEnvelopeEvents shows states in place of diffs, and errors of the view as the last event.
func TestEnvelopeEvents(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	h.run("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2); CREATE MATERIALIZED VIEW v AS SELECT a, 10 / b AS n FROM t")
	s := h.source("view=public.v&envelope=debezium&key=a", "")
	if e := s.next(); e.data.Changes[0].State != "insert" || e.data.Changes[0].Row["after_n"] != 5.0 {
		t.Errorf("got %+v", e)
	}
	h.run("UPDATE t SET b = 5")
	if e := s.next(); e.data.Changes[0].State != "upsert" || e.data.Changes[0].Row["before_n"] != 5.0 {
		t.Errorf("got %+v", e)
	}
	h.run("UPDATE t SET b = 0")
	if e := s.next(); e.kind != "error" || e.data.Error == nil || e.data.Error.Code != "22012" {
		t.Errorf("got %+v", e)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	h.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, _ := http.NewRequestWithContext(ctx, http.MethodGet, h.http.URL+"/api/subscribe?view=t", nil)
	q.Header.Set("Accept", "application/x-ndjson")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	in := bufio.NewScanner(res.Body)
	for i := range 3 {
		if !in.Scan() {
			t.Fatal(in.Err())
		}
		if _, rest, _ := strings.Cut(in.Text(), ","); rest != fmt.Sprintf(`"mz_diff":1,"a":%d}`, i+1) {
			t.Errorf("line %s", in.Text())
		}
		if i == 1 {
			h.run("INSERT INTO t VALUES (3)")
		}
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	h.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
	h.run("CREATE SUBSCRIPTION s ON t")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	url := "ws" + strings.TrimPrefix(h.http.URL, "http") + "/api/subscribe?subscription=s"
	_, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://evil.example"}}})
	if err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a page of others: %v", err)
	}
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	read := func() event {
		var e event
		_, b, err := conn.Read(ctx)
		if err == nil {
			err = json.Unmarshal(b, &e.data)
		}
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := read()
	if e.data.Event != "snapshot" || len(e.data.Changes) != 1 {
		t.Errorf("got %+v", e)
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"acknowledge": "`+e.data.ID+`"}`)); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(h.run("SELECT acknowledged::text FROM mz_subscriptions"), e.data.ID) {
		time.Sleep(5 * time.Millisecond)
	}
	h.run("INSERT INTO t VALUES (2)")
	if e := read(); e.data.Event != "change" {
		t.Errorf("got %+v", e)
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`nonsense`)); err != nil {
		t.Fatal(err)
	}
	if e := read(); e.data.Event != "error" || e.data.Error.Code != "08P01" {
		t.Errorf("got %+v", e)
	}
}

// TestClientsLeaveNothing: a stream ends with its client, and all with the server.
func TestClientsLeaveNothing(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{MostRequests: 3}, coord.Options{})
	h.run("CREATE TABLE t (a int)")
	streams := []*source{h.source("view=t", ""), h.source("view=t", "")}
	third := h.source("view=t", "")
	if status, got := h.post(`{"query": "SELECT 1"}`); status != http.StatusServiceUnavailable || !strings.Contains(got, "53300") {
		t.Errorf("over the limit: %d %s", status, got)
	}
	third.close()
	sessions := func() int64 { return h.c.Counters().Sessions.Load() }
	for until := time.Now().Add(patience); sessions() > 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d sessions", sessions())
		}
	}
	h.api.Close()
	for _, s := range streams {
		if e := s.next(); e.kind == "snapshot" {
			e = s.next()
			if e.kind != "error" || e.data.Error.Code != "57P01" {
				t.Errorf("at the end comes %+v", e)
			}
		}
	}
}
