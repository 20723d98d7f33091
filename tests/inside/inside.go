// Package inside runs a server inside the process of a test, and talks to it over the wire as any client does.
//
// Server is a coordinator with PostgreSQL's protocol in front, on a loopback port of its own; Conn is one connection
// to it, or to a real PostgreSQL, for they are asked alike.
package inside

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/coord"
	"millrace/pgwire"
)

// Server is a running millrace.
type Server struct {
	URL string // postgres://user@host:port/database

	coord *coord.Coordinator
	wire  *pgwire.Server
	done  chan error
}

// Serve starts a server with nothing in it, or with what the journal has when there is one. Close must be called in the end; it
// leaves the journal open.
func Serve(opts coord.Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c, err := begin(opts)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &Server{URL: "postgres://materialize@" + l.Addr().String() + "/materialize", coord: c, wire: pgwire.NewServer(c, pgwire.Options{Log: opts.Log}), done: make(chan error, 1)}
	go func() { s.done <- s.wire.Serve(l) }()
	return s, nil
}

func begin(opts coord.Options) (*coord.Coordinator, error) {
	if opts.Journal == nil {
		return coord.New(opts), nil
	}
	c, err := coord.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("start from the journal: %w", err)
	}
	return c, nil
}

// Close ends the server and all it runs.
func (s *Server) Close() error {
	s.wire.Close()
	s.coord.Close()
	return <-s.done
}

// Connect opens a connection to the server.
func (s *Server) Connect(ctx context.Context) (*Conn, error) {
	return Connect(ctx, s.URL+"?sslmode=disable")
}

// Conn is a connection that is asked in simple queries and answers in text.
type Conn struct{ pg *pgconn.PgConn }

// Connect opens a connection to any server that speaks PostgreSQL's protocol.
func Connect(ctx context.Context, url string) (*Conn, error) {
	pg, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &Conn{pg}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.pg.Close(context.Background()) }

// Null is what stands for NULL in a row of text. No text can be it.
const Null = "\x00"

// Answer is what came back from one statement.
type Answer struct {
	Tag   string
	Names []string
	Types []uint32 // OIDs of the columns
	Rows  [][]string
	Err   *Error
}

// Error is an error that the server reported.
type Error struct{ Code, Message, Hint string }

// Error says it in one line.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Ask runs a text of statements and gives the answer of the last. An error of the connection itself, or a context
// that ended, is the second result.
func (c *Conn) Ask(ctx context.Context, sql string) (*Answer, error) {
	var last *Answer
	results := c.pg.Exec(ctx, sql)
	for results.NextResult() {
		last = read(results.ResultReader())
	}
	err := results.Close()
	var said *pgconn.PgError
	switch {
	case errors.As(err, &said):
		return &Answer{Err: &Error{said.Code, said.Message, said.Hint}}, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("ask: %w", err)
	case last == nil:
		return &Answer{}, nil
	}
	return last, nil
}

// read takes one result. An error in it is found again when the results are closed.
func read(r *pgconn.ResultReader) *Answer {
	a := &Answer{}
	for _, f := range r.FieldDescriptions() {
		a.Names = append(a.Names, f.Name)
		a.Types = append(a.Types, f.DataTypeOID)
	}
	for r.NextRow() {
		cells := make([]string, len(a.Types))
		for i, v := range r.Values() {
			cells[i] = string(v)
			if v == nil {
				cells[i] = Null
			}
		}
		a.Rows = append(a.Rows, cells)
	}
	tag, _ := r.Close()
	a.Tag = tag.String()
	return a
}
