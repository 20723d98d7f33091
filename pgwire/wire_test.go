package pgwire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"millrace/coord"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// house is a running server for a test.
type house struct {
	t    *testing.T
	srv  *Server
	addr string
}

// serve starts an engine and a server on a port of this machine.
func serve(t *testing.T, opts Options, engine coord.Options) *house {
	t.Helper()
	if engine.TickInterval == 0 {
		engine.TickInterval = 20 * time.Millisecond
	}
	c := coord.New(engine)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, srv: NewServer(c, opts), addr: l.Addr().String()}
	served := make(chan error, 1)
	go func() { served <- h.srv.Serve(l) }()
	t.Cleanup(func() {
		h.srv.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		c.Close()
	})
	return h
}

func (h *house) dial() net.Conn {
	h.t.Helper()
	nc, err := net.DialTimeout("tcp", h.addr, patience)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(3 * patience))
	return nc
}

// connect opens a session of pgx.
func (h *house) connect(options string) *pgx.Conn {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, "postgres://millrace@"+h.addr+"/"+coord.DefaultDatabase+"?sslmode=disable"+options)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// client speaks the protocol message by message.
type client struct {
	t      *testing.T
	nc     net.Conn
	f      *pgproto3.Frontend
	pid    uint32
	key    []byte
	params map[string]string
}

// open starts a session message by message.
func (h *house) open(params map[string]string) *client {
	h.t.Helper()
	nc := h.dial()
	c := &client{t: h.t, nc: nc, f: pgproto3.NewFrontend(nc, nc), params: map[string]string{}}
	all := map[string]string{"user": "millrace"}
	for k, v := range params {
		all[k] = v
	}
	c.f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: all})
	c.flush()
	c.round()
	return c
}

func (c *client) flush() {
	c.t.Helper()
	if err := c.f.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends messages and gives the answer up to ReadyForQuery.
func (c *client) ask(messages ...pgproto3.FrontendMessage) string {
	c.t.Helper()
	for _, m := range messages {
		c.f.Send(m)
	}
	c.flush()
	return c.round()
}

func (c *client) query(sql string) string {
	c.t.Helper()
	return c.ask(&pgproto3.Query{String: sql})
}

// round reads up to ReadyForQuery, or to the end of the connection, and writes down what came.
func (c *client) round() string {
	c.t.Helper()
	var out []string
	for {
		m, err := c.f.Receive()
		if err != nil {
			return strings.Join(append(out, "gone"), " ")
		}
		text := c.note(m)
		if text != "" {
			out = append(out, text)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			return strings.Join(out, " ")
		}
	}
}

// note is one message in short.
func (c *client) note(m pgproto3.BackendMessage) string {
	switch m := m.(type) {
	case *pgproto3.AuthenticationOk:
		return "ok"
	case *pgproto3.ParameterStatus:
		c.params[m.Name] = m.Value
		return ""
	case *pgproto3.BackendKeyData:
		c.pid, c.key = m.ProcessID, append([]byte(nil), m.SecretKey...)
		return ""
	case *pgproto3.ReadyForQuery:
		return "ready:" + string(m.TxStatus)
	case *pgproto3.RowDescription:
		var cols []string
		for _, f := range m.Fields {
			cols = append(cols, fmt.Sprintf("%s:%d:%d", f.Name, f.DataTypeOID, f.Format))
		}
		return "cols(" + strings.Join(cols, ",") + ")"
	case *pgproto3.DataRow:
		var vals []string
		for _, v := range m.Values {
			if v == nil {
				vals = append(vals, "NULL")
				continue
			}
			vals = append(vals, printable(v))
		}
		return "row(" + strings.Join(vals, ",") + ")"
	case *pgproto3.CommandComplete:
		return "[" + string(m.CommandTag) + "]"
	case *pgproto3.ErrorResponse:
		return fmt.Sprintf("%s:%s@%d", strings.ToLower(m.Severity), m.Code, m.Position)
	case *pgproto3.NoticeResponse:
		return "notice:" + m.Code
	case *pgproto3.ParameterDescription:
		return strings.ReplaceAll(fmt.Sprintf("params%v", m.ParameterOIDs), " ", ",")
	case *pgproto3.CopyOutResponse:
		return fmt.Sprintf("copy:%d:%d", m.OverallFormat, len(m.ColumnFormatCodes))
	case *pgproto3.CopyData:
		return "data(" + printable(m.Data) + ")"
	case *pgproto3.NegotiateProtocolVersion:
		return strings.ReplaceAll(fmt.Sprintf("negotiate:%d%v", m.NewestMinorProtocol, m.UnrecognizedOptions), " ", ",")
	default:
		name := strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
		return strings.ToLower(name)
	}
}

func printable(v []byte) string {
	for _, b := range v {
		if b < 0x20 || b > 0x7e {
			return strings.Trim(fmt.Sprintf("%q", v), `"`)
		}
	}
	return string(v)
}

// want compares a round with what it should have been.
func (c *client) want(got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("got\n  %s\nwant\n  %s", got, want)
	}
}

func TestSimpleQuery(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	for _, step := range []struct{ sql, want string }{
		{"", "emptyqueryresponse ready:I"},
		{" -- nothing\n ; ", "emptyqueryresponse ready:I"},
		{"SELECT 1 AS a", "cols(a:23:0) row(1) [SELECT 1] ready:I"},
		{"SELECT 1 AS a; SELECT 'x' AS b;", "cols(a:23:0) row(1) [SELECT 1] cols(b:25:0) row(x) [SELECT 1] ready:I"},
		{"SELECT 1 AS a WHERE false", "cols(a:23:0) [SELECT 0] ready:I"},
		{"SELECT NULL::int4 AS a, '' AS b", "cols(a:23:0,b:25:0) row(NULL,) [SELECT 1] ready:I"},
		{"SELECT nope", "error:42703@8 ready:I"},
		{"SELECT 1 +", "error:42601@11 ready:I"},
		{"SELECT 1 AS a; SELECT nope; SELECT 2", "cols(a:23:0) row(1) [SELECT 1] error:42703@23 ready:I"},
		{"SELECT $1", "error:42P02@0 ready:I"},
		{"CREATE TABLE t (a int NOT NULL, b text)", "[CREATE TABLE] ready:I"},
		{"INSERT INTO t VALUES (1, 'x'), (2, NULL)", "[INSERT 0 2] ready:I"},
		{"UPDATE t SET b = 'y' WHERE a = 2", "[UPDATE 1] ready:I"},
		{"SELECT * FROM t ORDER BY a", "cols(a:23:0,b:25:0) row(1,x) row(2,y) [SELECT 2] ready:I"},
		{"INSERT INTO t VALUES (3, 'z') RETURNING a", "cols(a:23:0) row(3) [INSERT 0 1] ready:I"},
		{"DELETE FROM t WHERE a = 3", "[DELETE 1] ready:I"},
		{"SELECT 1/0", "error:22012@0 ready:I"},
		// Several statements are one transaction: the error takes the insert back.
		{"INSERT INTO t VALUES (4, 'w'); SELECT 1/0", "[INSERT 0 1] error:22012@0 ready:I"},
		{"SELECT count(*) AS n FROM t", "cols(n:20:0) row(2) [SELECT 1] ready:I"},
		{"INSERT INTO t VALUES (5, 'v'); INSERT INTO t VALUES (6, 'u')", "[INSERT 0 1] [INSERT 0 1] ready:I"},
		{"SELECT count(*) AS n FROM t", "cols(n:20:0) row(4) [SELECT 1] ready:I"},
		{"BEGIN; INSERT INTO t VALUES (7, 't'); COMMIT; SELECT count(*) AS n FROM t",
			"[BEGIN] [INSERT 0 1] [COMMIT] cols(n:20:0) row(5) [SELECT 1] ready:I"},
		{"INSERT INTO t VALUES (8, 's'); COMMIT; SELECT 1/0", "[INSERT 0 1] notice:25P01 [COMMIT] error:22012@0 ready:I"},
		{"SELECT count(*) AS n FROM t", "cols(n:20:0) row(6) [SELECT 1] ready:I"},
		{"INSERT INTO t VALUES (NULL, 'r')", "error:23502@0 ready:I"},
	} {
		if got := c.query(step.sql); got != step.want {
			t.Errorf("%s\n  got  %s\n  want %s", step.sql, got, step.want)
		}
	}
}

func TestTransactionStatus(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(nil)
	for _, step := range []struct{ sql, want string }{
		{"CREATE TABLE t (a int)", "[CREATE TABLE] ready:I"},
		{"BEGIN", "[BEGIN] ready:T"},
		{"INSERT INTO t VALUES (1)", "[INSERT 0 1] ready:T"},
		{"SELECT nope", "error:42703@8 ready:E"},
		{"SELECT 1", "error:25P02@0 ready:E"},
		{"", "emptyqueryresponse ready:E"},
		{"ROLLBACK", "[ROLLBACK] ready:I"},
		{"SELECT count(*) AS n FROM t", "cols(n:20:0) row(0) [SELECT 1] ready:I"},
		{"BEGIN", "[BEGIN] ready:T"},
		{"SELEC", "error:42601@1 ready:E"},
		{"COMMIT", "[ROLLBACK] ready:I"},
		{"COMMIT", "notice:25P01 [COMMIT] ready:I"},
		{"ROLLBACK", "notice:25P01 [ROLLBACK] ready:I"},
		{"BEGIN READ ONLY", "[BEGIN] ready:T"},
		{"INSERT INTO t VALUES (1)", "error:25006@0 ready:E"},
		{"ROLLBACK", "[ROLLBACK] ready:I"},
	} {
		if got := c.query(step.sql); got != step.want {
			t.Errorf("%s\n  got  %s\n  want %s", step.sql, got, step.want)
		}
	}
}

func TestStartupConversation(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	pair := func(kv ...string) string { return strings.Join(kv, "\x00") + "\x00\x00" }
	for _, c := range []struct {
		name  string
		minor uint32
		body  string
		want  string
	}{
		{"plain", 0, pair("user", "millrace"), "ok ready:I"},
		{"a database", 0, pair("user", "millrace", "database", coord.DefaultDatabase), "ok ready:I"},
		{"no such database", 0, pair("user", "millrace", "database", "nope"), "fatal:3D000@0 gone"},
		{"no user", 0, "\x00", "fatal:28000@0 gone"},
		{"layout", 0, "user\x00", "fatal:08P01@0 gone"},
		{"newer minor version", 2, pair("user", "millrace"), "negotiate:196608[] ok ready:I"},
		{"unknown options", 0, pair("user", "millrace", "_pq_.a", "1", "_pq_.b", "2"), "negotiate:196608[_pq_.a,_pq_.b] ok ready:I"},
		{"another version", 1 << 16, pair("user", "millrace"), "fatal:0A000@0 gone"},
		{"a wrong setting", 0, pair("user", "millrace", "client_encoding", "KLINGON"), "fatal:22023@0 gone"},
		{"replication", 0, pair("user", "millrace", "replication", "true"), "fatal:0A000@0 gone"},
		{"options", 0, pair("user", "millrace", "options", "-c statement_timeout=1s"), "ok ready:I"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc := h.dial()
			head := binary.BigEndian.AppendUint32(nil, uint32(8+len(c.body)))
			head = binary.BigEndian.AppendUint32(head, protocol3<<16+c.minor)
			if _, err := nc.Write(append(head, c.body...)); err != nil {
				t.Fatal(err)
			}
			got := (&client{t: t, nc: nc, f: pgproto3.NewFrontend(nc, nc), params: map[string]string{}}).round()
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("encryption is refused, then the session opens", func(t *testing.T) {
		nc := h.dial()
		for _, code := range []uint32{codeSSL, codeGSS} {
			ask := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, code)
			if _, err := nc.Write(ask); err != nil {
				t.Fatal(err)
			}
			var answer [1]byte
			if _, err := io.ReadFull(nc, answer[:]); err != nil || answer[0] != 'N' {
				t.Fatalf("answer %q, %v", answer, err)
			}
		}
		c := &client{t: t, nc: nc, f: pgproto3.NewFrontend(nc, nc), params: map[string]string{}}
		c.f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "millrace"}})
		c.flush()
		c.want(c.round(), "ok ready:I")
	})
}

func TestParameterStatus(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).open(map[string]string{"application_name": "one", "TimeZone": "Europe/Berlin"})
	for name, want := range map[string]string{
		"application_name": "one", "TimeZone": "Europe/Berlin", "client_encoding": "UTF8", "server_encoding": "UTF8",
		"DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "integer_datetimes": "on", "standard_conforming_strings": "on",
		"is_superuser": "on", "session_authorization": "millrace",
	} {
		if got := c.params[name]; got != want {
			t.Errorf("%s is reported as %q, want %q", name, got, want)
		}
	}
	if c.params["server_version"] == "" || len(c.key) != 4 || c.pid == 0 {
		t.Errorf("server_version %q, key %v, process %d", c.params["server_version"], c.key, c.pid)
	}
	clear(c.params)
	c.want(c.query("SET application_name = 'two'"), "[SET] ready:I")
	if c.params["application_name"] != "two" {
		t.Errorf("after SET the client was told %v", c.params)
	}
	c.want(c.query("RESET TimeZone"), "[RESET] ready:I")
	if c.params["TimeZone"] == "Europe/Berlin" || c.params["TimeZone"] == "" {
		t.Errorf("after RESET the client was told %v", c.params)
	}
}
