package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/console/api"
	"millrace/sql/ast"
)

// tail prints a view, and what changes of it from then on.
func tail(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("millrace tail VIEW", flag.ContinueOnError)
	var c config
	c.flags(fs)
	format := fs.String("format", "json", "json: an object on each line; text or csv: as COPY writes them")
	snapshot := fs.Bool("snapshot", true, "begin with what is there")
	name, args := operand(fs, args)
	if err := load(fs, &c, args); err != nil {
		return err
	}
	if name == "" {
		return errors.New("name what to follow: millrace tail VIEW [flags]")
	}
	var err error
	switch *format {
	case "json":
		err = c.tailLines(ctx, os.Stdout, name, *snapshot)
	case "text", "csv":
		err = c.tailCopy(ctx, os.Stdout, name, *format, *snapshot)
	default:
		return fmt.Errorf("format %q: one of json, text, csv", *format)
	}
	if ctx.Err() != nil {
		return nil // it was told to stop
	}
	return err
}

// tailLines prints lines of JSON, which come over HTTP.
func (c *config) tailLines(ctx context.Context, to io.Writer, view string, snapshot bool) (err error) {
	address := fmt.Sprintf("http://%s/api/subscribe?view=%s&snapshot=%t", c.HTTPListen, url.QueryEscape(view), snapshot)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	q.Header.Set("Accept", "application/x-ndjson")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return c.unanswered(err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		var refused struct{ Error api.Error }
		if err := json.NewDecoder(res.Body).Decode(&refused); err != nil {
			return fmt.Errorf("the answer of the server: %s", res.Status)
		}
		e := refused.Error
		return &pgconn.PgError{Severity: e.Severity, Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint}
	}
	_, err = io.Copy(to, res.Body)
	return err
}

// tailCopy prints lines as COPY writes them.
func (c *config) tailCopy(ctx context.Context, to io.Writer, view, format string, snapshot bool) (err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	parts := strings.Split(view, ".")
	for i, p := range parts {
		parts[i] = ast.QuoteIdent(p)
	}
	_, err = conn.CopyTo(ctx, to, fmt.Sprintf("COPY (SUBSCRIBE %s WITH (SNAPSHOT = %t)) TO STDOUT WITH (FORMAT %s)", strings.Join(parts, "."), snapshot, format))
	return err
}
