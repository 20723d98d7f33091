package postgres

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"millrace/coord"
	"millrace/tests/inside"
)

// millrace is our side: a server, and a connection to it that is opened again when a panic has closed it.
type millrace struct {
	server *inside.Server
	conn   *inside.Conn
	log    panics
}

// serve starts a server with nothing in it.
func serve(ctx context.Context, workers int) (*millrace, error) {
	m := &millrace{}
	log := slog.New(slog.NewTextHandler(&m.log, &slog.HandlerOptions{Level: slog.LevelError}))
	server, err := inside.Serve(coord.Options{Workers: workers, Log: log})
	if err != nil {
		return nil, err
	}
	m.server = server
	if err := m.connect(ctx); err != nil {
		_ = server.Close() // the error that counts is the other
		return nil, err
	}
	return m, nil
}

func (m *millrace) connect(ctx context.Context) error {
	conn, err := m.server.Connect(ctx)
	if err != nil {
		return err
	}
	m.conn = conn
	_, err = ask(ctx, conn, limit)
	return err
}

// ask asks, and makes of a connection that was lost an error like any other.
func (m *millrace) ask(ctx context.Context, sql string) (*inside.Answer, error) {
	a, err := ask(ctx, m.conn, sql)
	if err == nil || ctx.Err() != nil {
		return a, err
	}
	if err := m.connect(ctx); err != nil {
		return nil, err
	}
	return &inside.Answer{Err: &inside.Error{Code: "XX000", Message: "connection lost: " + err.Error()[:min(80, len(err.Error()))] + m.log.take()}}, nil
}

func (m *millrace) close() {
	_ = m.conn.Close()
	_ = m.server.Close() // nothing of it is needed any more
}

// panics keeps what a server logs as an error.
type panics struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// Write takes a line of the log.
func (p *panics) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(line)
}

// take gives what was logged since the last time.
func (p *panics) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.text.String()
	p.text.Reset()
	lines := strings.Split(strings.ReplaceAll(s, "\\n", "\n"), "\n")
	return "\n" + strings.Join(lines[:min(len(lines), 30)], "\n")
}
