package pgwire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/internal/check"
	"millrace/repr"
)

// flushBytes is how much output is gathered before it is sent.
const flushBytes = 64 << 10

// hurryTime is how long a client has to take its last messages when the connection ends.
const hurryTime = 2 * time.Second

// maxNamed is how many prepared statements, and how many portals, one connection may keep.
const maxNamed = 10_000

// conn is one connection. Its goroutine owns it; another reads frames ahead, so that a client that hangs up is
// noticed while a statement runs.
type conn struct {
	srv     *Server
	nc      net.Conn
	in      *bufio.Reader
	out     []byte
	frames  chan frame
	reader  sync.WaitGroup // of the goroutine that reads ahead
	session *coord.Session
	secret  uint32
	portals map[string]*portal
	ctx     context.Context // ends with the connection or the server
	close   context.CancelCauseFunc
	skip    bool // an error in the extended protocol: everything up to Sync is ignored
	piped   bool // the statements since the last Sync share a transaction
	broken  bool // nothing more can be sent

	mu      sync.Mutex // guards running
	running context.CancelCauseFunc
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc, in: bufio.NewReaderSize(nc, 16<<10), portals: map[string]*portal{}, frames: make(chan frame, 1)}
	c.ctx, c.close = context.WithCancelCause(s.ctx)
	return c
}

// recover is the last belt: a panic ends this connection and no more.
func (c *conn) recover() {
	p := recover()
	c.close(io.EOF)
	if p == nil {
		return
	}
	_, ours := p.(check.Failure)
	c.srv.opts.Log.Error("connection ended by a panic", "panic", p, "invariant", ours, "stack", string(debug.Stack()))
	c.fail(repr.NewError(repr.CodeInternal, "internal error").WithHint("the server goes on; please report this with the statement"))
	c.flush()
}

// interrupt ends the running statement, if there is one.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		c.running(repr.NewError(repr.CodeQueryCanceled, "canceling statement due to user request"))
	}
}

// hurry lets what reads and writes come to an end, once the connection's context has ended.
func (c *conn) hurry() {
	_ = c.nc.SetReadDeadline(deadline(0))
	_ = c.nc.SetWriteDeadline(deadline(hurryTime))
}

// statement gives the context of one statement: it ends on a cancel request, on statement_timeout, and with the
// connection.
func (c *conn) statement() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	stop := func() { cancel(nil) }
	if d := c.session.StatementTimeout(); d > 0 {
		timeout := repr.NewError(repr.CodeQueryCanceled, "canceling statement due to statement timeout")
		timed, stopTimer := context.WithTimeoutCause(ctx, d, timeout)
		ctx, stop = timed, func() { stopTimer(); cancel(nil) }
	}
	c.mu.Lock()
	c.running = cancel
	c.mu.Unlock()
	return ctx, func() {
		c.mu.Lock()
		c.running = nil
		c.mu.Unlock()
		stop()
	}
}

// observe tells how long a statement took, when somebody wants to know.
func (c *conn) observe() func() {
	if c.srv.opts.Observe == nil {
		return func() {}
	}
	started := systemClock.Now()
	return func() { c.srv.opts.Observe(systemClock.Now().Sub(started)) }
}

// read takes frames from the client until it hangs up. After Terminate it waits for just that.
func (c *conn) read() {
	defer close(c.frames)
	for {
		f, err := readFrame(c.in, &c.srv.bytes)
		if errors.Is(err, errFraming) || errors.Is(err, errBudget) {
			c.deliver(frame{kind: 0, err: err})
			return
		}
		if err != nil {
			c.close(io.EOF)
			return
		}
		f.last = syncFollows(c.in)
		if !c.deliver(f) {
			c.srv.bytes.give(f.held)
			return
		}
	}
}

// syncFollows says whether the next message is a Sync and is here already.
func syncFollows(in *bufio.Reader) bool {
	if in.Buffered() < 5 {
		return false
	}
	next, err := in.Peek(5)
	return err == nil && next[0] == 'S'
}

func (c *conn) deliver(f frame) bool {
	select {
	case c.frames <- f:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// loop serves messages until the client or the server ends the connection.
func (c *conn) loop() {
	c.reader.Go(c.read)
	c.ready()
	for !c.broken {
		select {
		case f, ok := <-c.frames:
			if !ok || f.kind == 'X' || !c.serve(f) {
				return
			}
		case <-c.idle():
			c.fatal(repr.NewError("25P03", "terminating connection due to idle-in-transaction timeout").
				WithHint("the time is the setting idle_in_transaction_session_timeout"))
			return
		case <-c.ctx.Done():
			if e, ok := context.Cause(c.ctx).(*repr.Error); ok {
				c.fatal(e)
			}
			return
		}
	}
}

// idle is ready when the client has left a transaction block open, and nothing said, for too long: a block holds
// history back.
func (c *conn) idle() <-chan time.Time {
	if d := c.session.IdleTimeout(); d > 0 && c.session.TxStatus() != 'I' {
		return systemClock.After(d)
	}
	return nil
}

// serve serves one message, gives back what it held, and says whether the connection goes on.
func (c *conn) serve(f frame) bool {
	defer c.srv.bytes.give(f.held)
	return c.message(f)
}

// drain gives back what the messages hold that nobody will serve. The reader has ended.
func (c *conn) drain() {
	c.reader.Wait()
	for {
		select {
		case f, ok := <-c.frames:
			if !ok {
				return
			}
			c.srv.bytes.give(f.held)
		default:
			return
		}
	}
}

// message serves one message and says whether the connection goes on.
func (c *conn) message(f frame) bool {
	if f.kind == 0 {
		c.fatal(framingError(f.err))
		c.linger()
		return false
	}
	if f.kind == 'S' {
		c.skip = false
		c.endPiped()
		c.settle()
		return true
	}
	if c.skip {
		return true
	}
	if err := validate(f); err != nil {
		c.session.Fail()
		c.fail(err)
		if f.kind == 'Q' || f.kind == 'F' {
			c.endPiped()
			c.settle()
		} else {
			c.skip = true
			c.flush()
		}
		return true
	}
	switch f.kind {
	case 'Q':
		var m pgproto3.Query
		err := decode(&m, f.body)
		if err == nil {
			c.simple(m.String)
		} else {
			c.session.Fail()
			c.fail(err)
		}
		c.endPiped()
		c.settle()
	case 'H':
		c.flush()
	case 'd', 'c', 'f', 'p':
		// Left over from a COPY that has ended, or out of place: ignored, as PostgreSQL does.
	default:
		c.extended(f)
	}
	return true
}

func framingError(err error) *repr.Error {
	if errors.Is(err, errBudget) {
		return repr.NewError(repr.CodeOutOfMemory, err.Error()).WithHint("send shorter statements, or later")
	}
	return repr.NewError(repr.CodeProtocolViolation, err.Error())
}

// settle ends a round: outside a transaction block no portal outlives it.
func (c *conn) settle() {
	if c.session.TxStatus() == 'I' {
		c.dropPortals()
	}
	c.ready()
}

// endPiped commits what the statements since the last Sync have done together, or undoes it when one has failed.
func (c *conn) endPiped() {
	if !c.piped {
		return
	}
	c.piped = false
	ctx, done := c.statement()
	defer done()
	if err := c.session.EndImplicit(ctx); err != nil {
		c.fail(err)
	}
}

// decode decodes a body that validate has passed.
func decode(m pgproto3.Message, body []byte) *repr.Error {
	if err := m.Decode(body); err != nil {
		return repr.NewError(repr.CodeProtocolViolation, "invalid message format").WithDetail(err.Error())
	}
	return nil
}

// send adds a message to the output.
func (c *conn) send(m pgproto3.BackendMessage) {
	out, err := m.Encode(c.out)
	if err != nil {
		c.srv.opts.Log.Error("encode message", "err", err)
		c.broken = true
		return
	}
	c.out = out
	if len(c.out) >= flushBytes {
		c.flush()
	}
}

// flush sends what was gathered. A client that does not take it in time is gone.
func (c *conn) flush() {
	if len(c.out) == 0 || c.broken {
		return
	}
	_ = c.nc.SetWriteDeadline(deadline(c.srv.opts.WriteTimeout))
	if c.ctx.Err() != nil {
		c.hurry()
	}
	if _, err := c.nc.Write(c.out); err != nil {
		c.broken = true
		c.close(io.EOF)
		if tcp, ok := c.nc.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // what the client has not taken is not kept for it
		}
	}
	c.out = c.out[:0]
	if cap(c.out) > 2*flushBytes {
		c.out = nil
	}
}

// ready ends a round: the client may send the next query.
func (c *conn) ready() {
	c.send(&pgproto3.ReadyForQuery{TxStatus: c.session.TxStatus()})
	c.flush()
}

// fail sends an error. The one that the server is going down ends the connection.
func (c *conn) fail(err *repr.Error) {
	if err.Code == repr.CodeAdminShutdown {
		c.fatal(err)
		return
	}
	c.send(errorResponse("ERROR", err))
}

// fatal sends an error that ends the connection.
func (c *conn) fatal(err *repr.Error) {
	c.send(errorResponse("FATAL", err))
	c.flush()
	c.broken = true
}

// linger takes for a moment what the client still sends: closing a socket that holds unread bytes would
// take the last message away from the client.
func (c *conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.nc.SetReadDeadline(deadline(lingerTime))
	_, _ = io.CopyN(io.Discard, c.nc, lingerBytes)
}

// Limits of linger.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

func errorResponse(severity string, err *repr.Error) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: err.Code, Message: err.Message,
		Detail: err.Detail, Hint: err.Hint, Where: err.Context, Position: int32(err.Position)}
}

func (c *conn) notice(n coord.Notice) {
	c.send(&pgproto3.NoticeResponse{Severity: n.Severity, SeverityUnlocalized: n.Severity, Code: n.Code, Message: n.Message,
		Detail: n.Detail, Hint: n.Hint})
	c.flush()
}

// deadline is a moment d from now, for the sockets of the system, which know no other clock.
func deadline(d time.Duration) time.Time { return systemClock.Now().Add(d) }

func itoa(n int) string { return strconv.Itoa(n) }
