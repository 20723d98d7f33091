package pgfmt

import (
	"time"

	"millrace/repr"
)

// Limits of dates (days) and timestamps (microseconds since 2000-01-01; the end is excluded).
const (
	MinDate      = -2451545
	EndDate      = 2145031949
	MinTimestamp = -211813488000000000
	EndTimestamp = 9223371331200000000

	microsPerSecond = 1000000
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute

	// EpochSeconds and EpochDays are 2000-01-01 in the Unix epoch.
	EpochSeconds = 946684800
	EpochDays    = 10957
)

// DaysFromCivil is the day of a date in the proleptic Gregorian calendar; year 0 is 1 BC. Months and days
// beyond their range count on.
func DaysFromCivil(year, month, day int) int64 {
	m := int64(month) - 1
	y := int64(year) + floorDiv(m, 12)
	m = m - 12*floorDiv(m, 12) + 1
	if m <= 2 {
		y--
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*((m+9)%12)+2)/5 + int64(day) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468 - EpochDays
}

// CivilFromDays is the date of a day; year 0 is 1 BC.
func CivilFromDays(days int64) (year, month, day int) {
	z := days + 719468 + EpochDays
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp + 3)
	if mp >= 10 {
		month = int(mp - 9)
	}
	year = int(yoe + era*400)
	if month <= 2 {
		year++
	}
	return year, month, day
}

// DaysIn is the number of days of a month.
func DaysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// SplitTimestamp is the day of a timestamp and the microseconds since its midnight.
func SplitTimestamp(micros int64) (days, ofDay int64) {
	days = floorDiv(micros, repr.MicrosPerDay)
	return days, micros - days*repr.MicrosPerDay
}

// TimestampInRange says whether a finite timestamp is one that PostgreSQL can hold.
func TimestampInRange(micros int64) bool { return micros >= MinTimestamp && micros < EndTimestamp }

// ToTime is the moment of a timestamptz in a zone.
func ToTime(micros int64, loc *time.Location) time.Time {
	sec := floorDiv(micros, microsPerSecond)
	return time.Unix(sec+EpochSeconds, (micros-sec*microsPerSecond)*1000).In(loc)
}

// FromTime is the timestamptz of a moment, to the microsecond.
func FromTime(t time.Time) int64 {
	return (t.Unix()-EpochSeconds)*microsPerSecond + int64(t.Nanosecond()/1000)
}

// ZoneOffset is the seconds that local time is ahead of UTC at a moment.
func ZoneOffset(micros int64, loc *time.Location) int64 {
	if loc == time.UTC {
		return 0
	}
	_, offset := ToTime(micros, loc).Zone()
	return int64(offset)
}

// ToLocal is the local time of a moment, as a timestamp.
func ToLocal(micros int64, loc *time.Location) int64 {
	return micros + ZoneOffset(micros, loc)*microsPerSecond
}

// FromLocal is the moment of a local time. Where clocks spring forward the time before counts, where they fall
// back the time after.
func FromLocal(local int64, loc *time.Location) int64 {
	if loc == time.UTC {
		return local
	}
	prev := ToTime(local-repr.MicrosPerDay, loc)
	_, end := prev.ZoneBounds()
	_, before := prev.Zone()
	first := local - int64(before)*microsPerSecond
	if end.IsZero() {
		return first
	}
	_, after := end.Zone()
	second := local - int64(after)*microsPerSecond
	boundary := FromTime(end)
	switch {
	case first < boundary && second < boundary:
		return first
	case first > boundary && second >= boundary:
		return second
	default:
		return max(first, second)
	}
}
