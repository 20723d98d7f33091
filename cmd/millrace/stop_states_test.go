package main

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// sessionState is what a session may be in the middle of when the server stops.
type sessionState struct {
	name  string
	send  []pgproto3.FrontendMessage
	raw   string                               // is sent behind that, as it is
	until func(m pgproto3.BackendMessage) bool // the state is reached with this message; nil: at once
	deaf  bool                                 // it reads nothing, so that it may not hear what it is told
}

func queryOf(text string) []pgproto3.FrontendMessage {
	return []pgproto3.FrontendMessage{&pgproto3.Query{String: text}}
}

func isReady(m pgproto3.BackendMessage) bool { _, ok := m.(*pgproto3.ReadyForQuery); return ok }

func isCopyIn(m pgproto3.BackendMessage) bool { _, ok := m.(*pgproto3.CopyInResponse); return ok }

func isSuspended(m pgproto3.BackendMessage) bool { _, ok := m.(*pgproto3.PortalSuspended); return ok }

func isRow(m pgproto3.BackendMessage) bool { _, ok := m.(*pgproto3.DataRow); return ok }

var sessionStates = []sessionState{
	{name: "idle"},
	{name: "half a message", raw: "Q\x00\x00\x01\x00SELECT"},
	{name: "in a COPY FROM STDIN", send: queryOf("COPY t FROM STDIN"), until: isCopyIn},
	{name: "in a failed block", send: queryOf("BEGIN; SELECT 1/0"), until: isReady},
	{name: "in a block that made a table", send: queryOf("BEGIN; CREATE TABLE made (a int)"), until: isReady},
	{name: "in a block that wrote", send: queryOf("BEGIN; INSERT INTO t VALUES (-1, 'x')"), until: isReady},
	{name: "before Sync", send: []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT 1"}}},
	{name: "with rows left in a portal", send: []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT a FROM t"}, &pgproto3.Bind{},
		&pgproto3.Execute{MaxRows: 5}, &pgproto3.Flush{}}, until: isSuspended},
	{name: "does not read its rows", send: queryOf("SELECT a.a, a.b FROM t AS a, generate_series(1, 100)"), until: isRow, deaf: true},
	{name: "makes a view", send: queryOf("CREATE MATERIALIZED VIEW big AS SELECT count(*) FROM t AS a JOIN t AS b ON a.a % 10 = b.a % 10")},
	{name: "runs a long query", send: queryOf("SELECT count(*) FROM t AS a, t AS b, t AS c WHERE a.b < b.b")},
	{name: "waits for a time to come", send: queryOf("SELECT * FROM t AS OF now() + interval '50 s'")},
	{name: "subscribes", send: queryOf("SUBSCRIBE t"), until: isRow},
}

// enter brings a connection into a state.
func (st *sessionState) enter(t *testing.T, addr string) (net.Conn, *pgproto3.Frontend) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	f := pgproto3.NewFrontend(conn, conn)
	await := func(so func(pgproto3.BackendMessage) bool) {
		for so != nil {
			m, err := f.Receive()
			if err != nil {
				t.Fatalf("%s: %v", st.name, err)
			}
			if so(m) {
				return
			}
		}
	}
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "materialize"}})
	err = f.Flush()
	await(isReady)
	for _, m := range st.send {
		f.Send(m)
	}
	if err = errors.Join(err, f.Flush()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(st.raw)); err != nil {
		t.Fatal(err)
	}
	await(st.until)
	return conn, f
}

// goodbye is the SQLSTATE of the last error that a connection gets before it ends.
func goodbye(f *pgproto3.Frontend) (code string) {
	for {
		m, err := f.Receive()
		if err != nil {
			return code
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			code = e.Code
		}
	}
}

// TestStopInAllStates: whatever sessions are in the middle of, a stop ends them with 57P01 within 5 s, and leaves nothing of what was
// not committed. Who has not even logged in is cut off.
func TestStopInAllStates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, dir)
	p.must("CREATE TABLE t (a bigint, b text)")
	p.must("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) AS g")
	silent, err := net.Dial("tcp", p.sql)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	clients := make([]*pgproto3.Frontend, len(sessionStates))
	for i := range sessionStates {
		_, clients[i] = sessionStates[i].enter(t, p.sql)
	}
	time.Sleep(200 * time.Millisecond) // those that wait for no message are on their way
	code, took := p.end(syscall.SIGTERM, waitForEnd)
	if code != 0 || took > 5*time.Second {
		t.Errorf("exit code %d after %v\n%s", code, took, p.logged())
	}
	for i, f := range clients {
		if got, st := goodbye(f), sessionStates[i]; got != "57P01" && !(st.deaf && got == "") {
			t.Errorf("who %s is told %q", st.name, got)
		}
	}
	if n, err := io.Copy(io.Discard, silent); n > 0 {
		t.Errorf("who never logged in gets %d bytes, %v", n, err)
	}
	p = startProcess(t, dir)
	var rows int
	if err := p.connect().QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil || rows != 20000 {
		t.Errorf("%d rows are there, %v", rows, err)
	}
	var pg *pgconn.PgError
	if _, err := p.connect().Exec(t.Context(), "SELECT * FROM made"); !errors.As(err, &pg) || pg.Code != "42P01" {
		t.Errorf("what was never committed: %v", err)
	}
}
