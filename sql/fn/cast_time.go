package fn

import (
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

const (
	kDate        = repr.KindDate
	kTime        = repr.KindTime
	kTimestamp   = repr.KindTimestamp
	kTimestampTZ = repr.KindTimestampTZ
	kInterval    = repr.KindInterval
)

// timeCasts are the casts among dates and times.
var timeCasts = []castRow{
	{kDate, kTimestamp, CastImplicit, dateToTimestamp},
	{kDate, kTimestampTZ, CastImplicit, dateToTimestampTZ},
	{kTime, kInterval, CastImplicit, func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Interval(0, 0, a[0].Int()), nil
	}},
	{kTimestamp, kDate, CastAssignment, timestampToDate},
	{kTimestamp, kTime, CastAssignment, timestampToTime},
	{kTimestamp, kTimestampTZ, CastImplicit, timestampToMoment},
	{kTimestampTZ, kDate, CastAssignment, func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return timestampToDate(env, []repr.Datum{localOf(env, a[0])})
	}},
	{kTimestampTZ, kTime, CastAssignment, func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return timestampToTime(env, []repr.Datum{localOf(env, a[0])})
	}},
	{kTimestampTZ, kTimestamp, CastAssignment, func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return localOf(env, a[0]), nil
	}},
	{kInterval, kTime, CastAssignment, func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		_, _, micros := a[0].IntervalParts()
		_, ofDay := pgfmt.SplitTimestamp(micros)
		return repr.TimeOfDay(ofDay), nil
	}},
}

// isInfinite says whether a date or timestamp is infinite.
func isInfinite(d repr.Datum) bool {
	n := d.Int()
	if d.Kind() == kDate {
		return n == repr.NegInfinity32 || n == repr.PosInfinity32
	}
	return n == repr.NegInfinity64 || n == repr.PosInfinity64
}

// timestampOf is a date as the timestamp of its midnight.
func timestampOf(d repr.Datum) (repr.Datum, *repr.Error) {
	switch n := d.Int(); {
	case n == repr.NegInfinity32:
		return repr.Timestamp(repr.NegInfinity64), nil
	case n == repr.PosInfinity32:
		return repr.Timestamp(repr.PosInfinity64), nil
	case n >= pgfmt.EndTimestamp/repr.MicrosPerDay:
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "date out of range for timestamp")
	default:
		return repr.Timestamp(n * repr.MicrosPerDay), nil
	}
}

func dateToTimestamp(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return timestampOf(a[0]) }

func dateToTimestampTZ(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	d, err := timestampOf(a[0])
	if err != nil {
		return repr.Null, err
	}
	return timestampToMoment(env, []repr.Datum{d})
}

func timestampToMoment(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if isInfinite(a[0]) {
		return a[0].As(kTimestampTZ), nil
	}
	n := pgfmt.FromLocal(a[0].Int(), location(env))
	if !pgfmt.TimestampInRange(n) {
		return repr.Null, timestampRange()
	}
	return repr.TimestampTZ(n), nil
}

// localOf is a moment as the timestamp that clocks in the session's zone show.
func localOf(env *expr.Env, d repr.Datum) repr.Datum {
	if isInfinite(d) {
		return d.As(kTimestamp)
	}
	return repr.Timestamp(pgfmt.ToLocal(d.Int(), location(env)))
}

func timestampToDate(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	switch n := a[0].Int(); n {
	case repr.NegInfinity64:
		return repr.Date(repr.NegInfinity32), nil
	case repr.PosInfinity64:
		return repr.Date(repr.PosInfinity32), nil
	default:
		days, _ := pgfmt.SplitTimestamp(n)
		return repr.Date(int32(days)), nil
	}
}

func timestampToTime(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if isInfinite(a[0]) {
		return repr.Null, nil
	}
	_, ofDay := pgfmt.SplitTimestamp(a[0].Int())
	return repr.TimeOfDay(ofDay), nil
}
