package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"

	"millrace/console"
)

// backup lets a running server copy its data directory.
func backup(ctx context.Context, args []string) (err error) {
	fs := flag.NewFlagSet("millrace backup DIR", flag.ContinueOnError)
	var c config
	c.flags(fs)
	name, args := operand(fs, args)
	if err := load(fs, &c, args); err != nil {
		return err
	}
	if name == "" {
		return errors.New("name the folder to make: millrace backup DIR [flags]")
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.HTTPListen+"/api/backup?dir="+url.QueryEscape(dir), nil)
	if err != nil {
		return err
	}
	q.Header.Set(console.CommandHeader, "backup")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return c.unanswered(err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	var a console.BackupAnswer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return fmt.Errorf("the answer of the server (%s): %w", res.Status, err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	fmt.Printf("%s has %d bytes; millrace serve --data-dir %s opens it\n", dir, a.Bytes, dir)
	return nil
}

// unanswered says where a server was looked for that did not answer, and how another is named.
func (c *config) unanswered(err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		err = asked.Err
	}
	return fmt.Errorf("no server answers at http://%s: %w; --http-listen names the one to ask", c.HTTPListen, err)
}
