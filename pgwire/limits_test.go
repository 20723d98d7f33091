package pgwire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"millrace/coord"
)

// until asks again until the answer is yes; it fails the test when patience ends.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if yes() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("waited in vain: %s", what)
}

// alive checks that a new client is served within a second.
func (h *house) alive() {
	h.t.Helper()
	started := time.Now()
	c := h.open(nil)
	c.want(c.query("SELECT 1 AS a"), "cols(a:23:0) row(1) [SELECT 1] ready:I")
	if took := time.Since(started); took > time.Second {
		h.t.Errorf("SELECT 1 took %v", took)
	}
	_ = c.nc.Close()
}

// cancelRequest sends a cancel request as a client does, on a connection of its own.
func (h *house) cancelRequest(pid uint32, key []byte) {
	h.t.Helper()
	nc := h.dial()
	m := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 16}, codeCancel)
	m = append(binary.BigEndian.AppendUint32(m, pid), key...)
	if _, err := nc.Write(m); err != nil {
		h.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, nc) // the server closes when it has served it
	_ = nc.Close()
}

func TestCancelKey(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.open(nil)
	c.want(c.query("CREATE TABLE t (a int)"), "[CREATE TABLE] ready:I")
	c.f.Send(&pgproto3.Query{String: "SUBSCRIBE t"})
	c.flush()
	if m, err := c.f.Receive(); err != nil || !strings.HasPrefix(c.note(m), "cols(mz_timestamp") {
		t.Fatalf("got %T, %v", m, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		guess := binary.BigEndian.AppendUint32(nil, random.Uint32())
		if string(guess) != string(c.key) {
			h.cancelRequest(c.pid, guess)
		}
	}
	h.cancelRequest(c.pid+1000, c.key)
	// The subscription still runs: it shows what comes now.
	other := h.open(nil)
	other.want(other.query("INSERT INTO t VALUES (7)"), "[INSERT 0 1] ready:I")
	if m, err := c.f.Receive(); err != nil || !strings.HasSuffix(c.note(m), ",1,7)") {
		t.Fatalf("after guessed keys: %T, %v", m, err)
	}
	started := time.Now()
	h.cancelRequest(c.pid, c.key)
	c.want(c.round(), "error:57014@0 ready:I")
	if took := time.Since(started); took > time.Second {
		t.Errorf("the cancel took %v", took)
	}
	c.want(c.query("SELECT 1 AS a"), "cols(a:23:0) row(1) [SELECT 1] ready:I")
	// A cancel request while nothing runs hits nothing that comes later.
	h.cancelRequest(c.pid, c.key)
	c.want(c.query("SELECT 1 AS a"), "cols(a:23:0) row(1) [SELECT 1] ready:I")
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.open(map[string]string{"statement_timeout": "100ms"})
	c.want(c.query("CREATE TABLE t (a int)"), "[CREATE TABLE] ready:I")
	for _, sql := range []string{
		"COPY (SUBSCRIBE t) TO STDOUT",
		"SELECT count(*) FROM generate_series(1, 3000) a, generate_series(1, 3000) b, generate_series(1, 3000) c",
	} {
		started := time.Now()
		got := c.query(sql)
		if !strings.HasSuffix(got, "error:57014@0 ready:I") {
			t.Errorf("%s: %s", sql, got)
		}
		if took := time.Since(started); took > 1100*time.Millisecond {
			t.Errorf("%s: ended after %v", sql, took)
		}
	}
	c.want(c.query("BEGIN"), "[BEGIN] ready:T")
	if got := c.query("SUBSCRIBE t"); !strings.HasSuffix(got, "error:57014@0 ready:E") {
		t.Error(got)
	}
	c.want(c.query("ROLLBACK"), "[ROLLBACK] ready:I")
	c.want(c.query("SET statement_timeout = 0"), "[SET] ready:I")
	c.want(c.query("SELECT 1 AS a"), "cols(a:23:0) row(1) [SELECT 1] ready:I")
}

func TestIdleInTransaction(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.open(map[string]string{"idle_in_transaction_session_timeout": "50ms"})
	c.want(c.query("BEGIN"), "[BEGIN] ready:T")
	c.want(c.round(), "fatal:25P03@0 gone")
}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{MaxConnections: 3}, coord.Options{})
	var open []*client
	for range 3 {
		c := h.open(nil)
		c.want(c.query("SELECT 1 AS a"), "cols(a:23:0) row(1) [SELECT 1] ready:I")
		open = append(open, c)
	}
	refused := func() string {
		nc := h.dial()
		defer func() { _ = nc.Close() }()
		c := &client{t: t, nc: nc, f: pgproto3.NewFrontend(nc, nc), params: map[string]string{}}
		c.f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "u"}})
		c.flush()
		return c.round()
	}
	if got := refused(); got != "fatal:53300@0 gone" {
		t.Errorf("the fourth got %s", got)
	}
	// Those that say nothing take no session, and at last no connection either.
	for range 3 {
		h.dial()
	}
	until(t, "a connection too many is closed", func() bool {
		nc := h.dial()
		defer func() { _ = nc.Close() }()
		_ = nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := nc.Read(make([]byte, 1))
		return err == io.EOF || err != nil && strings.Contains(err.Error(), "reset")
	})
	_ = open[0].nc.Close()
	_ = open[1].nc.Close()
	until(t, "a place is free again", func() bool { return refused() == "ok ready:I" })
}

func TestStartupTimeout(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{StartupTimeout: 100 * time.Millisecond}, coord.Options{})
	for _, sent := range []string{"", "\x00", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "\x00\x00\x00\x50\x00\x03\x00\x00user"} {
		nc := h.dial()
		if _, err := io.WriteString(nc, sent); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		_, _ = io.Copy(io.Discard, nc)
		if took := time.Since(started); took > patience {
			t.Errorf("after %q the connection stayed for %v", sent, took)
		}
	}
	c := h.open(nil)
	time.Sleep(150 * time.Millisecond) // a session that is open has all the time it wants
	c.want(c.query("SELECT 1 AS a"), "cols(a:23:0) row(1) [SELECT 1] ready:I")
}

func TestClose(t *testing.T) {
	t.Parallel()
	engine := coord.New(coord.Options{TickInterval: 20 * time.Millisecond})
	defer engine.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, srv: NewServer(engine, Options{}), addr: l.Addr().String()}
	served := make(chan error, 1)
	go func() { served <- h.srv.Serve(l) }()
	idle, inBlock, busy, deaf := h.open(nil), h.open(nil), h.open(nil), h.open(nil)
	h.dial() // and one that has said nothing yet
	inBlock.want(inBlock.query("CREATE TABLE t (a int)"), "[CREATE TABLE] ready:I")
	inBlock.want(inBlock.query("BEGIN"), "[BEGIN] ready:T")
	busy.f.Send(&pgproto3.Query{String: "SUBSCRIBE t"})
	busy.flush()
	if m, err := busy.f.Receive(); err != nil || !strings.HasPrefix(busy.note(m), "cols") {
		t.Fatalf("got %T, %v", m, err)
	}
	deaf.f.Send(&pgproto3.Query{String: "SELECT repeat('x', 1000) FROM generate_series(1, 20000)"})
	deaf.flush()
	if m, err := deaf.f.Receive(); err != nil || !strings.HasPrefix(deaf.note(m), "cols") {
		t.Fatalf("got %T, %v", m, err)
	}
	started := time.Now()
	h.srv.Close()
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	for name, c := range map[string]*client{"idle": idle, "in a block": inBlock, "busy": busy} {
		if got := c.round(); got != "fatal:57P01@0 gone" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := net.DialTimeout("tcp", h.addr, time.Second); err == nil {
		t.Error("a closed server accepts connections")
	}
}

// descriptors is how many files the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not list open files")
	}
	return len(files)
}

// storm sends a well-formed conversation with one thing wrong, or plain noise, and hangs up in different ways.
func storm(r *rand.Rand, addr string) error {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(patience))
	startup := []byte("\x00\x00\x00\x10\x00\x03\x00\x00user\x00m\x00\x00")
	binary.BigEndian.PutUint32(startup, uint32(len(startup)))
	if r.IntN(8) == 0 {
		mutate(r, startup)
	}
	out := startup
	for range r.IntN(40) {
		out = append(out, hostile(r)...)
	}
	if _, err := nc.Write(out); err != nil {
		return nil // the server has hung up, as it may
	}
	switch r.IntN(3) {
	case 0: // half-closed: everything is served, then the server hangs up
		_ = nc.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, nc)
	case 1: // reset
		_ = nc.(*net.TCPConn).SetLinger(0)
	}
	return nil
}

// hostile is a message that is often wrong.
func hostile(r *rand.Rand) []byte {
	bodies := []string{
		"SELECT 1\x00", "", "\x00", "s\x00SELECT $1::int4\x00\x00\x01\x00\x00\x00\x17", "\x00s\x00\x00\x00\x00\x01\x00\x00\x00\x01x\x00\x00",
		"\x00s\x00\x00\x01\x00\x01\x00\x01\xff\xff\xff\xfe\x00\x00", "\x00\x00\x00\x00\x00", "Ss\x00", "P\x00", "SELECT '\xff'\x00", "BEGIN\x00",
		"p\x00s\x00\xff\xff", "\x00\x00\x27\x0f\x00\x00\x00\x00\x00\x00", "SCRAM-SHA-256\x00\xff\xff\xff\xff",
	}
	kinds := "QPBDECFfpdcHSX"
	m := packet(kinds[r.IntN(len(kinds))], bodies[r.IntN(len(bodies))])
	switch r.IntN(4) {
	case 0:
		mutate(r, m)
	case 1:
		m = m[:r.IntN(len(m)+1)]
	case 2: // as it should be
	default:
		binary.BigEndian.PutUint32(m[1:], r.Uint32()>>r.IntN(32))
	}
	return m
}

func mutate(r *rand.Rand, b []byte) {
	for range 1 + r.IntN(3) {
		b[r.IntN(len(b))] = byte(r.Uint32())
	}
}

// Thousands of malformed conversations: the server stays up, answers quickly, and nothing is left of them.
func TestMalformedStorm(t *testing.T) {
	h := serve(t, Options{}, coord.Options{})
	h.alive()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	seed := rand.Uint64()
	var clients sync.WaitGroup
	failures := make(chan error, 16)
	for worker := range uint64(8) {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(seed, worker))
			for range 250 {
				if err := storm(r, h.addr); err != nil {
					failures <- fmt.Errorf("seed %d: %w", seed, err)
					return
				}
			}
		})
	}
	for range 5 {
		h.alive()
	}
	clients.Wait()
	h.alive()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	until(t, "all connections are forgotten", func() bool {
		h.srv.mu.Lock()
		defer h.srv.mu.Unlock()
		return len(h.srv.open) == 0 && h.srv.accepted == 0 && h.srv.bytes.used.Load() == 0
	})
	until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	until(t, "no descriptor is left", func() bool { return descriptors(t) <= files })
	var after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
}

// The bodies of all clients together are bounded, also those that never come to an end.
func TestLongMessages(t *testing.T) {
	h := serve(t, Options{}, coord.Options{})
	c := h.open(nil)
	c.want(c.ask(prepare("", "SELECT length($1::text) AS n"), bind("", "", strings.Repeat("x", 8<<20)), execute("", 0), syncing),
		"parsecomplete bindcomplete row(8388608) [SELECT 1] ready:I")
	head := binary.BigEndian.AppendUint32([]byte{'Q'}, maxMessageBytes)
	part := append(head, make([]byte, 40<<20)...)
	var clients []*client
	for range budgetBytes/(32<<20) - 1 { // each body has grown to 64 MiB less what is not allowed any more
		one := h.open(nil)
		clients = append(clients, one)
		go func() { _, _ = one.nc.Write(part) }()
	}
	refused := make(chan string, len(clients))
	for _, one := range clients {
		go func() { refused <- one.round() }()
	}
	if got := <-refused; got != "fatal:53200@0 gone" && got != "gone" {
		t.Errorf("a message beyond the budget: %s", got)
	}
	if used := h.srv.bytes.used.Load(); used > budgetBytes {
		t.Errorf("%d bytes are held", used)
	}
	h.alive()
	for _, one := range clients {
		_ = one.nc.Close()
	}
	_ = c.nc.Close()
	until(t, "everything is given back", func() bool { return h.srv.bytes.used.Load() == 0 })
}

// A client that hangs up in the middle of a subscription leaves nothing behind.
func TestHangUp(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.open(nil)
	c.want(c.query("CREATE TABLE t (a int)"), "[CREATE TABLE] ready:I")
	for _, way := range []string{"close", "terminate", "portal"} {
		s := h.open(nil)
		if way == "portal" {
			s.f.Send(&pgproto3.Query{String: "BEGIN"})
			s.f.Send(prepare("", "SUBSCRIBE t WITH (PROGRESS)"))
			s.f.Send(bind("p", ""))
			s.f.Send(execute("p", 1))
			s.f.Send(syncing)
		} else {
			s.f.Send(&pgproto3.Query{String: "SUBSCRIBE t WITH (PROGRESS)"})
		}
		s.flush()
		for {
			m, err := s.f.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.(*pgproto3.DataRow); ok {
				break
			}
		}
		if way == "terminate" {
			s.f.Send(&pgproto3.Terminate{})
			s.flush()
		}
		_ = s.nc.Close()
	}
	until(t, "only one session is left", func() bool {
		h.srv.mu.Lock()
		defer h.srv.mu.Unlock()
		return len(h.srv.open) == 1
	})
}

// A subscriber that never reads is cut off; what it holds is bounded, and others go on meanwhile.
func TestDeafSubscriber(t *testing.T) {
	h := serve(t, Options{WriteTimeout: 500 * time.Millisecond}, coord.Options{SubscriberBytes: 4 << 20})
	writer := h.connect("")
	if _, err := writer.Exec(t.Context(), "CREATE TABLE t (a int, b text)"); err != nil {
		t.Fatal(err)
	}
	var deaf []*client
	for range 4 {
		c := h.open(nil)
		_ = c.nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		c.f.Send(&pgproto3.Query{String: "SUBSCRIBE t"})
		c.flush()
		deaf = append(deaf, c)
	}
	attentive := h.connect("")
	var seen atomic.Int64
	var reading sync.WaitGroup
	defer reading.Wait() // the connection is closed behind the test
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	reading.Go(func() { countInserted(ctx, attentive, 4000, &seen) })
	for i := range 20 { // who is attentive is never far behind, also on a machine that is busy
		until(t, "the attentive subscriber follows", func() bool { return seen.Load() >= int64(i-1)*200 })
		if _, err := writer.Exec(ctx, "INSERT INTO t SELECT n, repeat('x', 5000) FROM generate_series($1::int, $2::int) AS g(n)", i*200, i*200+199); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the attentive subscriber sees all", func() bool { return seen.Load() == 4000 })
	until(t, "the deaf are cut off", func() bool {
		h.srv.mu.Lock()
		defer h.srv.mu.Unlock()
		return len(h.srv.open) == 2
	})
	for _, c := range deaf {
		_ = c.nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c.nc); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("a deaf client is still connected: %v", err)
		}
	}
}

// countInserted reads a subscription until it has seen n rows of the table, or it ends.
func countInserted(ctx context.Context, c *pgx.Conn, n int64, seen *atomic.Int64) {
	rows, err := c.Query(ctx, "SUBSCRIBE t")
	if err != nil {
		return
	}
	for seen.Load() < n && rows.Next() {
		seen.Add(1)
	}
	_ = c.PgConn().CancelRequest(ctx)
	rows.Close()
}
