package ast

import (
	"strconv"
	"strings"

	"millrace/internal/check"
)

// Format writes a statement, expression, item of FROM or type back as SQL. Parsing what it writes gives
// the same tree again, positions aside; names and strings are quoted where they have to be. A secret's
// value is written like any other: who shows the result decides what may be shown.
func Format(n Node) string {
	p := &printer{}
	switch n := n.(type) {
	case Statement:
		p.statement(n)
	case Expr:
		p.expr(n, 0)
	case TableExpr:
		p.tableExpr(n)
	case QueryBody:
		p.body(n)
	case *TypeName:
		p.typeName(n, false)
	case Name:
		p.name(n)
	default:
		check.Never("format of %T", n)
	}
	return p.b.String()
}

// QuoteIdent writes an identifier so that it is read back as it is: in quotes unless it is a plain word
// in lower case that is no keyword.
func QuoteIdent(name string) string {
	if isPlainWord(name) && !quotedWords[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteLiteral writes a string constant.
func QuoteLiteral(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// quotedWords are the words that a name must not be without quotes: key words of PostgreSQL that are
// reserved or mean something of their own in an expression or a FROM list.
var quotedWords = words(`all analyse analyze and any array as asc asymmetric at authorization between binary
	both by case cast check coalesce collate collation column concurrently constraint create cross cube
	current current_catalog current_date current_role current_schema current_time current_timestamp
	current_user default deferrable desc distinct do else end envelope escape except exclude exists extract
	false fetch filter following for foreign freeze from full grant greatest group grouping groups having
	ilike in initially inner intersect interval into is isnull join lateral leading least left like limit
	localtime localtimestamp materialized mutually natural no not notnull null nullif nulls of offset on
	only operator or order ordinality others outer over overlaps overlay partition placing position
	preceding primary range recursive references returning right rollup row rows secret select
	session_user set setof similar some substring symmetric table tablesample ties time timestamp to
	trailing trim true try_cast unbounded union unique unknown up user using values variadic verbose when
	where window with within if prepare savepoint cursor insensitive asensitive scroll program stdin stdout`)

// words makes a set of the words in a text.
func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// isPlainWord says whether a name has the form of an unquoted identifier.
func isPlainWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := (c >= 'a' && c <= 'z') || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '$') {
			return false
		}
	}
	return s != ""
}

// printer collects the text.
type printer struct{ b strings.Builder }

// put writes pieces as they are.
func (p *printer) put(pieces ...string) {
	for _, s := range pieces {
		p.b.WriteString(s)
	}
}

// when writes the pieces if the condition holds.
func (p *printer) when(cond bool, pieces ...string) {
	if cond {
		p.put(pieces...)
	}
}

func (p *printer) ident(name string) { p.put(QuoteIdent(name)) }

func (p *printer) name(n Name) {
	for i, part := range n.Parts {
		p.when(i > 0, ".")
		p.ident(part)
	}
}

func (p *printer) names(list []Name) {
	for i, n := range list {
		p.when(i > 0, ", ")
		p.name(n)
	}
}

// idents writes (a, b) with a space before it; nothing for an empty list.
func (p *printer) idents(list []Ident) {
	if len(list) == 0 {
		return
	}
	p.put(" (")
	for i, id := range list {
		p.when(i > 0, ", ")
		p.ident(id.Name)
	}
	p.put(")")
}

func (p *printer) literal(text string) { p.put(QuoteLiteral(text)) }

// exprs writes a list of expressions.
func (p *printer) exprs(list []Expr) {
	for i, e := range list {
		p.when(i > 0, ", ")
		p.expr(e, 0)
	}
}

// quotedTypes are names of types that mean another type, or more than the name, without quotes.
var quotedTypes = words(`int integer smallint bigint real boolean decimal dec string char character nchar
	float setof double national`)

// typeName writes a type; beforeLiteral says that a constant of the type follows.
func (p *printer) typeName(t *TypeName, beforeLiteral bool) {
	p.when(t.Setof, "SETOF ")
	p.typeBase(t, beforeLiteral)
	atEnd := strings.HasSuffix(t.Fields, "SECOND")
	if !atEnd {
		p.typmods(t.Mods)
	}
	if t.Fields != "" && !beforeLiteral {
		p.intervalFields(t)
	}
	for range t.Dims {
		p.put("[]")
	}
}

// typeBase writes the name of a type.
func (p *printer) typeBase(t *TypeName, beforeLiteral bool) {
	if len(t.Name.Parts) != 1 {
		p.name(t.Name)
		return
	}
	base := t.Name.Parts[0]
	bareBit := base == "bit" && t.Mods == nil && !beforeLiteral
	keyword := base == "time" || base == "timestamp" || base == "interval"
	switch {
	case quotedTypes[base] || bareBit:
		p.put(`"`, base, `"`)
	case keyword:
		p.put(base)
	default:
		p.ident(base)
	}
}

func (p *printer) intervalFields(t *TypeName) {
	p.put(" ", t.Fields)
	if strings.HasSuffix(t.Fields, "SECOND") {
		p.typmods(t.Mods)
	}
}

// typmods writes (a, b) behind a type.
func (p *printer) typmods(mods []string) {
	if mods == nil {
		return
	}
	p.put("(")
	for i, m := range mods {
		p.when(i > 0, ", ")
		if isPlainWord(m) || isNumber(m) {
			p.put(m)
		} else {
			p.literal(m)
		}
	}
	p.put(")")
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && s != "" && !isPlainWord(strings.ToLower(strings.TrimLeft(s, "+-")))
}

// options writes (NAME = value, …).
func (p *printer) options(list []Option) {
	p.put("(")
	for i, o := range list {
		p.when(i > 0, ", ")
		p.option(o)
	}
	p.put(")")
}

// with writes WITH (…) with a space before it; nothing for an empty list.
func (p *printer) with(list []Option) {
	if len(list) > 0 {
		p.put(" WITH ")
		p.options(list)
	}
}

// capitals are options whose values are words that are written in capitals.
var capitals = map[string]bool{"security protocol": true, "security_protocol": true, "sasl mechanism": true, "sasl mechanisms": true}

func (p *printer) option(o Option) {
	if isOptionName(o.Name) {
		p.put(strings.ToUpper(o.Name))
	} else {
		p.put(`"`, strings.ReplaceAll(o.Name, `"`, `""`), `"`)
	}
	switch {
	case o.Value.Kind == OptionNone:
		return
	case o.Value.Kind == OptionString && o.Name == "retain history for":
		p.put(" ")
	default:
		p.put(" = ")
	}
	if o.Value.Kind == OptionWord && capitals[o.Name] {
		o.Value.Text = strings.ToUpper(o.Value.Text)
	}
	p.optionValue(o.Value)
}

// isOptionName says whether a name consists of plain words with single spaces or dots between them.
func isOptionName(name string) bool {
	for _, word := range strings.Split(name, " ") {
		for _, part := range strings.Split(word, ".") {
			if !isPlainWord(part) {
				return false
			}
		}
	}
	return true
}

func (p *printer) optionValue(v OptionValue) {
	switch v.Kind {
	case OptionString:
		p.literal(v.Text)
	case OptionNumber, OptionWord:
		p.put(v.Text)
	case OptionSecret:
		p.put("SECRET ")
		p.name(v.Name)
	case OptionName:
		if len(v.Name.Parts) == 1 {
			p.put(`"`, strings.ReplaceAll(v.Name.Parts[0], `"`, `""`), `"`)
			return
		}
		p.name(v.Name)
	case OptionList:
		p.put("(")
		for i, item := range v.List {
			p.when(i > 0, ", ")
			p.optionValue(item)
		}
		p.put(")")
	case OptionExpr:
		p.expr(v.Expr, 0)
	case OptionNone:
	}
}
