package parse

import (
	"fmt"
	"strings"

	libparser "github.com/auxten/postgresql-parser/pkg/sql/parser"
	"github.com/auxten/postgresql-parser/pkg/sql/pgwire/pgerror"
	"github.com/auxten/postgresql-parser/pkg/sql/sem/tree"

	"millrace/repr"
	"millrace/sql/ast"
)

// queryIn reads the tokens in [lo, hi) as a query expression.
func (p *parser) queryIn(lo, hi int) *ast.Query {
	if rows := p.literalRows(lo, hi); rows != nil {
		p.pos = hi
		return rows
	}
	return p.libraryQuery(lo, hi)
}

// libraryQuery reads the tokens in [lo, hi) with the library.
func (p *parser) libraryQuery(lo, hi int) *ast.Query {
	q := &ast.Query{At: ast.At{Pos: p.toks[lo].char}, Body: &ast.Values{}}
	if p.err != nil {
		return q
	}
	first := lo
	for first < hi && p.toks[first].is("(") {
		first++
	}
	if lo >= hi || !startsQuery(p.toks[first]) {
		p.unexpectedAt(first)
		return q
	}
	s := newSkeleton(p)
	s.run(lo, hi)
	sel := s.parse()
	if sel == nil {
		return q
	}
	t := newTranslator(s)
	t.defaultDepth = p.defaultDepth
	out := t.query(sel)
	out.At = q.At
	p.pos = hi
	return out
}

// exprIn reads the tokens in [lo, hi) as one expression.
func (p *parser) exprIn(lo, hi int) ast.Expr {
	if p.err == nil && lo >= hi {
		p.unexpectedAt(lo)
	}
	list := p.exprsIn(lo, hi)
	if p.err == nil && len(list) != 1 {
		p.unexpectedAt(p.find(lo, hi, func(i int) bool { return p.toks[i].is(",") }))
	}
	if p.err != nil {
		return &ast.NullLit{}
	}
	return list[0]
}

// exprsIn reads the tokens in [lo, hi) as expressions with commas between them; nil when there is none.
func (p *parser) exprsIn(lo, hi int) []ast.Expr {
	if p.err != nil || lo >= hi {
		return nil
	}
	s := newSkeleton(p)
	s.text(lo, "values (")
	s.run(lo, hi)
	s.text(hi, ")")
	sel := s.parse()
	if sel == nil {
		return nil
	}
	values, ok := sel.Select.(*tree.ValuesClause)
	if !ok || len(values.Rows) != 1 || sel.OrderBy != nil || sel.Limit != nil {
		p.unexpectedAt(hi)
		return nil
	}
	t := newTranslator(s)
	t.defaultDepth = p.defaultDepth
	out := t.exprs(values.Rows[0])
	p.pos = hi
	return out
}

// clauseEnders are the words that would end the clause being read, so that the library took what follows
// for a further one.
var clauseEnders = wordSet("from where group having window order limit offset fetch for union intersect except")

// clauseIn hands the tokens in [lo, hi) to the library behind words of ours that make them a clause.
func (p *parser) clauseIn(before string, lo, hi int) (*translator, *tree.Select) {
	if p.err == nil && lo >= hi {
		p.unexpectedAt(lo)
	}
	p.forbid(lo, hi)
	if p.err != nil {
		return nil, nil
	}
	s := newSkeleton(p)
	s.text(lo, before)
	s.run(lo, hi)
	sel := s.parse()
	if sel == nil {
		return nil, nil
	}
	p.pos = hi
	return newTranslator(s), sel
}

// targetsIn reads the tokens in [lo, hi) as a list of targets.
func (p *parser) targetsIn(lo, hi int) []ast.Target {
	t, sel := p.clauseIn("select", lo, hi)
	if sel == nil {
		return nil
	}
	body, ok := t.query(sel).Body.(*ast.Select)
	if !ok || body.Distinct {
		p.unexpectedAt(lo)
		return nil
	}
	return body.Targets
}

// fromIn reads the tokens in [lo, hi) as a FROM list.
func (p *parser) fromIn(lo, hi int) []ast.TableExpr {
	t, sel := p.clauseIn("select * from", lo, hi)
	if sel == nil {
		return nil
	}
	body, ok := sel.Select.(*tree.SelectClause)
	if !ok {
		p.unexpectedAt(lo)
		return nil
	}
	var out []ast.TableExpr
	for _, item := range body.From.Tables {
		out = append(out, t.tableExpr(item))
	}
	return out
}

// orderIn reads the tokens in [lo, hi) as the items of an ORDER BY.
func (p *parser) orderIn(lo, hi int) []ast.OrderItem {
	t, sel := p.clauseIn("select * order by", lo, hi)
	if sel == nil {
		return nil
	}
	return t.orderBy(sel.OrderBy)
}

// forbid records a syntax error at the first word outside parentheses in [lo, hi) that ends a clause.
func (p *parser) forbid(lo, hi int) {
	if p.err != nil {
		return
	}
	at := p.find(lo, hi, func(i int) bool {
		t, prev := p.toks[i], p.toks[max(i-1, 0)]
		return t.kind == tokWord && clauseEnders[t.text] && !prev.isWord("distinct") && !prev.is(".") && !prev.isWord("rows")
	})
	if at < hi {
		p.unexpectedAt(at)
	}
}

// parse hands the skeleton to the library; nil after an error.
func (s *skeleton) parse() *tree.Select {
	if s.p.err != nil {
		return nil
	}
	stmt, err := callLibrary(string(s.out))
	if err != nil {
		s.p.fail(s.translateError(err))
		return nil
	}
	sel, ok := stmt.(*tree.Select)
	if !ok {
		s.p.unexpectedAt(s.hi)
		return nil
	}
	return sel
}

// libraryPanic is a panic of the library, kept as an error.
type libraryPanic struct{ value any }

func (l *libraryPanic) Error() string { return fmt.Sprintf("the query parser panicked: %v", l.value) }

// callLibrary is the only door to the library. A panic of its own must not end the connection: it is an
// error of this one statement.
func callLibrary(text string) (stmt tree.Statement, err error) {
	defer func() {
		if v := recover(); v != nil {
			stmt, err = nil, &libraryPanic{value: v}
		}
	}()
	stmts, err := libparser.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(stmts) != 1 {
		return nil, &libraryPanic{value: fmt.Sprintf("%d statements", len(stmts))}
	}
	return stmts[0].AST, nil
}

// translateError turns an error of the library into ours: which token it stopped at, by the place of the
// caret that it draws under the skeleton.
func (s *skeleton) translateError(err error) *repr.Error {
	if _, ok := err.(*libraryPanic); ok {
		return repr.NewError(repr.CodeInternal, err.Error()).At(s.p.toks[s.p.end()].char)
	}
	flat := pgerror.Flatten(err)
	offset := len(s.out)
	if i := strings.LastIndexByte(flat.Detail, '\n'); i >= 0 && strings.HasSuffix(flat.Detail, "^") {
		offset = len(flat.Detail) - i - 2
	}
	tok := s.p.toks[min(s.tokenAt(offset), s.p.end())]
	if i := strings.Index(flat.Message, "frame "); i >= 0 {
		return repr.NewError("42P20", flat.Message[i:]).At(tok.char)
	}
	if strings.Contains(flat.Message, "unimplemented") {
		return repr.NewError(repr.CodeFeatureNotSupported, "this form of query is not supported").At(tok.char)
	}
	return s.p.syntaxError(tok)
}
