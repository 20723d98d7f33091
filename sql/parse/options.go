package parse

import (
	"strings"

	"millrace/sql/ast"
)

// parenOptions reads (name [=] value, …), the parenthesis being next. It may be empty.
func (p *parser) parenOptions() []ast.Option {
	p.expectPunct("(")
	var out []ast.Option
	for p.err == nil && !p.peek().is(")") {
		if p.nextIs("transaction", "metadata") && p.peekAt(2).is("(") {
			out = append(out, p.transactionOptions()...)
		} else {
			out = append(out, p.option())
		}
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expectPunct(")")
	return out
}

// transactionOptions reads TRANSACTION METADATA (name [=] value, …) as options whose names begin with these two words.
func (p *parser) transactionOptions() []ast.Option {
	p.skip(2)
	out := p.parenOptions()
	for i := range out {
		out[i].Name = "transaction metadata " + out[i].Name
	}
	return out
}

// withOptions reads WITH (…) if it follows.
func (p *parser) withOptions() []ast.Option {
	if !p.peek().isWord("with") || !p.peekAt(1).is("(") {
		return nil
	}
	p.skip(1)
	return p.parenOptions()
}

// option reads one NAME [=] value. A name may be several words; they end at =, at a value, at a comma.
func (p *parser) option() ast.Option {
	o := ast.Option{At: p.at()}
	var words []string
	for p.optionWordNext(len(words) > 0) {
		word := p.peek().text
		p.skip(1)
		for p.peek().is(".") && p.peekAt(1).isName() {
			word += "." + p.peekAt(1).text
			p.skip(2)
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		p.unexpected()
		return o
	}
	equals := p.acceptPunct("=") || p.acceptPunct("=>")
	o.Name = strings.Join(words, " ")
	if equals && strings.HasPrefix(o.Name, "retain ") && p.accept("for") { // RETAIN HISTORY = FOR '1 hour'
		o.Name += " for"
	}
	if next := p.peek(); equals || !(next.is(",") || next.is(")") || next.kind == tokEOF) {
		o.Value = p.optionValue()
	}
	return o
}

// nameOptions are options whose value is a bare name, so that the name of the option ends before it.
var nameOptions = wordSet(`secret connection tunnel cluster`)

// optionWordNext says whether the next token is a further word of an option's name.
func (p *parser) optionWordNext(inside bool) bool {
	t := p.peek()
	if !t.isName() || (t.kind == tokQuoted && inside) || t.isWord("secret") && inside || t.isWord("map") && p.peekAt(1).is("[") {
		return false
	}
	if !inside {
		return true
	}
	// A word that closes the option and isn't behind = is its value when it is a truth value, or when the
	// word before it wants a name; so does one that is qualified then.
	next := p.peekAt(1)
	closes := next.is(",") || next.is(")") || next.kind == tokEOF
	before := p.toks[p.pos-1].text
	if nameOptions[before] && next.is(".") {
		return false
	}
	onError := before == "error" && p.pos > 1 && p.toks[p.pos-2].isWord("on")
	if closes && (t.isWord("true") || t.isWord("false") || t.isWord("on") || t.isWord("off")) {
		return false
	}
	return !closes || (!nameOptions[before] && !bareValues[before] && !onError)
}

// bareValues are the last words of option names whose value is usually a bare word: SECURITY PROTOCOL
// PLAINTEXT, SSL MODE require, FORMAT csv, PARTITION BY day. So is that of ON ERROR.
var bareValues = wordSet(`protocol mode format reference mechanisms level method type by`)

// optionValue reads the value of an option.
func (p *parser) optionValue() ast.OptionValue {
	v := ast.OptionValue{At: p.at()}
	t := p.peek()
	switch {
	case t.kind == tokString:
		v.Kind, v.Text = ast.OptionString, t.text
		p.skip(1)
	case t.kind == tokNumber:
		v.Kind, v.Text = ast.OptionNumber, t.text
		p.skip(1)
	case (t.is("-") || t.is("+")) && p.peekAt(1).kind == tokNumber:
		v.Kind, v.Text = ast.OptionNumber, strings.TrimPrefix(t.text+p.peekAt(1).text, "+")
		p.skip(2)
	case t.isWord("secret") && p.peekAt(1).isName():
		p.skip(1)
		v.Kind, v.Name = ast.OptionSecret, p.name()
	case t.isWord("interval") && p.peekAt(1).kind == tokString:
		end := p.valueEnd()
		v.Kind, v.Expr = ast.OptionExpr, p.exprIn(p.pos, end)
	case t.isWord("map") && p.peekAt(1).is("["):
		p.mapValue(&v)
	case t.is("(") || t.is("["):
		p.listValue(&v, t.text)
	case t.isName():
		p.wordValue(&v, t)
	default:
		p.unexpected()
	}
	return v
}

// valueEnd is the index of the token that ends the value: a comma or a closing parenthesis.
func (p *parser) valueEnd() int {
	return p.findInside(p.pos, p.end(), func(i int) bool { return p.toks[i].is(",") })
}

// listValue reads (a, b) or [a, b]; an item may have options of its own, which become words.
func (p *parser) listValue(v *ast.OptionValue, open string) {
	closing := map[string]string{"(": ")", "[": "]"}[open]
	p.skip(1)
	v.Kind = ast.OptionList
	for p.err == nil && !p.peek().is(closing) {
		v.List = append(v.List, p.optionValue())
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expectPunct(closing)
}

// mapValue reads MAP['name' => 'value', …] as a list of 'name=value'.
func (p *parser) mapValue(v *ast.OptionValue) {
	p.skip(2)
	v.Kind = ast.OptionList
	for p.err == nil && !p.peek().is("]") {
		pair := p.optionValue()
		p.expectPunct("=>")
		value := p.optionValue()
		pair.Kind, pair.Text = ast.OptionString, pair.Text+"="+value.Text
		v.List = append(v.List, pair)
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expectPunct("]")
}

// wordValue reads bare words, or a qualified or quoted name.
func (p *parser) wordValue(v *ast.OptionValue, t token) {
	if t.kind == tokQuoted || p.peekAt(1).is(".") {
		v.Kind, v.Name = ast.OptionName, p.name()
		return
	}
	v.Kind = ast.OptionWord
	words := []string{t.text}
	p.skip(1)
	for p.peek().kind == tokWord && !p.peek().isWord("with") {
		words = append(words, p.peek().text)
		p.skip(1)
	}
	v.Text = strings.Join(words, " ")
}
