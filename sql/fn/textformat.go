package fn

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

func intText(n int64) string { return strconv.FormatInt(n, 10) }

// appendAsText appends a value as its type prints.
func appendAsText(dst []byte, env *expr.Env, t repr.Type, d repr.Datum) []byte {
	return pgfmt.AppendText(dst, t, d, options(env))
}

// appendCast appends a value as its cast to text gives it: true and false in full, no padding.
func appendCast(dst []byte, env *expr.Env, t repr.Type, d repr.Datum) []byte {
	switch d.Kind() {
	case kBool:
		return strconv.AppendBool(dst, d.Bool())
	case kBpchar:
		return append(dst, trimPadding(d, kText).Bytes()...)
	default:
		return appendAsText(dst, env, t, d)
	}
}

// textFormatFunctions join values of any type, and quote them.
var textFormatFunctions = []row{
	{sig: "concat(variadic any) text", nulls: true, poly: concat},
	{sig: "concat_ws(text, variadic any) text", nulls: true, poly: concatWithSeparator},
	{sig: "format(text) text", nulls: true, poly: format},
	{sig: "format(text, variadic any) text", nulls: true, poly: format},
	{sig: "quote_ident(text) text", eval: text1(quoteIdent)},
	{sig: "quote_literal(text) text", eval: text1(quoteLiteral)},
	{sig: "quote_literal(anyelement) text", poly: quoteAny(quoteLiteral, "")},
	{sig: "quote_nullable(text) text", nulls: true, eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].IsNull() {
			return repr.Text("NULL"), nil
		}
		return repr.Text(quoteLiteral(a[0].Str())), nil
	}},
	{sig: "quote_nullable(anyelement) text", nulls: true, poly: quoteAny(quoteLiteral, "NULL")},
}

func concat(args []repr.Type, _ repr.Type) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		out := []byte{}
		for i, d := range a {
			out = appendAsText(out, env, args[i], d)
			if err := env.TooLong(int64(len(out))); err != nil {
				return repr.Null, err
			}
		}
		return repr.TextBytes(out), nil
	}
}

func concatWithSeparator(args []repr.Type, _ repr.Type) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].IsNull() {
			return repr.Null, nil
		}
		out, first := []byte{}, true
		for i, d := range a[1:] {
			if d.IsNull() {
				continue
			}
			if !first {
				out = append(out, a[0].Bytes()...)
			}
			first = false
			out = appendAsText(out, env, args[i+1], d)
			if err := env.TooLong(int64(len(out))); err != nil {
				return repr.Null, err
			}
		}
		return repr.TextBytes(out), nil
	}
}

func quoteLiteral(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

func quoteAny(quote func(string) string, null string) func([]repr.Type, repr.Type) evalFunc {
	return func(args []repr.Type, _ repr.Type) evalFunc {
		return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			if a[0].IsNull() {
				return repr.Text(null), nil
			}
			return repr.Text(quote(string(appendAsText(nil, env, args[0], a[0])))), nil
		}
	}
}

// formatter is the state of one call of format().
type formatter struct {
	env   *expr.Env
	types []repr.Type
	args  []repr.Datum
	next  int
	out   []byte
}

// directive is one %[position$][-][width]type.
type directive struct {
	position int // 0: the next
	left     bool
	width    int
	widthArg int // -1: none; 0: the next; else its position
	verb     byte
}

func format(types []repr.Type, _ repr.Type) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].IsNull() {
			return repr.Null, nil
		}
		f := formatter{env: env, types: types[1:], args: a[1:], out: []byte{}}
		if err := f.run(a[0].Str()); err != nil {
			return repr.Null, err
		}
		return repr.TextBytes(f.out), nil
	}
}

func (f *formatter) run(s string) *repr.Error {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			f.out = append(f.out, s...)
			return nil
		}
		f.out = append(f.out, s[:i]...)
		s = s[i+1:]
		if strings.HasPrefix(s, "%") {
			f.out = append(f.out, '%')
			s = s[1:]
			continue
		}
		d, n, err := parseDirective(s)
		if err != nil {
			return err
		}
		if err := f.apply(d); err != nil {
			return err
		}
		s = s[n:]
	}
}

func parseDirective(s string) (d directive, n int, err *repr.Error) {
	d.widthArg = -1
	number := func() (int, bool) {
		from := n
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		v, e := strconv.ParseInt(s[from:n], 10, 32)
		return int(v), e == nil
	}
	if v, ok := number(); ok {
		if n < len(s) && s[n] == '$' {
			n++
			if d.position = v; v == 0 {
				return d, n, invalidParameter("format specifies argument 0, but arguments are numbered from 1")
			}
		} else {
			d.width = v
		}
	}
	for n < len(s) && s[n] == '-' {
		d.left = true
		n++
	}
	if n < len(s) && s[n] == '*' {
		n++
		d.widthArg = 0
		if v, ok := number(); ok {
			d.widthArg = v
			n++ // the $
		}
	} else if v, ok := number(); ok {
		d.width = v
	}
	if n >= len(s) {
		return d, n, invalidParameter("unterminated format() type specifier").WithHint(`For a single "%" use "%%".`)
	}
	d.verb = s[n]
	if strings.IndexByte("sIL", d.verb) < 0 {
		r, _ := utf8.DecodeRuneInString(s[n:])
		return d, n, invalidParameter(`unrecognized format() type specifier "` + string(r) + `"`).WithHint(`For a single "%" use "%%".`)
	}
	return d, n + 1, nil
}

// arg is the operand at a position, or the next one.
func (f *formatter) arg(position int) (int, *repr.Error) {
	if position > 0 {
		f.next = position
	} else {
		f.next++
	}
	if f.next > len(f.args) {
		return 0, invalidParameter("too few arguments for format()")
	}
	return f.next - 1, nil
}

func (f *formatter) apply(d directive) *repr.Error {
	if d.widthArg >= 0 {
		i, err := f.arg(d.widthArg)
		if err != nil {
			return err
		}
		d.width, _ = strconv.Atoi(string(appendAsText(nil, f.env, f.types[i], f.args[i])))
		if d.width < 0 {
			d.left, d.width = true, -d.width
		}
	}
	i, err := f.arg(d.position)
	if err != nil {
		return err
	}
	s, err := f.value(d.verb, i)
	if err != nil {
		return err
	}
	if err := f.env.TooLong(int64(len(f.out) + max(d.width, len(s)))); err != nil {
		return err
	}
	fill := strings.Repeat(" ", max(0, d.width-utf8.RuneCountInString(s)))
	if d.left {
		f.out = append(append(f.out, s...), fill...)
	} else {
		f.out = append(append(f.out, fill...), s...)
	}
	return nil
}

func (f *formatter) value(verb byte, i int) (string, *repr.Error) {
	s := string(appendAsText(nil, f.env, f.types[i], f.args[i]))
	null := f.args[i].IsNull()
	switch {
	case verb == 'I' && null:
		return "", repr.NewError(repr.CodeNullNotAllowed, "null values cannot be formatted as an SQL identifier")
	case verb == 'I':
		return quoteIdent(s), nil
	case verb == 'L' && null:
		return "NULL", nil
	case verb == 'L':
		return quoteLiteral(s), nil
	default:
		return s, nil
	}
}

// unistr reads \XXXX, \uXXXX, \+XXXXXX and \UXXXXXXXX.
func unistr(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	var out strings.Builder
	bad := repr.NewError(repr.CodeSyntax, "invalid Unicode escape").
		WithHint(`Unicode escapes must be \XXXX, \+XXXXXX, \uXXXX, or \UXXXXXXXX.`)
	for s := a[0].Str(); s != ""; {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			out.WriteString(s)
			break
		}
		out.WriteString(s[:i])
		s = s[i+1:]
		skip, digits := 0, 4
		switch {
		case strings.HasPrefix(s, `\`):
			out.WriteByte('\\')
			s = s[1:]
			continue
		case strings.HasPrefix(s, "u"):
			skip = 1
		case strings.HasPrefix(s, "+"):
			skip, digits = 1, 6
		case strings.HasPrefix(s, "U"):
			skip, digits = 1, 8
		}
		if len(s) < skip+digits {
			return repr.Null, bad
		}
		n, err := strconv.ParseUint(s[skip:skip+digits], 16, 32)
		if err != nil || n == 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return repr.Null, bad
		}
		out.WriteRune(rune(n))
		s = s[skip+digits:]
	}
	return repr.Text(out.String()), nil
}
