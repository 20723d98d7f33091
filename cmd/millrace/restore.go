package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/coord"
)

// restore runs the statements of a dump.
func restore(ctx context.Context, args []string) (err error) {
	fs := flag.NewFlagSet("millrace restore FILE", flag.ContinueOnError)
	var c config
	c.flags(fs)
	offline := fs.Bool("offline", false, "write to the data directory; no server may run on it")
	from := fs.Int("from-line", 1, "begin with the statement at this line; of those before it only SET is run")
	name, args := operand(fs, args)
	if err := load(fs, &c, args); err != nil {
		return err
	}
	if name == "" {
		return errors.New("name the file of the dump, or - for standard input: millrace restore FILE [flags]")
	}
	in := os.Stdin
	if name != "-" {
		if in, err = os.Open(name); err != nil {
			return err
		}
		defer func() { _ = in.Close() }()
	}
	conn, done, err := (*pgconn.PgConn)(nil), func() {}, error(nil)
	if *offline {
		conn, done, err = c.inside(ctx, coord.Options{})
	} else {
		conn, err = c.dial(ctx)
	}
	if err != nil {
		return err
	}
	defer done()
	n, line, err := replay(ctx, conn, in, *from)
	if err != nil && line > 0 {
		return fmt.Errorf("%s: the statement at line %d: %w; when that is mended, --from-line %d goes on there", name, line, err, line)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(os.Stderr, "%d statements\n", n)
	return nil
}

// replay runs the statements of a text one after the other, each COPY with the lines behind it; of those that begin before a line it runs
// only what sets something for the session. It ends at the first error; line is where the statement of it begins, if it has one.
func replay(ctx context.Context, c *pgconn.PgConn, in io.Reader, from int) (n, line int, err error) {
	s := newScript(in)
	for {
		sql, err := s.statement()
		if err == io.EOF {
			return n, 0, nil
		}
		if err != nil {
			return n, 0, err
		}
		began := s.began
		switch done := began < from && !isSetting(sql); {
		case done && isCopy(sql):
			_, err = io.Copy(io.Discard, &copyLines{s: s})
		case done:
		case isCopy(sql):
			rows := &copyLines{s: s}
			if _, err = c.CopyFrom(ctx, rows, sql); err == nil {
				_, err = io.Copy(io.Discard, rows)
			}
			n++
		default:
			_, err = c.Exec(ctx, sql).ReadAll()
			n++
		}
		if err != nil {
			return n, began, err
		}
	}
}

func isSetting(sql string) bool { return strings.HasPrefix(strings.ToLower(sql), "set ") }

func isCopy(sql string) bool {
	sql = strings.ToLower(sql)
	return strings.HasPrefix(sql, "copy ") && strings.HasSuffix(sql, "from stdin")
}

// script cuts a text into statements, as psql does: a semicolon ends one, unless it is in quotes or a comment.
type script struct {
	in    *bufio.Reader
	line  int
	began int // the line of the statement
}

func newScript(in io.Reader) *script { return &script{in: bufio.NewReaderSize(in, 1<<20), line: 1} }

// statement is the next statement, without its semicolon and comments before it.
func (s *script) statement() (string, error) {
	var b []byte
	for {
		c, err := s.byte()
		if err == io.EOF && len(bytes.TrimSpace(b)) > 0 {
			return "", fmt.Errorf("line %d: the last statement has no end", s.line)
		}
		if err != nil {
			return "", err
		}
		if len(b) == 0 {
			if strings.IndexByte(" \t\r\n", c) >= 0 {
				continue
			}
			s.began = s.line
		}
		if c == ';' {
			s.restOfLine()
			return string(b), nil
		}
		b = append(b, c)
		if b, err = s.within(b, c); err != nil {
			return "", fmt.Errorf("line %d: what begins there has no end", s.began)
		}
	}
}

// within takes what c begins, if that is something in which a semicolon means nothing.
func (s *script) within(b []byte, c byte) ([]byte, error) {
	last := func(n int) byte {
		if len(b) < n {
			return 0
		}
		return b[len(b)-n]
	}
	switch {
	case c == '\'' || c == '"':
		escapes := c == '\'' && (last(2) == 'E' || last(2) == 'e')
		return s.quoted(b, c, escapes)
	case c == '-' && last(2) == '-':
		b = b[:len(b)-2]
		for {
			c, err := s.byte()
			if err != nil || c == '\n' {
				return b, nil // the end is met again
			}
		}
	default:
		return b, nil
	}
}

// quoted takes what is in quotes, to their end. Doubled quotes begin again where they end.
func (s *script) quoted(b []byte, quote byte, escapes bool) ([]byte, error) {
	for {
		c, err := s.byte()
		if err != nil {
			return b, err
		}
		b = append(b, c)
		if c == '\\' && escapes {
			if c, err = s.byte(); err != nil {
				return b, err
			}
			b = append(b, c)
		} else if c == quote {
			return b, nil
		}
	}
}

func (s *script) byte() (byte, error) {
	c, err := s.in.ReadByte()
	if c == '\n' && err == nil {
		s.line++
	}
	return c, err
}

// restOfLine skips what is behind a semicolon when it is only the end of the line, so that the rows of a COPY can follow.
func (s *script) restOfLine() {
	if b, err := s.in.Peek(2); err == nil && b[0] == '\r' && b[1] == '\n' {
		_, _ = s.byte()
	}
	if b, err := s.in.Peek(1); err == nil && b[0] == '\n' {
		_, _ = s.byte()
	}
}

// copyLines are the lines behind a COPY, up to \. on a line of its own.
type copyLines struct {
	s    *script
	left []byte
	done bool
}

// Read gives the lines.
func (l *copyLines) Read(p []byte) (int, error) {
	if len(l.left) == 0 && l.done {
		return 0, io.EOF
	}
	if len(l.left) == 0 {
		line, err := l.s.in.ReadBytes('\n')
		if err != nil {
			return 0, errors.New("the rows of a COPY have no end: a line with \\. alone")
		}
		l.s.line++
		if l.done = string(bytes.TrimRight(line, "\r\n")) == `\.`; l.done {
			return 0, io.EOF
		}
		l.left = line
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}
