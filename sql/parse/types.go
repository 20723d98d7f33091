package parse

import (
	"strings"

	"millrace/sql/ast"
)

// typeSpelling maps SQL's keyword spellings of types to the catalog's names.
var typeSpelling = map[string]string{
	"int": "int4", "integer": "int4", "smallint": "int2", "bigint": "int8", "real": "float4",
	"boolean": "bool", "decimal": "numeric", "dec": "numeric", "string": "text", "char": "bpchar",
	"character": "bpchar", "nchar": "bpchar",
}

// intervalFields are the words that can restrict an interval.
var intervalFields = wordSet("year month day hour minute second")

// parseType reads a type, also of several words, with typmods and array brackets.
func (p *parser) parseType() *ast.TypeName {
	t := &ast.TypeName{At: p.at()}
	if p.accept("setof") {
		t.Setof = true
	}
	switch tok := p.peek(); {
	case tok.kind == tokWord && p.keywordType(t, tok.text):
	case isTypeName(tok):
		p.namedType(t)
	default:
		p.unexpected()
		return t
	}
	p.arrayBounds(t)
	return t
}

// isTypeName says whether a type's name may begin with the token.
func isTypeName(t token) bool {
	return t.kind == tokQuoted || (t.kind == tokWord && !reserved[t.text])
}

// keywordType reads the types that are keywords of the grammar, if the next word is one.
func (p *parser) keywordType(t *ast.TypeName, word string) bool {
	if p.peekAt(1).is(".") {
		return false
	}
	switch word {
	case "double":
		if !p.peekAt(1).isWord("precision") {
			return false
		}
		p.skip(2)
		t.Name = ast.Name{At: t.At, Parts: []string{"float8"}}
	case "float":
		p.skip(1)
		p.floatType(t)
	case "national":
		if n := p.peekAt(1); !n.isWord("character") && !n.isWord("char") {
			return false
		}
		p.skip(1)
		p.charType(t)
	case "character", "char", "nchar":
		p.charType(t)
	case "time", "timestamp":
		p.timeType(t, word)
	case "interval":
		p.skip(1)
		t.Name = ast.Name{At: t.At, Parts: []string{"interval"}}
		t.Mods = p.typmods()
		p.intervalType(t)
	case "bit":
		p.bitType(t)
	default:
		return false
	}
	return true
}

// namedType reads a plain, possibly qualified name with typmods.
func (p *parser) namedType(t *ast.TypeName) {
	quoted := p.peek().kind == tokQuoted
	t.Name = p.qualifiedTypeName()
	if len(t.Name.Parts) == 1 && !quoted {
		if to, ok := typeSpelling[t.Name.Parts[0]]; ok {
			t.Name.Parts[0] = to
		}
	}
	t.Mods = p.typmods()
}

func (p *parser) qualifiedTypeName() ast.Name {
	n := ast.Name{At: p.at()}
	for {
		tok := p.peek()
		if !tok.isName() {
			p.unexpected()
			return n
		}
		n.Parts = append(n.Parts, tok.text)
		p.skip(1)
		if !p.peek().is(".") {
			return n
		}
		p.skip(1)
	}
}

func (p *parser) floatType(t *ast.TypeName) {
	name := "float8"
	if mods := p.typmods(); len(mods) == 1 && len(mods[0]) <= 2 && mods[0] < "25" && (len(mods[0]) == 2 || mods[0] > "0") {
		name = "float4"
	}
	t.Name = ast.Name{At: t.At, Parts: []string{name}}
}

// charType reads CHARACTER, CHAR and NCHAR, with VARYING and a length; without one it is 1.
func (p *parser) charType(t *ast.TypeName) {
	p.skip(1)
	name := "bpchar"
	if p.accept("varying") {
		name = "varchar"
	}
	t.Name = ast.Name{At: t.At, Parts: []string{name}}
	t.Mods = p.typmods()
	if name == "bpchar" && t.Mods == nil {
		t.Mods = []string{"1"}
	}
}

func (p *parser) bitType(t *ast.TypeName) {
	p.skip(1)
	name := "bit"
	if p.accept("varying") {
		name = "varbit"
	}
	t.Name = ast.Name{At: t.At, Parts: []string{name}}
	t.Mods = p.typmods()
	if name == "bit" && t.Mods == nil {
		t.Mods = []string{"1"}
	}
}

// timeType reads TIME and TIMESTAMP with precision and WITH or WITHOUT TIME ZONE.
func (p *parser) timeType(t *ast.TypeName, word string) {
	p.skip(1)
	t.Mods = p.typmods()
	switch {
	case p.peek().isWord("with") && p.peekAt(1).isWord("time") && p.peekAt(2).isWord("zone"):
		p.skip(3)
		word += "tz"
	case p.peek().isWord("without") && p.peekAt(1).isWord("time") && p.peekAt(2).isWord("zone"):
		p.skip(3)
	}
	t.Name = ast.Name{At: t.At, Parts: []string{word}}
}

// intervalType reads the field restriction behind INTERVAL: YEAR, DAY TO SECOND(3), ….
func (p *parser) intervalType(t *ast.TypeName) {
	tok := p.peek()
	if tok.kind != tokWord || !intervalFields[tok.text] {
		return
	}
	p.skip(1)
	t.Fields = strings.ToUpper(tok.text)
	if p.peek().isWord("to") && intervalFields[p.peekAt(1).text] {
		t.Fields += " TO " + strings.ToUpper(p.peekAt(1).text)
		p.skip(2)
	}
	if strings.HasSuffix(t.Fields, "SECOND") && p.peek().is("(") {
		t.Mods = p.typmods()
	}
}

// typmods reads (a, b) of numbers, words or strings; nil when there is none.
func (p *parser) typmods() []string {
	if !p.peek().is("(") {
		return nil
	}
	p.skip(1)
	mods := []string{}
	for {
		tok := p.peek()
		sign := ""
		if tok.is("-") {
			sign = "-"
			p.skip(1)
			tok = p.peek()
		}
		if tok.kind != tokNumber && tok.kind != tokWord && tok.kind != tokString {
			p.unexpected()
			return mods
		}
		mods = append(mods, sign+tok.text)
		p.skip(1)
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expectPunct(")")
	return mods
}

// arrayBounds reads [], [3] and ARRAY behind a type.
func (p *parser) arrayBounds(t *ast.TypeName) {
	for p.peek().is("[") && (p.peekAt(1).is("]") || (p.peekAt(1).kind == tokNumber && p.peekAt(2).is("]"))) {
		p.skip(1)
		if p.peek().kind == tokNumber {
			p.skip(1)
		}
		p.skip(1)
		t.Dims++
	}
	if t.Dims > 0 || !p.peek().isWord("array") {
		return
	}
	p.skip(1)
	t.Dims = 1
	if p.peek().is("[") && p.peekAt(1).kind == tokNumber && p.peekAt(2).is("]") {
		p.skip(3)
	}
}
