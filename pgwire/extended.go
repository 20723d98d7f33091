package pgwire

import (
	"bytes"
	"context"
	"slices"
	"unicode/utf8"

	"github.com/jackc/pgproto3/v2"

	"millrace/coord"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/parse"
)

// portal is a bound statement. Its result stands from the first Execute until it is closed or the transaction ends.
type portal struct {
	p       *coord.Prepared
	args    []repr.Datum
	formats []int16
	res     *coord.Result
	done    bool
	release func() // of the memory of the parameters
}

// portalBytes is about what a portal takes beside its parameters, and datumBytes what each of these does beside its bytes.
const (
	portalBytes = 512
	datumBytes  = 64
)

func (p *portal) close() {
	p.release()
	if p.res != nil && p.res.Rows != nil {
		p.res.Rows.Close()
	}
}

// extended serves one message of the extended protocol; after an error everything up to Sync is skipped.
func (c *conn) extended(f frame) {
	ctx, done := c.statement()
	defer done()
	var err *repr.Error
	switch f.kind {
	case 'P':
		err = c.parse(ctx, f.body)
	case 'B':
		err = c.bind(f.body)
	case 'D':
		err = c.describe(f.body)
	case 'E':
		err = c.execute(ctx, f)
	case 'C':
		err = c.closeNamed(f.body)
	}
	if err != nil {
		c.session.Fail()
		c.fail(err)
		c.flush()
		c.skip = true
	}
}

func (c *conn) parse(ctx context.Context, body []byte) *repr.Error {
	var m pgproto3.Parse
	if err := decode(&m, body); err != nil {
		return err
	}
	switch {
	case m.Name == "":
		_ = c.session.SetNamed("", nil) // to forget does not fail
	case c.session.Named(m.Name) != nil:
		return repr.NewError("42P05", "prepared statement \""+m.Name+"\" already exists")
	case c.session.NamedCount() >= maxNamed:
		return tooMany("prepared statements")
	}
	stmts, err := c.session.Split(m.Query)
	if err != nil {
		return err
	}
	if len(stmts) > 1 {
		return repr.NewError(repr.CodeSyntax, "cannot insert multiple commands into a prepared statement")
	}
	var one parse.Parsed
	if len(stmts) == 1 {
		one = stmts[0]
	}
	p, err := c.session.Prepare(ctx, one, m.ParameterOIDs)
	if err != nil {
		return err
	}
	if err := c.session.SetNamed(m.Name, p); err != nil {
		return err
	}
	c.send(&pgproto3.ParseComplete{})
	return nil
}

// named finds a prepared statement.
func (c *conn) named(name string) (*coord.Prepared, *repr.Error) {
	if p := c.session.Named(name); p != nil {
		return p, nil
	}
	if name == "" {
		return nil, repr.NewError(repr.CodeInvalidStatementName, "unnamed prepared statement does not exist")
	}
	return nil, repr.NewError(repr.CodeInvalidStatementName, "prepared statement \""+name+"\" does not exist")
}

func tooMany(what string) *repr.Error {
	return repr.NewError(repr.CodeProgramLimit, "too many "+what+" in one connection").
		WithDetail("the limit is " + itoa(maxNamed)).WithHint("close those that are not used")
}

func (c *conn) bind(body []byte) *repr.Error {
	var m pgproto3.Bind
	if err := decode(&m, body); err != nil {
		return err
	}
	p, err := c.named(m.PreparedStatement)
	if err != nil {
		return err
	}
	if len(m.Parameters) != len(p.Params) {
		return repr.NewError(repr.CodeProtocolViolation, "bind message supplies "+itoa(len(m.Parameters))+
			" parameters, but prepared statement \""+m.PreparedStatement+"\" requires "+itoa(len(p.Params)))
	}
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return repr.NewError(repr.CodeProtocolViolation, "bind message has "+itoa(n)+" parameter formats but "+
			itoa(len(m.Parameters))+" parameters")
	}
	if n := len(m.ResultFormatCodes); n > 1 && n != len(p.Cols) {
		return repr.NewError(repr.CodeProtocolViolation, "bind message has "+itoa(n)+" result formats but query has "+
			itoa(len(p.Cols))+" columns")
	}
	for _, code := range m.ResultFormatCodes {
		if code != pgproto3.TextFormat && code != pgproto3.BinaryFormat {
			return unknownFormat(code)
		}
	}
	bound := &portal{p: p, formats: m.ResultFormatCodes}
	for i, v := range m.Parameters {
		d, err := c.parameter(p.Params[i], v, formatOf(m.ParameterFormatCodes, i))
		if err != nil {
			if err.Detail == "" {
				err = err.WithDetail("parameter $" + itoa(i+1))
			}
			return err
		}
		bound.args = append(bound.args, d)
	}
	if old := c.portals[m.DestinationPortal]; old != nil {
		if m.DestinationPortal != "" {
			return repr.NewError("42P03", "portal \""+m.DestinationPortal+"\" already exists")
		}
		old.close()
		delete(c.portals, m.DestinationPortal)
	} else if len(c.portals) >= maxNamed {
		return tooMany("portals")
	}
	if bound.release, err = c.session.Hold(int64(portalBytes+len(body)+datumBytes*len(bound.args)), "a portal"); err != nil {
		return err
	}
	c.portals[m.DestinationPortal] = bound
	c.send(&pgproto3.BindComplete{})
	return nil
}

func (c *conn) parameter(t repr.Type, v []byte, format int16) (repr.Datum, *repr.Error) {
	switch {
	case v == nil:
		return repr.Null, nil
	case format == pgproto3.BinaryFormat:
		return pgfmt.ParseBinary(t, v)
	case format != pgproto3.TextFormat:
		return repr.Null, unknownFormat(format)
	case !utf8.Valid(v) || bytes.IndexByte(v, 0) >= 0:
		return repr.Null, repr.NewError(repr.CodeInvalidEncoding, "invalid byte sequence for encoding \"UTF8\"")
	default:
		return pgfmt.ParseText(t, string(v), c.session.TextOptions())
	}
}

func unknownFormat(code int16) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "unsupported format code: "+itoa(int(code)))
}

func (c *conn) describe(body []byte) *repr.Error {
	var m pgproto3.Describe
	if err := decode(&m, body); err != nil {
		return err
	}
	if m.ObjectType == 'P' {
		p := c.portals[m.Name]
		if cols, ok := c.session.CursorCols(m.Name); ok && p == nil {
			c.describeRows(cols, nil)
			return nil
		}
		if p == nil {
			return repr.NewError(repr.CodeInvalidCursor, "portal \""+m.Name+"\" does not exist")
		}
		c.describeResult(p.p, p.formats)
		return nil
	}
	p, err := c.named(m.Name)
	if err != nil {
		return err
	}
	d := &pgproto3.ParameterDescription{ParameterOIDs: make([]uint32, len(p.Params))}
	for i, t := range p.Params {
		d.ParameterOIDs[i] = t.OID()
	}
	c.send(d)
	c.describeResult(p, nil)
	return nil
}

func (c *conn) describeResult(p *coord.Prepared, formats []int16) {
	if p.Cols == nil {
		c.send(&pgproto3.NoData{})
		return
	}
	c.describeRows(p.Cols, formats)
}

func (c *conn) execute(ctx context.Context, f frame) *repr.Error {
	var m pgproto3.Execute
	if err := decode(&m, f.body); err != nil {
		return err
	}
	p := c.portals[m.Portal]
	if p == nil {
		return repr.NewError(repr.CodeInvalidCursor, "portal \""+m.Portal+"\" does not exist")
	}
	if p.res == nil {
		if err := c.run(ctx, p, f.last); err != nil {
			return err
		}
	} else if c.session.TxStatus() == 'E' {
		return repr.NewError(repr.CodeFailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
	} else if p.done && p.res.Rows == nil {
		return repr.NewError(repr.CodeObjectNotReady, "portal \""+m.Portal+"\" cannot be run")
	}
	switch {
	case p.res.CopyOut != nil:
		p.done = true
		tag, err := c.copyOut(ctx, p.res)
		if err == nil {
			c.complete(tag)
		}
		return err
	case p.res.CopyIn != nil && !p.done:
		p.done = true
		tag, err := c.copyIn(ctx, p.res.CopyIn)
		if err == nil {
			c.complete(tag)
		}
		return err
	case p.res.Rows == nil:
		p.done = true
		c.complete(p.res.Tag)
		return nil
	case p.done:
		c.complete(rowsTag(p.res.Tag, 0))
		return nil
	}
	w := c.rowWriter(p.res.Cols, p.formats)
	n, more, err := w.pump(ctx, p.res.Rows, int64(m.MaxRows))
	if err != nil {
		return err
	}
	if more {
		c.send(&pgproto3.PortalSuspended{})
		return nil
	}
	p.done = true
	c.complete(rowsTag(p.res.Tag, n))
	return nil
}

// run starts the statement of a portal. The statements up to a Sync are one transaction, unless they say otherwise; the
// only one, known by the Sync behind it, commits by itself, which spares it conflicts with others.
func (c *conn) run(ctx context.Context, p *portal, last bool) *repr.Error {
	defer c.observe()()
	if !last {
		c.session.BeginImplicit()
		c.piped = true
	}
	res, err := c.session.Execute(ctx, p.p, p.args)
	if err != nil {
		return err
	}
	p.res = res
	if res.Rows != nil && res.CopyOut == nil && !sameTypes(res.Cols, p.p.Cols) {
		return repr.NewError(repr.CodeFeatureNotSupported, "cached plan must not change result type").
			WithHint("prepare the statement again")
	}
	return nil
}

// sameTypes says whether two results look the same to a client.
func sameTypes(a, b repr.RowDesc) bool {
	return slices.EqualFunc(a, b, func(x, y repr.Column) bool { return x.Type.OID() == y.Type.OID() })
}

func (c *conn) closeNamed(body []byte) *repr.Error {
	var m pgproto3.Close
	if err := decode(&m, body); err != nil {
		return err
	}
	if m.ObjectType == 'S' {
		_ = c.session.SetNamed(m.Name, nil) // to forget does not fail
	} else if p := c.portals[m.Name]; p != nil { // a cursor goes with CLOSE or the transaction
		p.close()
		delete(c.portals, m.Name)
	}
	c.send(&pgproto3.CloseComplete{})
	return nil
}

// dropPortals closes what the end of a transaction leaves behind.
func (c *conn) dropPortals() {
	for name, p := range c.portals {
		p.close()
		delete(c.portals, name)
	}
}
