package logical

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// Microseconds and days from 1970-01-01, the epoch of messages, to 2000-01-01, ours.
const (
	EpochMicros = 946684800 * 1000000
	EpochDays   = 10957
)

// What Debezium's PostgreSQL connector sends for an infinite timestamp or date: the driver's marks in milliseconds,
// taken for microseconds; for a date the same as days, cut to 32 bits.
const (
	PosInfinity = 9223372036825200000
	NegInfinity = -9223372036832400000
	PosInfDate  = -622191234
	NegInfDate  = 622191233
)

// The same in ISO 8601.
const (
	isoPosInfinity = "+294247-01-10T04:00:25.2Z"
	isoNegInfinity = "-290308-12-21T19:59:27.6Z"
	isoPosInfDate  = "+292278994-08-16Z"
	isoNegInfDate  = "-292275055-05-16Z"
)

// PostgreSQL's bounds: MaxStamp is the first microsecond that is too late.
const (
	minStamp = -211813488000000000
	MaxStamp = 9223371331200000000
	minDate  = -2451545
	maxDate  = 2145031948
)

// Unit is what a count of time is a count of.
type Unit struct{ mul, div int64 } // microseconds: times mul, divided by div

// The units.
var (
	Millis = Unit{1000, 1}
	Micros = Unit{1, 1}
	Nanos  = Unit{1, 1000}
)

// micros scales a count to microseconds, rounding nanoseconds down; ok is false when it overflows.
func (u Unit) micros(v int64) (int64, bool) {
	if u.div != 1 {
		q := v / u.div
		if v%u.div < 0 {
			q--
		}
		return q, true
	}
	m := v * u.mul
	return m, m/u.mul == v
}

// Timestamp makes microseconds since 2000 of a count since 1970.
func Timestamp(v int64, per Unit) (int64, *repr.Error) {
	switch v {
	case PosInfinity, PosInfinity / 1000:
		return repr.PosInfinity64, nil
	case NegInfinity, NegInfinity / 1000:
		return repr.NegInfinity64, nil
	}
	m, ok := per.micros(v)
	if !ok || m < minStamp+EpochMicros || m-EpochMicros >= MaxStamp {
		return 0, outOfRange("timestamp", v)
	}
	return m - EpochMicros, nil
}

// Date makes a date of days since 1970.
func Date(v int64) (repr.Datum, *repr.Error) {
	switch v {
	case PosInfDate:
		return repr.Date(repr.PosInfinity32), nil
	case NegInfDate, NegInfDate - 1:
		return repr.Date(repr.NegInfinity32), nil
	}
	days := v - EpochDays
	if days < minDate || days > maxDate {
		return repr.Null, outOfRange("date", v)
	}
	return repr.Date(int32(days)), nil
}

// Time makes microseconds of a count since midnight, which must lie within a day.
func Time(v int64, per Unit) (int64, *repr.Error) {
	m, ok := per.micros(v)
	if !ok || m < 0 || m > repr.MicrosPerDay {
		return 0, outOfRange("time", v)
	}
	return m, nil
}

// Span makes an interval of a count.
func Span(v int64, per Unit) (repr.Datum, *repr.Error) {
	m, ok := per.micros(v)
	if !ok {
		return repr.Null, outOfRange("interval", v)
	}
	return repr.Interval(0, 0, m), nil
}

func outOfRange(what string, v int64) *repr.Error {
	return repr.NewError(repr.CodeDatetimeOverflow, fmt.Sprintf("%s out of range: %d", what, v))
}

// ISO makes a date, time or timestamp of its text in ISO 8601, as Debezium writes it with time.precision.mode=isostring. The
// zone of one without a zone is Z, and means nothing.
func ISO(k repr.Kind, b []byte) (repr.Datum, *repr.Error) {
	switch string(b) {
	case isoPosInfinity:
		return infinity(k, b, repr.PosInfinity64, repr.PosInfinity32)
	case isoNegInfinity:
		return infinity(k, b, repr.NegInfinity64, repr.NegInfinity32)
	case isoPosInfDate:
		return infinity(k, b, repr.PosInfinity64, repr.PosInfinity32)
	case isoNegInfDate:
		return infinity(k, b, repr.NegInfinity64, repr.NegInfinity32)
	}
	if k == repr.KindDate || k == repr.KindTime {
		b = bytes.TrimSuffix(b, []byte("Z"))
	}
	return pgfmt.ParseText(repr.TypeOf(k), beforeChrist(string(b)), nil)
}

// beforeChrist writes a year before 1 as PostgreSQL does. ISO 8601 has a year 0, which is 1 BC, and negative ones before it.
func beforeChrist(s string) string {
	if strings.HasPrefix(s, "0000-") {
		return "0001" + s[4:] + " BC"
	}
	digits, negative := strings.CutPrefix(s, "-")
	year, rest, ok := strings.Cut(digits, "-")
	n, err := strconv.Atoi(year)
	if !negative || !ok || err != nil {
		return strings.TrimPrefix(s, "+")
	}
	return fmt.Sprintf("%04d-%s BC", n+1, rest)
}

func infinity(k repr.Kind, b []byte, micros int64, days int32) (repr.Datum, *repr.Error) {
	switch k {
	case repr.KindDate:
		return repr.Date(days), nil
	case repr.KindTimestamp:
		return repr.Timestamp(micros), nil
	case repr.KindTimestampTZ:
		return repr.TimestampTZ(micros), nil
	default:
		return pgfmt.ParseText(repr.TypeOf(k), string(b), nil)
	}
}
