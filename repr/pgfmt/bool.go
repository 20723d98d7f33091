package pgfmt

import (
	"strings"

	"millrace/repr"
)

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 't')
	}
	return append(dst, 'f')
}

// parseBool takes any beginning of true, false, yes and no, and on, off, of, 1 and 0.
func parseBool(s string) (repr.Datum, *repr.Error) {
	word := strings.ToLower(trim(s))
	switch word {
	case "1", "on":
		return repr.Bool(true), nil
	case "0", "of", "off":
		return repr.Bool(false), nil
	case "":
		return repr.Null, invalidSyntax(repr.KindBool, s)
	}
	switch {
	case strings.HasPrefix("true", word), strings.HasPrefix("yes", word):
		return repr.Bool(true), nil
	case strings.HasPrefix("false", word), strings.HasPrefix("no", word):
		return repr.Bool(false), nil
	}
	return repr.Null, invalidSyntax(repr.KindBool, s)
}
