package coord

import (
	"context"
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sources"
	"millrace/sources/webhook"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/plan"
)

// webhookSource is a source whose records are the bodies of HTTP requests.
type webhookSource struct {
	outside
	foundSchemas
	cfg    webhook.Config
	check  expr.Scalar // over the inputs; nil: everything is taken
	inputs []checkInput
}

// checkInput is a value that the check can name.
type checkInput struct {
	kind   ast.CheckKind
	secret string // the value of a secret
	bytes  bool
}

// webhookFormats are the formats of bodies, in the words of the connector.
var webhookFormats = map[string]webhook.Format{
	"json": webhook.FormatJSON, "json array": webhook.FormatJSONArray, "text": webhook.FormatText, "bytes": webhook.FormatBytes,
}

// webhookSource reads a CREATE SOURCE … FROM WEBHOOK.
func (s *Session) webhookSource(st *ast.CreateSource) (sourceSpec, *repr.Error) {
	switch {
	case len(st.Columns) > 0 || len(st.ColumnNames) > 0 || len(st.Constraints) > 0:
		return nil, unsupported("a list of columns of a webhook", st.Pos)
	case st.Encoding != (ast.Encoding{}) || st.Envelope != nil || st.Tables != nil:
		return nil, unsupported("FORMAT, ENVELOPE or FOR TABLES of a webhook", st.Pos).WithHint("a webhook has BODY FORMAT")
	}
	for i := range st.Options {
		if o := &st.Options[i]; o.Name != optionRetain {
			return nil, unknownOption(o, " of a webhook", optionRetain)
		}
	}
	body, ok := ast.FindOption(st.From.Options, "body format")
	if !ok {
		return nil, repr.NewError(repr.CodeSyntax, "the webhook has no BODY FORMAT").WithHint("add BODY FORMAT JSON, JSON ARRAY, TEXT or BYTES").At(st.From.Pos)
	}
	spec := &webhookSource{}
	spec.place = "requests"
	if spec.cfg.Format, ok = webhookFormats[body.Value.Text]; !ok {
		return nil, unsupported("BODY FORMAT "+strings.ToUpper(body.Value.Text), body.Pos).WithHint("the formats are JSON, JSON ARRAY, TEXT and BYTES")
	}
	if err := spec.takeIncludes(st.Includes); err != nil {
		return nil, err
	}
	return spec, s.webhookCheck(spec, st.Check)
}

// takeIncludes reads which headers are columns.
func (spec *webhookSource) takeIncludes(list []ast.Include) *repr.Error {
	names := map[string]bool{"body": true}
	for _, in := range list {
		name := in.Alias
		switch {
		case in.Kind == ast.IncludeHeaders && name == "":
			spec.cfg.Headers, name = true, "headers"
			spec.takeFilter(in.Filter)
		case in.Kind == ast.IncludeHeader && name != "":
			spec.cfg.Include = append(spec.cfg.Include, webhook.Header{Name: strings.ToLower(in.Header), As: name, Bytes: in.Bytes})
		default:
			return unsupported("this INCLUDE "+in.Kind.String()+" of a webhook", in.Pos).WithHint("write INCLUDE HEADERS, or INCLUDE HEADER 'name' AS column")
		}
		if names[name] {
			return repr.NewError(repr.CodeDuplicateColumn, "column \""+name+"\" specified more than once").At(in.Pos)
		}
		names[name] = true
	}
	return nil
}

// takeFilter reads which headers are in the column of all.
func (spec *webhookSource) takeFilter(list []ast.HeaderFilter) {
	for _, f := range list {
		name := strings.ToLower(f.Name)
		if f.Not {
			spec.cfg.Without = append(spec.cfg.Without, name)
		} else {
			spec.cfg.Only = append(spec.cfg.Only, name)
		}
	}
}

// webhookCheck binds what requests have to fulfil.
func (s *Session) webhookCheck(spec *webhookSource, check *ast.WebhookCheck) *repr.Error {
	if check == nil {
		return nil
	}
	row := &plan.Item{Name: "request"}
	for _, in := range check.With {
		input, name, kind := checkInput{kind: in.Kind, bytes: in.Bytes}, strings.ToLower(in.Kind.String()), repr.KindText
		switch {
		case in.Kind == ast.CheckSecret:
			it, err := s.secretNamed(in.Secret)
			if err != nil {
				return err
			}
			input.secret, name = it.Def.(*secretSpec).value, it.Name
			spec.depends = append(spec.depends, it.ID)
		case in.Kind == ast.CheckHeaders && in.Bytes:
			return unsupported("HEADERS … BYTES in a check", in.Pos)
		case in.Kind == ast.CheckHeaders:
			kind = repr.KindJSONB
		}
		if in.Bytes {
			kind = repr.KindBytea
		}
		if in.Alias != "" {
			name = in.Alias
		}
		if row.Desc.Index(name) >= 0 {
			return repr.NewError(repr.CodeDuplicateColumn, "\""+name+"\" is given twice").WithHint("give one another name: AS …").At(in.Pos)
		}
		row.Desc = append(row.Desc, repr.Column{Name: name, Type: repr.TypeOf(kind), NotNull: true})
		spec.inputs = append(spec.inputs, input)
	}
	var err *repr.Error
	spec.check, err = plan.Check(s.env(s.c.Catalog()), row, check.Expr)
	return err
}

func (spec *webhookSource) connector(c *Coordinator) (sources.Described, *repr.Error) {
	cfg := spec.cfg
	cfg.MostBytes = c.fetchBytes()
	return webhook.New(cfg), nil
}

// Webhook is a source that takes requests.
type Webhook struct {
	c    *Coordinator
	name string
	spec *webhookSource
	src  *webhook.Source
}

// Webhook finds the source that the path of a request means.
func (c *Coordinator) Webhook(ctx context.Context, database, schema, name string) (*Webhook, *repr.Error) {
	if database != catalog.DefaultDatabase {
		return nil, repr.NewError("3D000", "database \""+database+"\" does not exist")
	}
	it := c.Catalog().Find([]string{schema, name}, nil)
	missing := repr.NewError(repr.CodeUndefinedTable, "source \""+schema+"."+name+"\" does not exist")
	if it == nil {
		return nil, missing
	}
	if it.Failed != nil {
		return nil, errFailed(it)
	}
	spec, ok := it.Def.(*webhookSource)
	if !ok {
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+schema+"."+name+"\" is not a webhook")
	}
	w := &Webhook{c: c, name: it.Name, spec: spec}
	var broken error
	err := c.do(ctx, func() {
		broken = c.broken
		if r := c.sources[it.ID]; r != nil {
			w.src, _ = r.connector.(*webhook.Source)
		}
	})
	if err == nil && broken != nil {
		return nil, asError(broken)
	}
	if err == nil && w.src == nil {
		err = repr.NewError(repr.CodeObjectNotReady, "source \""+it.Name+"\" does not run").WithHint("send it again in a second")
	}
	return w, err
}

// Take takes a request, and returns when its rows are durable; it gives their number. The headers are by names in small letters.
func (w *Webhook) Take(ctx context.Context, headers map[string]string, body []byte) (int, *repr.Error) {
	if w.c.memory.pressed.Load() {
		return 0, w.c.memory.refusal("and takes no requests", "")
	}
	if err := w.verify(headers, body); err != nil {
		return 0, err
	}
	rows, err := w.src.Rows(headers, body)
	if err != nil {
		return 0, err
	}
	err = w.src.Take(ctx, rows)
	w.c.turn(ctx)
	return len(rows), err
}

// verify holds a request to the check. Why it is refused is told to the log alone, for an answer may go to somebody who guesses.
func (w *Webhook) verify(headers map[string]string, body []byte) *repr.Error {
	if w.spec.check == nil {
		return nil
	}
	row := make([]repr.Datum, len(w.spec.inputs))
	for i, in := range w.spec.inputs {
		value, err := in.value(headers, body)
		if err != nil {
			return err
		}
		row[i] = value
	}
	var r expr.Row
	r.SetDatums(row)
	session := w.c.maker(nil)
	pass, err := expr.Compile(w.spec.check, session.env(w.c.Catalog()).Eval)(&r)
	if err != nil {
		w.c.opts.Log.Warn("the check of a webhook failed on a request", "object", w.name, "code", err.Code) // its text may quote a secret
	}
	if err != nil || pass.IsNull() || !pass.Bool() {
		return repr.NewError(repr.CodeInsufficientPrivilege, "the request does not pass the check of source \""+w.name+"\"")
	}
	return nil
}

// value is an input of the check for a request.
func (in *checkInput) value(headers map[string]string, body []byte) (repr.Datum, *repr.Error) {
	switch in.kind {
	case ast.CheckHeaders:
		return webhook.HeadersOf(headers)
	case ast.CheckSecret:
		body = []byte(in.secret)
	case ast.CheckBody:
	}
	if in.bytes {
		return repr.Bytea(body), nil
	}
	return webhook.TextOf(body)
}
