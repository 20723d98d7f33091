package pgfmt

import (
	"encoding/hex"

	"millrace/repr"
)

func appendUUID(dst, b []byte) []byte {
	dst = append(hex.AppendEncode(dst, b[:4]), '-')
	dst = append(hex.AppendEncode(dst, b[4:6]), '-')
	dst = append(hex.AppendEncode(dst, b[6:8]), '-')
	dst = append(hex.AppendEncode(dst, b[8:10]), '-')
	return hex.AppendEncode(dst, b[10:16])
}

// parseUUID takes 32 digits with a hyphen or none behind each group of four, and braces around all.
func parseUUID(s string) (repr.Datum, *repr.Error) {
	text := s
	if len(text) >= 2 && text[0] == '{' && text[len(text)-1] == '}' {
		text = text[1 : len(text)-1]
	}
	var out [16]byte
	i := 0
	for n := range 16 {
		if i+1 >= len(text) {
			return repr.Null, invalidSyntax(repr.KindUUID, s)
		}
		hi, ok := HexDigit(text[i])
		lo, ok2 := HexDigit(text[i+1])
		if !ok || !ok2 {
			return repr.Null, invalidSyntax(repr.KindUUID, s)
		}
		out[n] = hi<<4 | lo
		i += 2
		if n%2 == 1 && n < 15 && i < len(text) && text[i] == '-' {
			i++
		}
	}
	if i != len(text) {
		return repr.Null, invalidSyntax(repr.KindUUID, s)
	}
	return repr.UUID(out), nil
}
