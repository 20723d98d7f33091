package pgwire

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"millrace/coord"
	"millrace/repr"
)

// Options is how a server listens. Zero values mean the default.
type Options struct {
	MaxConnections int                 // sessions; default 10,000. Twice as many connections may be on their way to one
	StartupTimeout time.Duration       // a connection must be through its startup in that time; default 30 s
	WriteTimeout   time.Duration       // a client that takes nothing for so long is cut off; default 2 min
	Welcome        string              // a notice at the start of each session; "" for none
	Observe        func(time.Duration) // told how long each statement took; nil: nobody
	Log            *slog.Logger
}

// Server accepts connections for one coordinator.
type Server struct {
	opts  Options
	coord *coord.Coordinator
	ctx   context.Context
	stop  context.CancelCauseFunc
	conns sync.WaitGroup
	bytes budget

	mu       sync.Mutex // guards all below
	open     map[uint32]*conn
	accepted int  // connections, whether they have a session or not
	closed   bool // no more are accepted
}

// NewServer makes a server. Serve runs it, Close ends it.
func NewServer(c *coord.Coordinator, opts Options) *Server {
	if opts.MaxConnections == 0 {
		opts.MaxConnections = 10_000
	}
	if opts.StartupTimeout == 0 {
		opts.StartupTimeout = 30 * time.Second
	}
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = 2 * time.Minute
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	return &Server{opts: opts, coord: c, ctx: ctx, stop: stop, open: map[uint32]*conn{}}
}

// Serve accepts connections until the listener is closed.
func (s *Server) Serve(l net.Listener) error {
	defer context.AfterFunc(s.ctx, func() { _ = l.Close() })()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.accept(nc)
		case s.ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of descriptors, a client that has gone: others may still come
			s.opts.Log.Warn("accept a connection", "err", err)
			select {
			case <-systemClock.After(acceptPause):
			case <-s.ctx.Done():
			}
		}
	}
}

// acceptPause is how long accepting rests after an error.
const acceptPause = 50 * time.Millisecond

// accept starts serving a connection, or refuses it when there are too many on their way.
func (s *Server) accept(nc net.Conn) {
	s.mu.Lock()
	ok := !s.closed && s.accepted < 2*s.opts.MaxConnections
	if ok {
		s.accepted++
		s.conns.Add(1)
	}
	s.mu.Unlock()
	if !ok {
		_ = nc.SetWriteDeadline(deadline(0))
		_ = nc.Close()
		return
	}
	go func() {
		defer s.conns.Done()
		s.handle(nc)
		s.mu.Lock()
		s.accepted--
		s.mu.Unlock()
	}()
}

// Close ends every session with 57P01 and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop(repr.NewError(repr.CodeAdminShutdown, "terminating connection due to administrator command"))
	s.conns.Wait()
}

// handle runs one connection from its first byte to its last.
func (s *Server) handle(nc net.Conn) {
	c := newConn(s, nc)
	defer c.drain()
	defer func() { _ = nc.Close() }()
	defer context.AfterFunc(c.ctx, c.hurry)()
	defer c.recover()
	if !c.start() {
		return
	}
	defer s.forget(c)
	defer c.session.Close()
	defer c.dropPortals()
	c.loop()
}

// admit registers a connection for cancel requests; it refuses when there are too many.
func (s *Server) admit(c *conn) *repr.Error {
	var secret [4]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return repr.NewError(repr.CodeInternal, "no random numbers: "+err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.opts.MaxConnections {
		return repr.NewError(repr.CodeTooManyConnections, "sorry, too many clients already").
			WithHint("close connections that are not used, or use a pool")
	}
	c.secret = binary.BigEndian.Uint32(secret[:])
	s.open[c.session.PID()] = c
	return nil
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c.session.PID())
}

// cancel serves a cancel request: it ends what the session runs, when the secret is right.
func (s *Server) cancel(pid, secret uint32) {
	s.mu.Lock()
	c := s.open[pid]
	s.mu.Unlock()
	if c == nil {
		return
	}
	var want, got [4]byte
	binary.BigEndian.PutUint32(got[:], secret)
	binary.BigEndian.PutUint32(want[:], c.secret)
	if subtle.ConstantTimeCompare(want[:], got[:]) == 1 {
		c.interrupt()
	}
}
