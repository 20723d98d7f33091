package fn

import (
	"strings"
	"unicode/utf8"

	"millrace/repr"
	"millrace/sql/expr"
)

// patternOperators are LIKE and the regular expressions; bpchar and name are read as text.
var patternOperators = []row{
	{sig: "~~(text, text) boolean", eval: likeOp(false, false)},
	{sig: "!~~(text, text) boolean", eval: likeOp(false, true)},
	{sig: "~~*(text, text) boolean", eval: likeOp(true, false)},
	{sig: "!~~*(text, text) boolean", eval: likeOp(true, true)},
	{sig: "~~(name, text) boolean", eval: likeOp(false, false)},
	{sig: "!~~(name, text) boolean", eval: likeOp(false, true)},
	{sig: "~~*(name, text) boolean", eval: likeOp(true, false)},
	{sig: "!~~*(name, text) boolean", eval: likeOp(true, true)},
	{sig: "~~(character, text) boolean", eval: likeOp(false, false)},
	{sig: "!~~(character, text) boolean", eval: likeOp(false, true)},
	{sig: "~~*(character, text) boolean", eval: likeOp(true, false)},
	{sig: "!~~*(character, text) boolean", eval: likeOp(true, true)},
	{sig: "~~(bytea, bytea) boolean", eval: likeBytes(false)},
	{sig: "!~~(bytea, bytea) boolean", eval: likeBytes(true)},
	{sig: "~(text, text) boolean", eval: regexOp("", false)},
	{sig: "!~(text, text) boolean", eval: regexOp("", true)},
	{sig: "~*(text, text) boolean", eval: regexOp("i", false)},
	{sig: "!~*(text, text) boolean", eval: regexOp("i", true)},
	{sig: "~(name, text) boolean", eval: regexOp("", false)},
	{sig: "!~(name, text) boolean", eval: regexOp("", true)},
	{sig: "~*(name, text) boolean", eval: regexOp("i", false)},
	{sig: "!~*(name, text) boolean", eval: regexOp("i", true)},
	{sig: "~(character, text) boolean", eval: regexOp("", false)},
	{sig: "!~(character, text) boolean", eval: regexOp("", true)},
	{sig: "~*(character, text) boolean", eval: regexOp("i", false)},
	{sig: "!~*(character, text) boolean", eval: regexOp("i", true)},
}

// likeFunctions are the operators by name, and what rewrites a pattern with another escape character.
var likeFunctions = []row{
	{sig: "like(text, text) boolean", eval: likeOp(false, false)},
	{sig: "notlike(text, text) boolean", eval: likeOp(false, true)},
	{sig: "like_escape(text, text) text", eval: likeEscape},
	{sig: "similar_to_escape(text) text", eval: similarEscape},
	{sig: "similar_to_escape(text, text) text", eval: similarEscape},
}

func likeOp(fold, not bool) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		s, p := a[0].Str(), a[1].Str()
		if fold {
			s, p = strings.ToLower(s), strings.ToLower(p)
		}
		m := likeMatcher{runes: true}
		ok, err := m.match(s, p)
		return repr.Bool(ok != not), err
	}
}

func likeBytes(not bool) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		m := likeMatcher{}
		ok, err := m.match(a[0].Str(), a[1].Str())
		return repr.Bool(ok != not), err
	}
}

// likeMatcher matches % and _ with \ as the escape character.
type likeMatcher struct{ runes bool }

// match goes forward; on a mismatch it tries one character more for the last %.
func (m likeMatcher) match(s, p string) (bool, *repr.Error) {
	i, j := 0, 0
	starP, starS := -1, 0
	for j < len(p) || i < len(s) {
		if j < len(p) && p[j] == '%' {
			j++
			starP, starS = j, i
			continue
		}
		if j < len(p) && i < len(s) {
			if p[j] == '\\' && j+1 == len(p) {
				return false, repr.NewError(repr.CodeInvalidEscapeSequence, "LIKE pattern must not end with escape character")
			}
			if di, dj, ok := m.step(s[i:], p[j:]); ok {
				i, j = i+di, j+dj
				continue
			}
		}
		if starP < 0 || starS >= len(s) {
			return false, nil
		}
		starS += m.width(s[starS:])
		i, j = starS, starP
	}
	return true, nil
}

func (m likeMatcher) width(s string) int {
	if !m.runes {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// step matches one character of the pattern.
func (m likeMatcher) step(s, p string) (di, dj int, ok bool) {
	switch p[0] {
	case '_':
		return m.width(s), 1, true
	case '\\':
		return 1, 2, s[0] == p[1]
	default:
		return 1, 1, s[0] == p[0]
	}
}

// likeEscape rewrites a pattern so that its escape character is the backslash.
func likeEscape(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	p, esc := a[0].Str(), a[1].Str()
	if utf8.RuneCountInString(esc) > 1 {
		return repr.Null, repr.NewError(repr.CodeInvalidEscape, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	if esc == `\` {
		return a[0], nil
	}
	var out strings.Builder
	for p != "" {
		switch {
		case esc != "" && strings.HasPrefix(p, esc):
			p = p[len(esc):]
			out.WriteByte('\\')
			if p != "" {
				_, n := utf8.DecodeRuneInString(p)
				out.WriteString(p[:n])
				p = p[n:]
			}
		case p[0] == '\\':
			out.WriteString(`\\`)
			p = p[1:]
		default:
			out.WriteByte(p[0])
			p = p[1:]
		}
	}
	return repr.Text(out.String()), nil
}

// similarEscape turns a pattern of SIMILAR TO into a regular expression.
func similarEscape(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	p, esc := a[0].Str(), `\`
	if len(a) > 1 {
		esc = a[1].Str()
		if utf8.RuneCountInString(esc) > 1 {
			return repr.Null, repr.NewError(repr.CodeInvalidEscape, "invalid escape string").WithHint("Escape string must be empty or one character.")
		}
	}
	var out strings.Builder
	out.WriteString("^(?:")
	inClass := false
	for p != "" {
		if esc != "" && strings.HasPrefix(p, esc) {
			p = p[len(esc):]
			if p != "" {
				_, n := utf8.DecodeRuneInString(p)
				out.WriteString(`\` + p[:n])
				p = p[n:]
			}
			continue
		}
		c := p[0]
		p = p[1:]
		switch {
		case inClass:
			if c == '\\' {
				out.WriteByte('\\')
			}
			out.WriteByte(c)
			inClass = c != ']'
		case c == '[':
			out.WriteByte(c)
			inClass = true
		case c == '%':
			out.WriteString(".*")
		case c == '_':
			out.WriteByte('.')
		case c == '(':
			out.WriteString("(?:")
		case c == '\\' || c == '.' || c == '^' || c == '$':
			out.WriteByte('\\')
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteString(")$")
	return repr.Text(out.String()), nil
}
