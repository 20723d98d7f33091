package pgwire

import (
	"context"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/repr"
)

// simple serves a simple query: its statements one after the other, up to the first error. Several statements are one
// transaction, unless they say otherwise.
func (c *conn) simple(text string) {
	stmts, err := c.session.Split(text)
	if err != nil {
		c.session.Fail()
		c.fail(err)
		return
	}
	if len(stmts) == 0 {
		c.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	ctx, done := c.statement()
	defer done()
	if len(stmts) > 1 {
		c.session.BeginImplicit()
		defer func() {
			if err := c.session.EndImplicit(ctx); err != nil {
				c.fail(err)
			}
		}()
	}
	for _, st := range stmts {
		p, err := c.session.Prepare(ctx, st, nil)
		if err == nil && len(p.Params) > 0 {
			err = repr.NewError("42P02", "there is no parameter $1")
		}
		var res *coord.Result
		if err == nil {
			res, err = c.session.Execute(ctx, p, nil)
		}
		if err == nil {
			err = c.answer(ctx, res)
		}
		if err != nil {
			c.session.Fail()
			c.fail(err)
			return
		}
	}
}

// answer sends the whole result of a statement, all values as text.
func (c *conn) answer(ctx context.Context, res *coord.Result) *repr.Error {
	if res.CopyOut != nil {
		return c.copyOut(ctx, res)
	}
	if res.Rows == nil {
		if res.Cols != nil {
			c.describeRows(res.Cols, nil)
		}
		c.complete(res.Tag)
		return nil
	}
	defer res.Rows.Close()
	c.describeRows(res.Cols, nil)
	w := c.rowWriter(res.Cols, nil)
	n, _, err := w.pump(ctx, res.Rows, 0)
	if err != nil {
		return err
	}
	c.complete(rowsTag(res.Tag, n))
	return nil
}

func (c *conn) complete(tag string) {
	if tag == "" {
		c.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
}
