package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"millrace/coord"
	"millrace/repr"
	jsonfmt "millrace/repr/format/json"
	"millrace/repr/pgfmt"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// mostBody is how many bytes a request may have.
const mostBody = 16 << 20

// codeLeftOpen is what PostgreSQL calls a statement that a transaction does not let be.
const codeLeftOpen = "25001"

// request is the body of POST /api/sql: either Query, of any number of statements, or of one when it has Params, or Queries, each of one.
type request struct {
	Query   string  `json:"query"`
	Params  []any   `json:"params"`
	Queries []query `json:"queries"`
}

type query struct {
	Query  string `json:"query"`
	Params []any  `json:"params"`
}

// sql answers POST /api/sql.
func (s *Server) sql(w http.ResponseWriter, q *http.Request) {
	if kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type")); kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, repr.NewError(repr.CodeProtocolViolation, "the body must be application/json").
			WithHint("send the header Content-Type: application/json"))
		return
	}
	r, err := readRequest(http.MaxBytesReader(w, q.Body, mostBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	out := &answer{w: bufio.NewWriterSize(w, 32<<10), s: s, rc: http.NewResponseController(w)}
	session, err := s.session(func(n coord.Notice) { out.notices = append(out.notices, Notice(n)) })
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	defer session.Close()
	out.session = session
	w.Header().Set("Content-Type", "application/json")
	out.all(q.Context(), r)
}

func readRequest(body interface{ Read([]byte) (int, error) }) (*request, *repr.Error) {
	var r request
	d := json.NewDecoder(body)
	d.UseNumber()
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, repr.NewError(repr.CodeProgramLimit, "the request is larger than 16 MiB")
	case err != nil:
		return nil, repr.NewError(repr.CodeProtocolViolation, "the body does not parse: "+err.Error()).
			WithHint(`send {"query": "SELECT 1"} or {"queries": [{"query": "SELECT $1::int", "params": [1]}]}`)
	case (r.Query == "") == (r.Queries == nil):
		return nil, repr.NewError(repr.CodeProtocolViolation, "the body has to have either query or queries")
	case r.Params != nil && r.Queries != nil:
		return nil, repr.NewError(repr.CodeProtocolViolation, "params beside queries belong into each of them")
	case r.Params != nil:
		r.Queries = []query{{Query: r.Query, Params: r.Params}}
	}
	return &r, nil
}

// answer writes the results of a request as they come.
type answer struct {
	w       *bufio.Writer
	rc      *http.ResponseController
	s       *Server
	session *coord.Session
	notices []Notice
	buf     []byte
	n       int // results written
}

// statement is a statement with its parameters.
type statement struct {
	parse.Parsed
	params []any
}

// all runs the statements of a request, as one transaction unless they say otherwise, up to the first error.
func (a *answer) all(ctx context.Context, r *request) {
	a.put(`{"results":[`)
	stmts, err := a.split(r)
	if err != nil {
		a.session.Fail()
		a.begin()
		a.end("", err)
	}
	for i, st := range stmts {
		if !a.one(ctx, st, len(stmts) > 1, i == len(stmts)-1) {
			break
		}
	}
	a.put("]}\n")
	a.flush()
}

func (a *answer) split(r *request) ([]statement, *repr.Error) {
	var out []statement
	if r.Queries == nil {
		parsed, err := a.session.Split(r.Query)
		for _, p := range parsed {
			out = append(out, statement{Parsed: p})
		}
		return out, err
	}
	for _, q := range r.Queries {
		parsed, err := a.session.Split(q.Query)
		if err != nil {
			return nil, err
		}
		if len(parsed) != 1 {
			return nil, repr.NewError(repr.CodeSyntax, "each of queries, and a query with params, has to be one statement")
		}
		out = append(out, statement{Parsed: parsed[0], params: q.Params})
	}
	return out, nil
}

// one runs a statement and says whether the next may run.
func (a *answer) one(ctx context.Context, st statement, several, last bool) bool {
	if d := a.session.StatementTimeout(); d > 0 {
		timed, cancel := context.WithTimeoutCause(ctx, d, repr.NewError(repr.CodeQueryCanceled, "canceling statement due to statement timeout"))
		defer cancel()
		ctx = timed
	}
	if several {
		a.session.BeginImplicit()
	}
	a.begin()
	tag, err := a.run(ctx, st)
	if err == nil && last {
		err = a.session.EndImplicit(ctx)
	}
	if err == nil && last && a.session.TxStatus() != 'I' {
		a.notices = append(a.notices, Notice{Severity: "WARNING", Code: codeLeftOpen, Message: "the request ends within a transaction, which is rolled back",
			Hint: "end it with COMMIT in the same request; without BEGIN the statements of a request are one transaction"})
	}
	if err != nil {
		a.session.Fail()
	}
	a.end(tag, err)
	return err == nil
}

// run runs a statement and writes its rows. It gives the command tag.
func (a *answer) run(ctx context.Context, st statement) (string, *repr.Error) {
	if sub, ok := st.Stmt.(*ast.Subscribe); ok && sub.UpTo == nil {
		return "", repr.NewError(repr.CodeFeatureNotSupported, "SUBSCRIBE without UP TO does not end and cannot be answered here").
			WithHint("GET /api/subscribe?view=… is a stream").At(sub.Pos)
	}
	p, err := a.session.Prepare(ctx, st.Parsed, nil)
	if err != nil {
		return "", err
	}
	if p.CopyIn || p.CopyOut {
		return "", repr.NewError(repr.CodeFeatureNotSupported, "COPY over HTTP is not supported")
	}
	args, err := bind(p.Params, st.params, a.session.TextOptions())
	if err != nil {
		return "", err
	}
	res, err := a.session.Execute(ctx, p, args)
	if err != nil || res.Cols == nil {
		if err == nil {
			return res.Tag, nil
		}
		return "", err
	}
	a.desc(res.Cols)
	n, err := a.rows(ctx, res)
	if res.Tag == "SELECT" || res.Tag == "FETCH" {
		return res.Tag + " " + strconv.Itoa(n), err
	}
	return res.Tag, err
}

// bind makes values of parameters.
func bind(types []repr.Type, params []any, opts *pgfmt.Options) ([]repr.Datum, *repr.Error) {
	if len(params) != len(types) {
		return nil, repr.NewError(repr.CodeProtocolViolation, "the statement has "+strconv.Itoa(len(types))+" parameters, and "+
			strconv.Itoa(len(params))+" were given")
	}
	out := make([]repr.Datum, len(params))
	for i, p := range params {
		if p == nil {
			out[i] = repr.Null
			continue
		}
		d, err := pgfmt.ParseText(types[i], paramText(p), opts)
		if err != nil {
			return nil, err
		}
		out[i] = d
	}
	return out, nil
}

// paramText is a parameter as text: a string as it is, anything else as JSON writes it.
func paramText(p any) string {
	if s, ok := p.(string); ok {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(p) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// column is what is said of a column.
type column struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	TypeOID uint32 `json:"type_oid"`
	TypeLen int16  `json:"type_len"`
	TypeMod int32  `json:"type_mod"`
}

func (a *answer) desc(cols repr.RowDesc) {
	out := make([]column, len(cols))
	for i, c := range cols {
		out[i] = column{Name: c.Name, Type: c.Type.String(), TypeOID: c.Type.OID(), TypeLen: c.Type.Len(), TypeMod: c.Type.Typmod()}
	}
	a.put(`"desc":{"columns":`)
	a.json(out)
	a.put("},")
}

// rows writes the rows of a result, each as an array.
func (a *answer) rows(ctx context.Context, res *coord.Result) (n int, err *repr.Error) {
	a.put(`"rows":[`)
	defer a.put("],")
	if res.Rows == nil {
		return 0, nil
	}
	defer res.Rows.Close()
	for {
		row, ok, err := res.Rows.Next(ctx)
		if err != nil || !ok {
			return n, err
		}
		a.buf = appendArray(a.buf[:0], res.Cols, row)
		if n++; n > 1 {
			a.put(",")
		}
		_, _ = a.w.Write(a.buf) // the writer keeps its first error for Flush
		if a.w.Available() < 1<<10 && !a.flush() {
			return n, repr.NewError(repr.CodeConnectionFailure, "the client is gone")
		}
	}
}

func appendArray(dst []byte, cols repr.RowDesc, row []byte) []byte {
	dst = append(dst, '[')
	for i := range cols {
		var d repr.Datum
		d, row = repr.Decode(row)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonfmt.AppendValue(dst, cols[i].Type, d)
	}
	return append(dst, ']')
}

func (a *answer) begin() {
	if a.n++; a.n > 1 {
		a.put(",")
	}
	a.notices = []Notice{}
	a.put("{")
}

// end ends a result with what became of it.
func (a *answer) end(tag string, err *repr.Error) {
	if err != nil {
		a.put(`"error":`)
		a.json(errorOf(err))
	} else {
		a.put(`"tag":`)
		a.json(tag)
	}
	a.put(`,"notices":`)
	a.json(a.notices)
	a.put("}")
}

func (a *answer) put(text string) { _, _ = a.w.WriteString(text) } // the writer keeps its first error for Flush

func (a *answer) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte("null")
	}
	_, _ = a.w.Write(b) // the writer keeps its first error for Flush
}

// flush sends what was written, and says whether the client takes it.
func (a *answer) flush() bool {
	_ = a.rc.SetWriteDeadline(a.s.clock.Now().Add(a.s.opts.WriteTimeout)) // a recorder has none
	return a.w.Flush() == nil
}
