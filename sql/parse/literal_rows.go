package parse

import "millrace/sql/ast"

// literalRows reads VALUES (…), (…) in [lo, hi) when every item is a constant, and gives nil for anything else, also for
// what is wrong: queryIn then reads it as it reads all queries. An INSERT of thousands of rows is all constants, and the
// library takes twenty times as long over them.
func (p *parser) literalRows(lo, hi int) *ast.Query {
	if p.err != nil || lo >= hi || !p.toks[lo].isWord("values") {
		return nil
	}
	at := ast.At{Pos: p.toks[lo].char}
	values := &ast.Values{At: at}
	for i := lo + 1; ; i++ {
		row, next := p.literalRow(i, hi)
		if row == nil || len(values.Rows) > 0 && len(row) != len(values.Rows[0]) {
			return nil
		}
		values.Rows = append(values.Rows, row)
		if next == hi {
			return &ast.Query{At: at, Body: values}
		}
		if !p.toks[next].is(",") {
			return nil
		}
		i = next
	}
}

// literalRow reads (constant, …) at index i, and says what comes behind it.
func (p *parser) literalRow(i, hi int) (row []ast.Expr, next int) {
	if i >= hi || !p.toks[i].is("(") {
		return nil, 0
	}
	for i++; i < hi; i++ {
		item, width := p.literal(i)
		if item == nil {
			return nil, 0
		}
		row = append(row, item)
		i += width
		switch {
		case i >= hi:
			return nil, 0
		case p.toks[i].is(")"):
			return row, i + 1
		case !p.toks[i].is(","):
			return nil, 0
		}
	}
	return nil, 0
}

// literal reads the constant at index i, and says how many tokens it takes.
func (p *parser) literal(i int) (item ast.Expr, width int) {
	t := p.toks[i]
	at := ast.At{Pos: t.char}
	switch {
	case t.kind == tokNumber:
		return &ast.NumberLit{At: at, Text: t.text}, 1
	case t.kind == tokString:
		return &ast.StringLit{At: at, Value: t.text}, 1
	case t.isWord("null"):
		return &ast.NullLit{At: at}, 1
	case t.isWord("true"), t.isWord("false"):
		return &ast.BoolLit{At: at, Value: t.text == "true"}, 1
	case t.is("-") && p.toks[i+1].kind == tokNumber:
		next := p.toks[i+1]
		return &ast.Unary{At: at, Op: "-", Arg: &ast.NumberLit{At: ast.At{Pos: next.char}, Text: next.text}}, 2
	default:
		return nil, 0
	}
}
