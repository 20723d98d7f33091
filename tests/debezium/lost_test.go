package debezium

import (
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"millrace/sources/envelope/samples"
)

// loss is a value that does not arrive as the database has it, by no fault of the consumer.
type loss struct {
	where string // topics: database/format/mode, each of them or *; for a format declared: its columns come from CREATE SOURCE
	at    string // table/row/column, without the database and schema of the table
	value string // what arrives
	why   string
}

// losses are all places where the producer lost or changed data.
var losses = []loss{
	{"*/*/*", "users/1/country", "NL", "NULL is replaced by the default of the column"},
	{"*/declared/*", "users/old/country", samples.Null, "rows older than the column have no field for it; a schema has its default"},
	{"pg/*/*", "types/1/c_timetz", "21:59:59.123456Z", "a time with a zone comes in UTC"},
	{"pg/*/*", "types/1/c_json", `{"a": 3}`, "json is told from jsonb by nothing, and jsonb keeps one of equal keys"},
	{"pg/*/main", "types/1/c_interval", "10303:05:06.789", "interval.handling.mode=numeric, the default, has microseconds, at 30.4375 days a month"},
	{"pg/*/main", "types/3/c_interval", "-706:30:00.000001", "interval.handling.mode=numeric, the default, has microseconds, at 30.4375 days a month"},
	{"pg/declared/*", "types/4/c_tstz", "0001-12-30 00:00:00+00 BC", "the calendar before 1582 is another"},
	{"pg/*/*", "types/4/c_tstz", "0000-12-30T00:00:00.000000Z", "the calendar before 1582 is another"},
	{"pg/*/*", "types/4/c_date", "0044-03-15", "years before Christ have lost that"},
	{"pg/*/double", "types/1/c_ts", "2026-02-28 23:59:59.123", "time.precision.mode=connect has milliseconds"},
	{"pg/*/double", "types/4/c_ts", "1969-12-31 23:59:59.999", "time.precision.mode=connect has milliseconds"},
	{"pg/*/double", "types/1/c_time", "23:59:59.123", "time.precision.mode=connect has milliseconds"},
	{"mysql/*/main", "types/1/c_ubig", "-1", "bigint.unsigned.handling.mode=long, the default, has no room for it"},
	{"mysql/*/string", "types/1/c_ubig", "-1", "bigint.unsigned.handling.mode=long, the default, has no room for it"},
	{"mysql/*/double", "types/1/c_dec0", "1.2345678901234568e+29", "decimal.handling.mode=double"},
	{"mysql/*/double", "types/1/c_dt6", "2026-02-28 23:59:59.123", "time.precision.mode=connect has milliseconds"},
	{"mysql/*/double", "types/1/c_time6", samples.Null, "time.precision.mode=connect has no time beyond a day"},
	{"mysql/*/double", "types/5/c_time6", samples.Null, "time.precision.mode=connect has no time beyond a day"},
	{"mysql/*/string", "types/1/c_time6", samples.Null, "time.precision.mode=isostring has no time beyond a day"},
	{"mysql/*/string", "types/5/c_time6", samples.Null, "time.precision.mode=isostring has no time beyond a day"},
}

// snapshotUsers is how many users there were before their table got a column; those that did not change since are old.
const snapshotUsers = 12

// lossAt finds the loss of a value; nil when it arrives as it is.
func (c *capture) lossAt(row, column string) *loss {
	table := c.table[strings.LastIndexByte(c.table, '.')+1:]
	if n, err := strconv.Atoi(row); table == "users" && err == nil && n > 1 && n <= snapshotUsers {
		row = "old"
	}
	for i := range losses {
		l := &losses[i]
		if l.at == table+"/"+row+"/"+column && c.is(l.where) {
			return l
		}
	}
	return nil
}

func (c *capture) is(where string) bool {
	parts := strings.Split(where, "/")
	for i, has := range []string{c.db, c.format, c.mode} {
		if parts[i] == "declared" && c.declared {
			continue
		}
		if parts[i] != "*" && parts[i] != has {
			return false
		}
	}
	return true
}

// same compares the text of a value that arrived with the one that the database printed. Types differ in how they print what
// is equal: bytes, bits, a truth value, a number, a time with a zone.
func (c *capture) same(column, got, want string) bool {
	switch {
	case got == want:
		return true
	case got == samples.Null || want == samples.Null:
		return false
	case slices.Contains(bytesColumns, column):
		return c.bytes(got) == want || strings.HasPrefix(want, `\x`) && c.bytes(got) == c.bytes(want)
	case slices.Contains(bitColumns, column):
		return bits(got) == bits(want)
	}
	if x, ok := new(big.Rat).SetString(got); ok {
		if y, ok := new(big.Rat).SetString(want); ok {
			return x.Cmp(y) == 0
		}
	}
	return stamp(got) == stamp(want) || "$"+got == want || truth[got] == want
}

// truth is how a truth value stands in a column of numbers.
var truth = map[string]string{"t": "1", "f": "0"}

// Columns of bytes, which MariaDB prints raw, and of bits, which it does too.
var (
	bytesColumns = []string{"c_binary", "c_varbinary", "c_blob", "c_bytea"}
	bitColumns   = []string{"c_bit1", "c_bit10", "c_bit8"}
)

// bytes are the bytes that a text stands for. A connector that writes them as text says so in its schema, so text they are.
func (c *capture) bytes(text string) string {
	b, err := []byte(nil), error(nil)
	digits, isHex := strings.CutPrefix(text, `\x`)
	if isHex || c.mode == "string" {
		b, err = hex.DecodeString(digits)
	} else {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return "no bytes: " + text
	}
	return string(b)
}

// bits is a bit string as a number: digits, a truth value, bytes as MariaDB prints them, or little-endian bytes in base64 as
// Debezium writes them where no schema says so.
func bits(text string) string {
	if n, err := strconv.ParseUint(strings.NewReplacer("t", "1", "f", "0").Replace(text), 2, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b = []byte(text)
		slices.Reverse(b)
	}
	n := uint64(0)
	for i, x := range b {
		n |= uint64(x) << (8 * i)
	}
	return strconv.FormatUint(n, 10)
}

// stamp is a time without its zone, which is UTC in all of them, and without zeros at the end.
func stamp(s string) string {
	if len(s) < 8 || !strings.Contains(s, ":") {
		return s
	}
	s = strings.Replace(strings.TrimSuffix(strings.TrimSuffix(s, "Z"), "+00"), "T", " ", 1)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}
