package ast

import "unicode/utf8"

// Constants are the rows of INSERT … VALUES in which every item is a constant, as they were written. A statement of
// thousands of rows has one of these, where a Query would have a node for every item.
type Constants struct {
	At
	Width  int        // items of a row
	Items  []Constant // of all rows, one row after the other
	Source string     // the text sent, in which the items have their places
}

// Constant is one item.
type Constant struct {
	Kind  ConstantKind
	Start uint32 // byte offset in the source
	Text  string // of a number with its sign, of a string with its escapes resolved
}

// ConstantKind is what kind of constant an item is.
type ConstantKind uint8

// The kinds of constants.
const (
	ConstantNull ConstantKind = iota
	ConstantFalse
	ConstantTrue
	ConstantNumber // a sign stands right before its digits
	ConstantString
)

// Len is how many rows there are.
func (c *Constants) Len() int { return len(c.Items) / c.Width }

// Query is the same as nodes.
func (c *Constants) Query() *Query {
	values := &Values{At: c.At, Rows: make([][]Expr, 0, c.Len())}
	p := places{text: c.Source, char: 1}
	for at := 0; at < len(c.Items); at += c.Width {
		row := make([]Expr, c.Width)
		for i := range row {
			row[i] = c.Items[at+i].expr(&p)
		}
		values.Rows = append(values.Rows, row)
	}
	return &Query{At: c.At, Body: values}
}

func (k *Constant) expr(p *places) Expr {
	at := At{Pos: p.of(int(k.Start))}
	switch k.Kind {
	case ConstantNumber:
		if k.Text[0] == '-' {
			return &Unary{At: at, Op: "-", Arg: &NumberLit{At: At{Pos: at.Pos + 1}, Text: k.Text[1:]}}
		}
		return &NumberLit{At: at, Text: k.Text}
	case ConstantString:
		return &StringLit{At: at, Value: k.Text}
	case ConstantFalse, ConstantTrue:
		return &BoolLit{At: at, Value: k.Kind == ConstantTrue}
	default:
		return &NullLit{At: at}
	}
}

// places counts the characters of a text, forward.
type places struct {
	text string
	byte int
	char int
}

// of is the 1-based character of a byte offset, which never goes back.
func (p *places) of(offset int) int {
	p.char += utf8.RuneCountInString(p.text[p.byte:offset])
	p.byte = offset
	return p.char
}

// Plain is the statement with its constants as a query.
func (n *Insert) Plain() *Insert {
	if n.Constants == nil {
		return n
	}
	out := *n
	out.Query, out.Constants = n.Constants.Query(), nil
	return &out
}
