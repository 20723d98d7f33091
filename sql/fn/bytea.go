package fn

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	gohash "hash"
	"hash/crc32"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// byteaOperators are the operators of bytea.
var byteaOperators = []row{
	{sig: "||(bytea, bytea) bytea", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bytea(append(bytes.Clone(a[0].Bytes()), a[1].Bytes()...)), nil
	}},
}

// byteaFunctions are the functions of bytea, of encodings and of hashes.
var byteaFunctions = []row{
	{sig: "length(bytea) integer", eval: length1(bytesIn)},
	{sig: "octet_length(bytea) integer", eval: length1(bytesIn)},
	{sig: "bit_length(bytea) integer", eval: length1(func(s string) int { return 8 * len(s) })},
	{sig: "substring(bytea, integer) bytea", eval: substringBytes},
	{sig: "substring(bytea, integer, integer) bytea", eval: substringBytes},
	{sig: "substr(bytea, integer) bytea", eval: substringBytes},
	{sig: "substr(bytea, integer, integer) bytea", eval: substringBytes},
	{sig: "position(bytea, bytea) integer", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Int4(int32(bytes.Index(a[0].Bytes(), a[1].Bytes()) + 1)), nil
	}},
	{sig: "btrim(bytea, bytea) bytea", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bytea(trimBytes(a[0].Bytes(), a[1].Bytes())), nil
	}},
	{sig: "get_byte(bytea, integer) integer", eval: getByte},
	{sig: "set_byte(bytea, integer, integer) bytea", eval: setByte},
	{sig: "encode(bytea, text) text", eval: encode},
	{sig: "decode(text, text) bytea", eval: decode},
	{sig: "convert_from(bytea, name) text", eval: convertFrom},
	{sig: "convert_to(text, name) bytea", eval: convertTo},
	{sig: "md5(text) text", eval: text1(func(s string) string { return hexOf(md5.Sum([]byte(s))) })},
	{sig: "md5(bytea) text", eval: text1(func(s string) string { return hexOf(md5.Sum([]byte(s))) })},
	{sig: "sha224(bytea) bytea", eval: hash("sha224")},
	{sig: "sha256(bytea) bytea", eval: hash("sha256")},
	{sig: "sha384(bytea) bytea", eval: hash("sha384")},
	{sig: "sha512(bytea) bytea", eval: hash("sha512")},
	{sig: "digest(text, text) bytea", eval: digest},
	{sig: "digest(bytea, text) bytea", eval: digest},
	{sig: "hmac(text, text, text) bytea", eval: hmacOf},
	{sig: "hmac(bytea, bytea, text) bytea", eval: hmacOf},
	{sig: "constant_time_eq(text, text) boolean", eval: constantTimeEq},
	{sig: "constant_time_eq(bytea, bytea) boolean", eval: constantTimeEq},
	{sig: "crc32(bytea) bigint", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Int8(int64(crc32.ChecksumIEEE(a[0].Bytes()))), nil
	}},
}

func hexOf(sum [16]byte) string { return hex.EncodeToString(sum[:]) }

func substringBytes(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b, from := a[0].Bytes(), a[1].Int()-1
	end := int64(len(b))
	if len(a) > 2 {
		if a[2].Int() < 0 {
			return repr.Null, negativeSubstring()
		}
		end = min(end, from+a[2].Int())
	}
	from = min(max(from, 0), int64(len(b)))
	return repr.Bytea(b[from:max(from, end)]), nil
}

func trimBytes(b, set []byte) []byte {
	for len(b) > 0 && bytes.IndexByte(set, b[0]) >= 0 {
		b = b[1:]
	}
	for len(b) > 0 && bytes.IndexByte(set, b[len(b)-1]) >= 0 {
		b = b[:len(b)-1]
	}
	return b
}

func byteIndex(b []byte, i int64) *repr.Error {
	if i < 0 || i >= int64(len(b)) {
		return repr.NewError(repr.CodeArraySubscript, "index "+intText(i)+" out of valid range, 0.."+intText(int64(len(b))-1))
	}
	return nil
}

func getByte(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b, i := a[0].Bytes(), a[1].Int()
	if err := byteIndex(b, i); err != nil {
		return repr.Null, err
	}
	return repr.Int4(int32(b[i])), nil
}

func setByte(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b, i := bytes.Clone(a[0].Bytes()), a[1].Int()
	if err := byteIndex(b, i); err != nil {
		return repr.Null, err
	}
	b[i] = byte(a[2].Int())
	return repr.Bytea(b), nil
}

func unknownEncoding(name string) *repr.Error {
	return invalidParameter(`unrecognized encoding: "` + name + `"`)
}

// base64Line is how many characters encode puts on a line.
const base64Line = 76

func encode(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b := a[0].Bytes()
	switch strings.ToLower(a[1].Str()) {
	case "hex":
		return repr.TextBytes(hex.AppendEncode(nil, b)), nil
	case "escape":
		return repr.TextBytes(escapeBytes(b)), nil
	case "base64":
		s := base64.StdEncoding.EncodeToString(b)
		var out []byte
		for len(s) > base64Line {
			out = append(append(out, s[:base64Line]...), '\n')
			s = s[base64Line:]
		}
		return repr.TextBytes(append(out, s...)), nil
	default:
		return repr.Null, unknownEncoding(a[1].Str())
	}
}

// escapeBytes writes zeros and bytes above 127 in octal, and doubles backslashes.
func escapeBytes(b []byte) []byte {
	var out []byte
	for _, c := range b {
		switch {
		case c == '\\':
			out = append(out, '\\', '\\')
		case c == 0 || c >= 0x80:
			out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			out = append(out, c)
		}
	}
	return out
}

func decode(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	var b []byte
	var err *repr.Error
	switch strings.ToLower(a[1].Str()) {
	case "hex":
		b, err = pgfmt.DecodeHex(a[0].Str())
	case "escape":
		b, err = pgfmt.DecodeEscape(a[0].Str())
	case "base64":
		b, err = decodeBase64(a[0].Str())
	default:
		err = unknownEncoding(a[1].Str())
	}
	return repr.Bytea(b), err
}

func decodeBase64(s string) ([]byte, *repr.Error) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\n\r", r) {
			return -1
		}
		return r
	}, s)
	for _, r := range s {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", r) {
			return nil, invalidParameter(`invalid symbol "` + string(r) + `" found while decoding base64 sequence`)
		}
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, invalidParameter("invalid base64 end sequence").
			WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
	}
	return b, nil
}

// isUTF8 says whether an encoding's name, without regard to case and punctuation, means UTF-8 or its ASCII part.
func isUTF8(name string) bool {
	n := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	return n == "utf8" || n == "unicode" || n == "sqlascii"
}

func isLatin1(name string) bool {
	n := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	return n == "latin1" || n == "iso88591"
}

func convertFrom(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b, name := a[0].Bytes(), a[1].Str()
	if isLatin1(name) {
		runes := make([]rune, len(b))
		for i, c := range b {
			if c == 0 {
				return repr.Null, pgfmt.CheckText(b[i : i+1])
			}
			runes[i] = rune(c)
		}
		return repr.Text(string(runes)), nil
	}
	if !isUTF8(name) {
		return repr.Null, invalidParameter(`invalid source encoding name "` + name + `"`)
	}
	if err := pgfmt.CheckText(b); err != nil {
		return repr.Null, err
	}
	return repr.TextBytes(b), nil
}

func convertTo(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	name := a[1].Str()
	if isLatin1(name) {
		var out []byte
		for _, r := range a[0].Str() {
			if r > 0xff {
				return repr.Null, repr.NewError("22P05", `character with byte sequence `+hexBytes(string(r))+
					` in encoding "UTF8" has no equivalent in encoding "LATIN1"`)
			}
			out = append(out, byte(r))
		}
		return repr.Bytea(out), nil
	}
	if !isUTF8(name) {
		return repr.Null, invalidParameter(`invalid destination encoding name "` + name + `"`)
	}
	return repr.Bytea(a[0].Bytes()), nil
}

func hexBytes(s string) string {
	parts := make([]string, len(s))
	for i := range len(s) {
		parts[i] = "0x" + hex.EncodeToString([]byte{s[i]})
	}
	return strings.Join(parts, " ")
}

func hashBytes(b []byte, name string) ([]byte, bool) {
	switch name {
	case "md5":
		sum := md5.Sum(b)
		return sum[:], true
	case "sha1":
		sum := sha1.Sum(b)
		return sum[:], true
	case "sha224":
		sum := sha256.Sum224(b)
		return sum[:], true
	case "sha256":
		sum := sha256.Sum256(b)
		return sum[:], true
	case "sha384":
		sum := sha512.Sum384(b)
		return sum[:], true
	case "sha512":
		sum := sha512.Sum512(b)
		return sum[:], true
	default:
		return nil, false
	}
}

func hash(name string) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		sum, _ := hashBytes(a[0].Bytes(), name)
		return repr.Bytea(sum), nil
	}
}

// hashes make the hash functions by name.
var hashes = map[string]func() gohash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

// hmacOf is what who has a key says of data (RFC 2104): the data, the key and the name of a hash function.
func hmacOf(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	of := hashes[strings.ToLower(a[2].Str())]
	if of == nil {
		return repr.Null, invalidParameter(`Cannot use "` + a[2].Str() + `": No such hash algorithm`)
	}
	sum := hmac.New(of, a[1].Bytes())
	sum.Write(a[0].Bytes())
	return repr.Bytea(sum.Sum(nil)), nil
}

// constantTimeEq compares without telling by its time how much is equal.
func constantTimeEq(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Bool(hmac.Equal(a[0].Bytes(), a[1].Bytes())), nil
}

func digest(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	sum, ok := hashBytes(a[0].Bytes(), strings.ToLower(a[1].Str()))
	if !ok {
		return repr.Null, invalidParameter(`Cannot use "` + a[1].Str() + `": No such hash algorithm`)
	}
	return repr.Bytea(sum), nil
}
