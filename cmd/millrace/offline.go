package main

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/coord"
	"millrace/pgwire"
)

// dial connects to the server that the configuration tells of.
func (c *config) dial(ctx context.Context) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig("postgres://" + coord.DefaultUser + "@" + c.SQLListen + "/" + coord.DefaultDatabase + "?sslmode=disable")
	if err != nil {
		return nil, err
	}
	return pgconn.ConnectConfig(ctx, cfg)
}

// pipes is a listener without a port: who dials it is connected.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept gives the next connection.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close ends the listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr is no address.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "inside", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// inside opens the data directory in this process, and connects to it.
func (c *config) inside(ctx context.Context, opts coord.Options) (*pgconn.PgConn, func(), error) {
	nothing := func() {}
	if c.LogLevel == "info" {
		c.LogLevel = "warn"
	}
	log, err := logger(c)
	if err != nil {
		return nil, nothing, err
	}
	opts.Log, opts.Workers, opts.Version, opts.RetainHistory = log, c.Workers, version, c.History
	co, ticks, err := c.open(opts)
	if err != nil {
		return nil, nothing, err
	}
	door := newPipes()
	srv := pgwire.NewServer(co, pgwire.Options{Log: log})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(door) }()
	done := func() {
		srv.Close()
		<-served
		co.Close()
		if ticks != nil {
			_ = ticks.Close()
		}
	}
	cfg, err := pgconn.ParseConfig("host=127.0.0.1 sslmode=disable user=" + coord.DefaultUser + " dbname=" + coord.DefaultDatabase)
	if err != nil {
		done()
		return nil, nothing, err
	}
	cfg.DialFunc = door.dial
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		done()
		return nil, nothing, errors.Join(err)
	}
	return conn, done, nil
}
