package fn

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"millrace/repr"
	"millrace/sql/expr"
)

// maxText is the longest string that an aggregate makes.
const maxText = expr.MaxBytes

// text1 is a function of one string.
func text1(f func(s string) string) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return repr.Text(f(a[0].Str())), nil }
}

// text2 is a function of two strings.
func text2(f func(s, t string) string) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Text(f(a[0].Str(), a[1].Str())), nil
	}
}

// textInt is a function of a string and a number.
func textInt(f func(s string, n int) string) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Text(f(a[0].Str(), int(a[1].Int()))), nil
	}
}

// length1 is a number that a string gives.
func length1(f func(s string) int) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Int4(int32(f(a[0].Str()))), nil
	}
}

func bytesIn(s string) int { return len(s) }

// textOperators are the operators of strings but for pattern matches.
var textOperators = []row{
	{sig: "||(text, text) text", eval: concatText},
	{sig: "||(text, anynonarray) text", poly: concatAny},
	{sig: "||(anynonarray, text) text", poly: concatAny},
	{sig: "^@(text, text) boolean", eval: startsWith},
}

func concatText(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	x, y := a[0].Bytes(), a[1].Bytes()
	if err := env.TooLong(int64(len(x) + len(y))); err != nil {
		return repr.Null, err
	}
	return repr.TextBytes(append(append(make([]byte, 0, len(x)+len(y)), x...), y...)), nil
}

// concatAny is || of a string and a value of any type.
func concatAny(args []repr.Type, _ repr.Type) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		out := appendCast(nil, env, args[0], a[0])
		return repr.TextBytes(appendCast(out, env, args[1], a[1])), nil
	}
}

func startsWith(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Bool(strings.HasPrefix(a[0].Str(), a[1].Str())), nil
}

// textFunctions are the functions of strings.
var textFunctions = []row{
	{sig: "length(text) integer", eval: length1(utf8.RuneCountInString)},
	{sig: "length(character) integer", eval: length1(func(s string) int { return utf8.RuneCountInString(strings.TrimRight(s, " ")) })},
	{sig: "char_length(text) integer", eval: length1(utf8.RuneCountInString)},
	{sig: "character_length(text) integer", eval: length1(utf8.RuneCountInString)},
	{sig: "octet_length(text) integer", eval: length1(bytesIn)},
	{sig: "bit_length(text) integer", eval: length1(func(s string) int { return 8 * len(s) })},
	{sig: "lower(text) text", eval: text1(strings.ToLower)},
	{sig: "upper(text) text", eval: text1(strings.ToUpper)},
	{sig: "initcap(text) text", eval: text1(initcap)},
	{sig: "reverse(text) text", eval: text1(reverse)},
	{sig: "btrim(text) text", eval: text1(func(s string) string { return strings.Trim(s, " ") })},
	{sig: "ltrim(text) text", eval: text1(func(s string) string { return strings.TrimLeft(s, " ") })},
	{sig: "rtrim(text) text", eval: text1(func(s string) string { return strings.TrimRight(s, " ") })},
	{sig: "btrim(text, text) text", eval: text2(strings.Trim)},
	{sig: "ltrim(text, text) text", eval: text2(strings.TrimLeft)},
	{sig: "rtrim(text, text) text", eval: text2(strings.TrimRight)},
	{sig: "substring(text, integer) text", eval: substringFrom},
	{sig: "substring(text, integer, integer) text", eval: substringFor},
	{sig: "substr(text, integer) text", eval: substringFrom},
	{sig: "substr(text, integer, integer) text", eval: substringFor},
	{sig: "overlay(text, text, integer) text", eval: overlayText},
	{sig: "overlay(text, text, integer, integer) text", eval: overlayText},
	{sig: "position(text, text) integer", eval: position},
	{sig: "strpos(text, text) integer", eval: position},
	{sig: "starts_with(text, text) boolean", eval: startsWith},
	{sig: "replace(text, text, text) text", eval: replaceText},
	{sig: "translate(text, text, text) text", eval: translate},
	{sig: "split_part(text, text, integer) text", eval: splitPart},
	{sig: "left(text, integer) text", eval: textInt(left)},
	{sig: "right(text, integer) text", eval: textInt(right)},
	{sig: "lpad(text, integer) text", eval: pad(true)},
	{sig: "lpad(text, integer, text) text", eval: pad(true)},
	{sig: "rpad(text, integer) text", eval: pad(false)},
	{sig: "rpad(text, integer, text) text", eval: pad(false)},
	{sig: "repeat(text, integer) text", eval: repeat},
	{sig: "ascii(text) integer", eval: ascii},
	{sig: "chr(integer) text", eval: chr},
	{sig: "string_to_array(text, text) text[]", nulls: true, eval: stringToArray},
	{sig: "string_to_array(text, text, text) text[]", nulls: true, eval: stringToArray},
	{sig: "unistr(text) text", eval: unistr},
}

func initcap(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		word := unicode.IsLetter(r) || unicode.IsDigit(r)
		first := word && !inWord
		inWord = word
		if first {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func reverse(s string) string {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		_, n := utf8.DecodeLastRuneInString(s)
		out = append(out, s[len(s)-n:]...)
		s = s[:len(s)-n]
	}
	return string(out)
}

// offset is the place in bytes of the n-th character, counted from 0; the length when there are fewer.
func offset(s string, n int) int {
	if n <= 0 {
		return 0
	}
	if n >= len(s) {
		return len(s)
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

func substringFrom(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	s := a[0].Str()
	return repr.Text(s[offset(s, int(a[1].Int())-1):]), nil
}

func negativeSubstring() *repr.Error {
	return repr.NewError("22011", "negative substring length not allowed")
}

func substringFor(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	s, from, n := a[0].Str(), a[1].Int()-1, a[2].Int()
	if n < 0 {
		return repr.Null, negativeSubstring()
	}
	start := offset(s, int(max(from, 0)))
	rest := s[start:]
	return repr.Text(rest[:offset(rest, int(max(from+n, 0)-max(from, 0)))]), nil
}

func overlayText(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	s, with, from := a[0].Str(), a[1].Str(), a[2].Int()
	n := int64(utf8.RuneCountInString(with))
	if len(a) > 3 {
		n = a[3].Int()
	}
	if from <= 0 {
		return repr.Null, negativeSubstring()
	}
	return repr.Text(s[:offset(s, int(from-1))] + with + s[offset(s, int(from-1+n)):]), nil
}

func position(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	s := a[0].Str()
	i := strings.Index(s, a[1].Str())
	if i < 0 {
		return repr.Int4(0), nil
	}
	return repr.Int4(int32(utf8.RuneCountInString(s[:i]) + 1)), nil
}

func replaceText(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	s, from, to := a[0].Str(), a[1].Str(), a[2].Str()
	if from == "" {
		return a[0], nil
	}
	if grow := len(to) - len(from); grow > 0 {
		if err := env.TooLong(int64(len(s) + strings.Count(s, from)*grow)); err != nil {
			return repr.Null, err
		}
	}
	return repr.Text(strings.ReplaceAll(s, from, to)), nil
}

func translate(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	from, to := []rune(a[1].Str()), []rune(a[2].Str())
	return repr.Text(strings.Map(func(r rune) rune {
		for i, f := range from {
			if f != r {
				continue
			}
			if i < len(to) {
				return to[i]
			}
			return -1
		}
		return r
	}, a[0].Str())), nil
}

func splitPart(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	s, sep, n := a[0].Str(), a[1].Str(), int(a[2].Int())
	if n == 0 {
		return repr.Null, invalidParameter("field position must not be zero")
	}
	parts := []string{s}
	if sep != "" && s != "" {
		parts = strings.Split(s, sep)
	}
	if n < 0 {
		n += len(parts) + 1
	}
	if n < 1 || n > len(parts) {
		return repr.Text(""), nil
	}
	return repr.Text(parts[n-1]), nil
}

func left(s string, n int) string {
	if n < 0 {
		n = max(0, utf8.RuneCountInString(s)+n)
	}
	return s[:offset(s, n)]
}

func right(s string, n int) string {
	if n < 0 {
		return s[offset(s, -n):]
	}
	return s[offset(s, max(0, utf8.RuneCountInString(s)-n)):]
}

// pad brings a string to a length in characters, at its left or its right.
func pad(atLeft bool) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		s, n, fill := a[0].Str(), int(max(a[1].Int(), 0)), " "
		if len(a) > 2 {
			fill = a[2].Str()
		}
		if err := env.TooLong(int64(n) * int64(max(1, len(fill)))); err != nil {
			return repr.Null, err
		}
		have := utf8.RuneCountInString(s)
		if have >= n || fill == "" {
			return repr.Text(s[:offset(s, n)]), nil
		}
		lack := n - have
		width := utf8.RuneCountInString(fill)
		filling := strings.Repeat(fill, lack/width+1)
		filling = filling[:offset(filling, lack)]
		if atLeft {
			return repr.Text(filling + s), nil
		}
		return repr.Text(s + filling), nil
	}
}

func repeat(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	s, n := a[0].Str(), max(a[1].Int(), 0)
	if err := env.TooLong(int64(len(s)) * n); err != nil {
		return repr.Null, err
	}
	if s == "" {
		n = 0
	}
	return repr.Text(strings.Repeat(s, int(n))), nil
}

func ascii(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if len(a[0].Bytes()) == 0 {
		return repr.Int4(0), nil
	}
	r, _ := utf8.DecodeRuneInString(a[0].Str())
	return repr.Int4(r), nil
}

func chr(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	n := a[0].Int()
	switch {
	case n < 0:
		return repr.Null, invalidParameter("character number must be positive")
	case n == 0:
		return repr.Null, repr.NewError(repr.CodeProgramLimit, "null character not permitted")
	case n > utf8.MaxRune:
		return repr.Null, repr.NewError(repr.CodeProgramLimit, "requested character too large for encoding: "+intText(n))
	case !utf8.ValidRune(rune(n)):
		return repr.Null, repr.NewError(repr.CodeProgramLimit, "requested character not valid for encoding: "+intText(n))
	}
	return repr.Text(string(rune(n))), nil
}

func stringToArray(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].IsNull() {
		return repr.Null, nil
	}
	s := a[0].Str()
	var parts []string
	switch {
	case s == "":
	case a[1].IsNull():
		parts = strings.Split(s, "")
	case a[1].Str() == "":
		parts = []string{s}
	default:
		parts = strings.Split(s, a[1].Str())
	}
	elems := make([]repr.Datum, len(parts))
	for i, p := range parts {
		if len(a) > 2 && !a[2].IsNull() && p == a[2].Str() {
			continue
		}
		elems[i] = repr.Text(p)
	}
	return repr.Array(elems), nil
}
