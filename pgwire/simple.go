package pgwire

import (
	"context"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/repr"
	"millrace/sql/parse"
)

// simple serves a simple query: its statements one after the other, up to the first error. Several statements are one
// transaction, unless they say otherwise.
func (c *conn) simple(text string) {
	_ = c.session.SetNamed("", nil) // to forget does not fail
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
	for i, st := range stmts {
		if !c.one(st, len(stmts) > 1, i == len(stmts)-1) {
			return
		}
	}
}

// one runs one statement of a simple query, and says whether the next may run. The last of several commits for all of
// them before it is reported as done.
func (c *conn) one(st parse.Parsed, several, last bool) bool {
	defer c.observe()()
	ctx, done := c.statement()
	defer done()
	if several {
		c.session.BeginImplicit()
	}
	tag, err := c.answer(ctx, st)
	if err == nil && last {
		err = c.session.EndImplicit(ctx)
	}
	if err != nil {
		c.session.Fail()
		c.fail(err)
		if err := c.session.EndImplicit(ctx); err != nil {
			c.fail(err)
		}
		return false
	}
	c.complete(tag)
	return !c.broken
}

// answer runs a statement and sends its rows, all values as text. It gives the command tag.
func (c *conn) answer(ctx context.Context, st parse.Parsed) (string, *repr.Error) {
	p, err := c.session.Prepare(ctx, st, nil)
	if err == nil && len(p.Params) > 0 {
		err = repr.NewError(repr.CodeUndefinedParameter, "there is no parameter $1")
	}
	var res *coord.Result
	if err == nil {
		res, err = c.session.Execute(ctx, p, nil)
	}
	if err != nil {
		return "", err
	}
	if res.CopyOut != nil {
		return c.copyOut(ctx, res)
	}
	if res.CopyIn != nil {
		return c.copyIn(ctx, res.CopyIn)
	}
	if res.Rows == nil {
		if res.Cols != nil {
			c.describeRows(res.Cols, nil)
		}
		return res.Tag, nil
	}
	defer res.Rows.Close()
	c.describeRows(res.Cols, nil)
	w := c.rowWriter(res.Cols, nil)
	n, _, err := w.pump(ctx, res.Rows, 0)
	return rowsTag(res.Tag, n), err
}

// complete says that a statement is done.
func (c *conn) complete(tag string) {
	if tag == "" {
		c.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
}
