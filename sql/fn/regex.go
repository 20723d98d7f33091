package fn

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"millrace/repr"
	"millrace/sql/expr"
)

// regexFunctions are the functions of regular expressions.
var regexFunctions = []row{
	{sig: "substring(text, text) text", eval: substringRegex},
	{sig: "regexp_match(text, text) text[]", eval: regexpMatch},
	{sig: "regexp_match(text, text, text) text[]", eval: regexpMatch},
	{sig: "regexp_replace(text, text, text) text", eval: regexpReplace},
	{sig: "regexp_replace(text, text, text, text) text", eval: regexpReplace},
	{sig: "regexp_split_to_array(text, text) text[]", eval: regexpSplit},
	{sig: "regexp_split_to_array(text, text, text) text[]", eval: regexpSplit},
	{sig: "regexp_count(text, text) integer", eval: regexpCount},
	{sig: "regexp_like(text, text) boolean", eval: regexOp("", false)},
	{sig: "regexp_like(text, text, text) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		re, _, err := regexOf(a[1].Str(), a[2].Str())
		if err != nil {
			return repr.Null, err
		}
		return repr.Bool(re.MatchString(a[0].Str())), nil
	}},
}

// regexes are the compiled patterns with their flags.
var regexes cache[*regexp.Regexp]

func invalidRegex(why string) *repr.Error {
	return repr.NewError("2201B", "invalid regular expression: "+why)
}

// regexOf compiles an advanced regular expression; global says that the flags have a g.
func regexOf(pattern, flags string) (re *regexp.Regexp, global bool, err *repr.Error) {
	global = strings.Contains(flags, "g")
	k := texts{pattern, strings.ReplaceAll(flags, "g", "")}
	if re, ok := regexes.find(k); ok {
		return re, global, nil
	}
	t := &regexTranslator{src: pattern, dot: true}
	if err = t.setFlags(k.second); err != nil {
		return nil, false, err
	}
	text, err := t.translate()
	if err != nil {
		return nil, false, err
	}
	re, goErr := regexp.Compile(text)
	if goErr != nil {
		return nil, false, invalidRegex(regexProblem(goErr.Error()))
	}
	if !t.lazy {
		re.Longest()
	}
	regexes.keep(k, re)
	return re, global, nil
}

// regexProblem is PostgreSQL's word for what is wrong with a pattern.
func regexProblem(text string) string {
	for _, p := range []struct{ ours, theirs string }{
		{"missing closing ]", "brackets [] not balanced"},
		{"missing closing )", "parentheses () not balanced"},
		{"unexpected )", "parentheses () not balanced"},
		{"missing argument to repetition operator", "quantifier operand invalid"},
		{"invalid nested repetition operator", "quantifier operand invalid"},
		{"invalid repeat count", "invalid repetition count(s)"},
		{"invalid character class range", "invalid character range"},
		{"trailing backslash", "invalid escape \\ sequence"},
		{"invalid escape sequence", "invalid escape \\ sequence"},
	} {
		if strings.Contains(text, p.ours) {
			return p.theirs
		}
	}
	return strings.TrimPrefix(text, "error parsing regexp: ")
}

// regexTranslator writes a PostgreSQL pattern in Go's syntax.
type regexTranslator struct {
	src      string
	out      strings.Builder
	fold     bool
	dot      bool // . matches a line feed
	lineEnds bool // ^ and $ match at line feeds
	expanded bool
	literal  bool
	lazy     bool // there is a quantifier that prefers the shorter match
}

func (t *regexTranslator) setFlags(flags string) *repr.Error {
	for _, c := range flags {
		switch c {
		case 'i':
			t.fold = true
		case 'c':
			t.fold = false
		case 'n', 'm':
			t.dot, t.lineEnds = false, true
		case 'p':
			t.dot = false
		case 'w':
			t.lineEnds = true
		case 's', 't':
			if c == 's' {
				t.dot, t.lineEnds = true, false
			} else {
				t.expanded = false
			}
		case 'x':
			t.expanded = true
		case 'q':
			t.literal = true
		case 'e':
		default:
			return invalidParameter(`invalid regular expression option: "` + string(c) + `"`)
		}
	}
	return nil
}

func (t *regexTranslator) translate() (string, *repr.Error) {
	t.src = strings.TrimPrefix(t.src, "***:")
	if rest, ok := strings.CutPrefix(t.src, "***="); ok {
		t.src, t.literal = rest, true
	}
	if strings.HasPrefix(t.src, "(?") && !t.literal {
		if end := strings.IndexByte(t.src, ')'); end > 2 && strings.Trim(t.src[2:end], "bceimnpqstwx") == "" {
			if err := t.setFlags(t.src[2:end]); err != nil {
				return "", err
			}
			t.src = t.src[end+1:]
		}
	}
	if t.literal {
		t.out.WriteString(regexp.QuoteMeta(t.src))
	}
	for i := 0; i < len(t.src) && !t.literal; {
		n, err := t.atom(t.src[i:])
		if err != nil {
			return "", err
		}
		i += n
	}
	flags := ""
	for _, f := range []struct {
		on   bool
		flag string
	}{{t.fold, "i"}, {t.dot, "s"}, {t.lineEnds, "m"}} {
		if f.on {
			flags += f.flag
		}
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	return flags + t.out.String(), nil
}

// atom writes the piece at the head of s and gives its length.
func (t *regexTranslator) atom(s string) (int, *repr.Error) {
	switch {
	case s[0] == '\\':
		return t.escape(s)
	case s[0] == '[':
		return t.class(s)
	case strings.HasPrefix(s, "(?="), strings.HasPrefix(s, "(?!"), strings.HasPrefix(s, "(?<"):
		return 0, unsupported("lookaround in regular expressions")
	case strings.HasPrefix(s, "(?#"):
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return len(s), nil
		}
		return end + 1, nil
	case s[0] == '$' && !t.lineEnds:
		t.out.WriteString(`\z`)
		return 1, nil
	case strings.HasPrefix(s, "*?"), strings.HasPrefix(s, "+?"), strings.HasPrefix(s, "??"), strings.HasPrefix(s, "}?"):
		t.lazy = true
	case t.expanded && strings.IndexByte(" \t\n\r\f\v", s[0]) >= 0:
		return 1, nil
	case t.expanded && s[0] == '#':
		if end := strings.IndexByte(s, '\n'); end >= 0 {
			return end, nil
		}
		return len(s), nil
	}
	_, n := utf8.DecodeRuneInString(s)
	t.out.WriteString(s[:n])
	return n, nil
}

// regexEscapes are the escapes that Go writes otherwise.
var regexEscapes = map[byte]string{
	'm': `\b`, 'M': `\b`, 'y': `\b`, 'Y': `\B`, 'A': `\A`, 'Z': `\z`, 'b': `\x08`, 'B': `\\`, 'e': `\x1b`, '0': `\x00`,
	'a': `\x07`, 'd': `[[:digit:]]`, 'D': `[^[:digit:]]`, 's': `[[:space:]]`, 'S': `[^[:space:]]`,
	'w': `[\pL\pN_]`, 'W': `[^\pL\pN_]`,
}

func (t *regexTranslator) escape(s string) (int, *repr.Error) {
	if len(s) == 1 {
		return 0, invalidRegex(`invalid escape \ sequence`)
	}
	c := s[1]
	if to, ok := regexEscapes[c]; ok {
		t.out.WriteString(to)
		return 2, nil
	}
	switch {
	case c >= '1' && c <= '9':
		return 0, unsupported("back references in regular expressions")
	case c == 'u' && len(s) >= 6:
		t.out.WriteString(`\x{` + s[2:6] + `}`)
		return 6, nil
	case c == 'U' && len(s) >= 10:
		t.out.WriteString(`\x{` + strings.TrimLeft(s[2:9], "0") + s[9:10] + `}`)
		return 10, nil
	case c == 'x' || c == 'n' || c == 't' || c == 'r' || c == 'f' || c == 'v':
		t.out.WriteString(s[:2])
		return 2, nil
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return 0, invalidRegex(`invalid escape \ sequence`)
	}
	_, n := utf8.DecodeRuneInString(s[1:])
	t.out.WriteString(regexp.QuoteMeta(s[1 : 1+n]))
	return 1 + n, nil
}

// class writes a bracket expression; [[:<:]] and [[:>:]] are word boundaries.
func (t *regexTranslator) class(s string) (int, *repr.Error) {
	if strings.HasPrefix(s, "[[:<:]]") || strings.HasPrefix(s, "[[:>:]]") {
		t.out.WriteString(`\b`)
		return 7, nil
	}
	i := 1
	t.out.WriteByte('[')
	if i < len(s) && s[i] == '^' {
		t.out.WriteByte('^')
		i++
		if t.lineEnds || !t.dot {
			t.out.WriteString(`\n`)
		}
	}
	for first := true; i < len(s); first = false {
		switch {
		case s[i] == ']' && !first:
			t.out.WriteByte(']')
			return i + 1, nil
		case strings.HasPrefix(s[i:], "[:"), strings.HasPrefix(s[i:], "[."), strings.HasPrefix(s[i:], "[="):
			end := strings.Index(s[i+2:], string(s[i+1])+"]")
			if end < 0 {
				return 0, invalidRegex("brackets [] not balanced")
			}
			if s[i+1] == ':' {
				t.out.WriteString(s[i : i+2+end+2])
			} else {
				t.out.WriteString(regexp.QuoteMeta(s[i+2 : i+2+end]))
			}
			i += end + 4
		case s[i] == '\\' && i+1 < len(s):
			i += t.classEscape(s[i:])
		case s[i] == '[' || s[i] == ']':
			t.out.WriteString(`\` + s[i:i+1])
			i++
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			t.out.WriteString(s[i : i+n])
			i += n
		}
	}
	return 0, invalidRegex("brackets [] not balanced")
}

func (t *regexTranslator) classEscape(s string) int {
	switch c := s[1]; c {
	case 'd':
		t.out.WriteString("[:digit:]")
	case 's':
		t.out.WriteString("[:space:]")
	case 'w':
		t.out.WriteString(`\pL\pN_`)
	case 'b':
		t.out.WriteString(`\x08`)
	case 'n', 't', 'r', 'f', 'v':
		t.out.WriteString(s[:2])
	default:
		_, n := utf8.DecodeRuneInString(s[1:])
		if c < utf8.RuneSelf {
			t.out.WriteByte('\\') // \- is no range
		}
		t.out.WriteString(s[1 : 1+n])
		return 1 + n
	}
	return 2
}

func regexOp(flags string, not bool) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		re, _, err := regexOf(a[1].Str(), flags)
		if err != nil {
			return repr.Null, err
		}
		return repr.Bool(re.MatchString(a[0].Str()) != not), nil
	}
}

// substringRegex gives what the first group matches, or the whole where there is no group.
func substringRegex(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	re, _, err := regexOf(a[1].Str(), "")
	if err != nil {
		return repr.Null, err
	}
	s := a[0].Str()
	m := re.FindStringSubmatchIndex(s)
	if m == nil {
		return repr.Null, nil
	}
	return groupText(s, m, min(1, re.NumSubexp())), nil
}

// groupText is what group i matched; NULL when it took no part.
func groupText(s string, m []int, i int) repr.Datum {
	if m[2*i] < 0 {
		return repr.Null
	}
	return repr.Text(s[m[2*i]:m[2*i+1]])
}

// groupsOf are the groups of a match, or the whole where there is none.
func groupsOf(re *regexp.Regexp, s string, m []int) repr.Datum {
	if re.NumSubexp() == 0 {
		return repr.Array([]repr.Datum{groupText(s, m, 0)})
	}
	out := make([]repr.Datum, re.NumSubexp())
	for i := range out {
		out[i] = groupText(s, m, i+1)
	}
	return repr.Array(out)
}

// flagsArg is the argument at i, if the call has it.
func flagsArg(a []repr.Datum, i int) string {
	if i < len(a) {
		return a[i].Str()
	}
	return ""
}

func regexpMatch(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	re, global, err := regexOf(a[1].Str(), flagsArg(a, 2))
	if err != nil {
		return repr.Null, err
	}
	if global {
		return repr.Null, invalidParameter(`regexp_match() does not support the "global" option`).
			WithHint("Use the regexp_matches function instead.")
	}
	s := a[0].Str()
	m := re.FindStringSubmatchIndex(s)
	if m == nil {
		return repr.Null, nil
	}
	return groupsOf(re, s, m), nil
}

// allMatches are the matches from left to right, at most n when n is positive. An empty match may follow another at once, which
// Go leaves out; patterns that look around where they stand are left to Go.
func allMatches(re *regexp.Regexp, s string, n int) [][]int {
	found := re.FindAllStringSubmatchIndex(s, -1)
	if re.MatchString("") && !strings.ContainsAny(re.String(), "^") && !strings.Contains(re.String(), `\`) {
		found = withEmpty(re, s, found)
	}
	if n > 0 && len(found) > n {
		return found[:n]
	}
	return found
}

// withEmpty adds the empty matches behind others.
func withEmpty(re *regexp.Regexp, s string, found [][]int) [][]int {
	var out [][]int
	for i, m := range found {
		out = append(out, m)
		if m[0] == m[1] || i+1 < len(found) && found[i+1][0] == m[1] {
			continue
		}
		next := re.FindStringSubmatchIndex(s[m[1]:])
		if next == nil || next[1] != 0 {
			continue
		}
		for j := range next {
			if next[j] >= 0 {
				next[j] += m[1]
			}
		}
		out = append(out, next)
	}
	return out
}

func regexpReplace(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	re, global, err := regexOf(a[1].Str(), flagsArg(a, 3))
	if err != nil {
		return repr.Null, err
	}
	n := 1
	if global {
		n = -1
	}
	s, with := a[0].Str(), a[2].Str()
	var out []byte
	from := 0
	for _, m := range allMatches(re, s, n) {
		out = append(out, s[from:m[0]]...)
		out = appendReplacement(out, with, s, m)
		from = m[1]
		if err := env.TooLong(int64(len(out))); err != nil {
			return repr.Null, err
		}
	}
	return repr.TextBytes(append(out, s[from:]...)), nil
}

// appendReplacement writes \1 … \9 and \& as what they stand for.
func appendReplacement(out []byte, with, s string, m []int) []byte {
	for i := 0; i < len(with); i++ {
		if with[i] != '\\' || i+1 == len(with) {
			out = append(out, with[i])
			continue
		}
		i++
		switch c := with[i]; {
		case c == '&':
			out = append(out, s[m[0]:m[1]]...)
		case c >= '1' && c <= '9':
			if g := int(c - '0'); 2*g < len(m) && m[2*g] >= 0 {
				out = append(out, s[m[2*g]:m[2*g+1]]...)
			}
		case c == '\\':
			out = append(out, c)
		default:
			out = append(out, '\\', c)
		}
	}
	return out
}

// splitBy cuts a string at the matches that are not empty, and between characters at empty ones.
func splitBy(re *regexp.Regexp, s string) []string {
	var out []string
	from := 0
	for _, m := range re.FindAllStringIndex(s, -1) {
		if m[1] == m[0] && (m[0] == 0 || m[0] >= len(s)) {
			continue
		}
		out = append(out, s[from:m[0]])
		from = m[1]
	}
	return append(out, s[from:])
}

func regexpSplit(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	re, global, err := regexOf(a[1].Str(), flagsArg(a, 2))
	if err != nil {
		return repr.Null, err
	}
	if global {
		return repr.Null, invalidParameter(`regexp_split_to_array() does not support the "global" option`)
	}
	return textArray(splitBy(re, a[0].Str())), nil
}

func textArray(list []string) repr.Datum {
	elems := make([]repr.Datum, len(list))
	for i, s := range list {
		elems[i] = repr.Text(s)
	}
	return repr.Array(elems)
}

func regexpCount(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	re, _, err := regexOf(a[1].Str(), "")
	if err != nil {
		return repr.Null, err
	}
	return repr.Int4(int32(len(allMatches(re, a[0].Str(), -1)))), nil
}
