package fn

import (
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// seriesFunctions count from a value to another.
var seriesFunctions = []tableRow{
	{sig: "generate_series(integer, integer) integer", eval: intSeries(kInt4)},
	{sig: "generate_series(integer, integer, integer) integer", eval: intSeries(kInt4)},
	{sig: "generate_series(bigint, bigint) bigint", eval: intSeries(kInt8)},
	{sig: "generate_series(bigint, bigint, bigint) bigint", eval: intSeries(kInt8)},
	{sig: "generate_series(numeric, numeric) numeric", eval: numericSeries},
	{sig: "generate_series(numeric, numeric, numeric) numeric", eval: numericSeries},
	{sig: "generate_series(timestamp, timestamp, interval) timestamp", eval: timeSeries(shiftTimestamp(0, 1, 1))},
	{sig: "generate_series(timestamptz, timestamptz, interval) timestamptz", eval: timeSeries(shiftMoment(0, 1, 1))},
	{sig: "date_bin_hopping(interval, interval, timestamp) timestamp", eval: hoppingBins},
	{sig: "date_bin_hopping(interval, interval, timestamptz) timestamptz", eval: hoppingBins},
	{sig: "date_bin_hopping(interval, interval, timestamp, timestamp) timestamp", eval: hoppingBins},
	{sig: "date_bin_hopping(interval, interval, timestamptz, timestamptz) timestamptz", eval: hoppingBins},
}

func zeroStep() *repr.Error { return invalidParameter("step size cannot equal zero") }

func intSeries(k repr.Kind) tableEval {
	return func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		n, end, step := a[0].Int(), a[1].Int(), int64(1)
		if len(a) > 2 {
			step = a[2].Int()
		}
		if step == 0 {
			return zeroStep()
		}
		for step > 0 && n <= end || step < 0 && n >= end {
			if !emit([]repr.Datum{repr.IntOf(k, n)}) {
				return nil
			}
			next, ok := addInt(n, step)
			if !ok {
				return nil
			}
			n = next
		}
		return nil
	}
}

func numericSeries(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	for i, what := range []string{"start", "stop", "step size"}[:len(a)] {
		if !a[i].NumericFinite() {
			value := "infinity"
			if a[i].NumericIsNaN() {
				value = "NaN"
			}
			if what != "step size" {
				what += " value"
			}
			return invalidParameter(what + " cannot be " + value)
		}
	}
	n, end, step := a[0], a[1], repr.Numeric(1, 0)
	if len(a) > 2 {
		step = a[2]
	}
	direction := step.NumericSign()
	if direction == 0 {
		return zeroStep()
	}
	for repr.Compare(n, end)*direction <= 0 {
		if !emit([]repr.Datum{n}) {
			return nil
		}
		next, err := addNumeric(n, step)
		if err != nil {
			return err
		}
		n = next
	}
	return nil
}

func timeSeries(step evalFunc) tableEval {
	return func(env *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		direction := repr.Compare(a[2], repr.Interval(0, 0, 0))
		if direction == 0 {
			return zeroStep()
		}
		if isInfinite(a[0]) {
			return nil
		}
		n := a[0]
		for (n.Int() <= a[1].Int() && direction > 0) || (n.Int() >= a[1].Int() && direction < 0) {
			if !emit([]repr.Datum{n}) {
				return nil
			}
			next, err := step(env, []repr.Datum{n, a[2]})
			if err != nil {
				return err
			}
			n = next
		}
		return nil
	}
}

// hoppingBins are the starts, hop apart, of all windows of a width that a time falls into, from the earliest. A window
// holds its start and not its end. They are aligned to an origin, 1970 if none is given. What is infinite is in no window.
func hoppingBins(env *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	origin := repr.IntOf(a[2].Kind(), -pgfmt.EpochSeconds*microsPerSecond)
	if len(a) > 3 {
		origin = a[3]
	}
	last, err := dateBin(env, []repr.Datum{a[0], a[2], origin})
	if err != nil || isInfinite(last) {
		return err
	}
	months, days, rest := a[1].IntervalParts()
	width, ok := addInt(int64(days)*repr.MicrosPerDay, rest)
	switch {
	case months != 0:
		return repr.NewError(repr.CodeFeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	case !ok:
		return intervalRange()
	case width <= 0:
		return repr.NewError(repr.CodeDatetimeOverflow, "width must be greater than zero")
	}
	_, days, rest = a[0].IntervalParts()
	hop := int64(days)*repr.MicrosPerDay + rest
	since := a[2].Int() - last.Int() // the last window holds the time unless the windows leave gaps
	before := (width - 1 - since) / hop
	if since >= width {
		return nil
	}
	first, err := inRange(last.Kind(), last.Int()-before*hop)
	if err != nil {
		return err
	}
	for n := first.Int(); n <= last.Int(); n += hop {
		if !emit([]repr.Datum{repr.IntOf(last.Kind(), n)}) {
			return nil
		}
	}
	return nil
}

// arrayTables turn arrays into rows.
var arrayTables = []tableRow{
	{sig: "unnest(anyarray) anyelement", eval: func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		for _, e := range a[0].Elems(nil) {
			if !emit([]repr.Datum{e}) {
				return nil
			}
		}
		return nil
	}},
	{sig: "generate_subscripts(anyarray, integer) integer", eval: subscripts},
	{sig: "generate_subscripts(anyarray, integer, boolean) integer", eval: subscripts},
	{sig: "_pg_expandarray(anyarray) (x anyelement, n integer)", eval: func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		for i, e := range a[0].Elems(nil) {
			if !emit([]repr.Datum{e, repr.Int4(int32(i + 1))}) {
				return nil
			}
		}
		return nil
	}},
}

func subscripts(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	n := int32(a[0].Len())
	if a[1].Int() != 1 {
		return nil
	}
	for i := int32(1); i <= n; i++ {
		at := i
		if len(a) > 2 && a[2].Bool() {
			at = n + 1 - i
		}
		if !emit([]repr.Datum{repr.Int4(at)}) {
			return nil
		}
	}
	return nil
}
