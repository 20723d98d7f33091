package fn

import (
	"math"
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
)

// windowFunctions are the functions that are called with OVER and nothing else; aggregates can be too.
var windowFunctions = []string{
	"row_number() bigint",
	"rank() bigint",
	"dense_rank() bigint",
	"percent_rank() double precision",
	"cume_dist() double precision",
	"ntile(integer) integer",
	"lag(anyelement) anyelement",
	"lag(anyelement, integer) anyelement",
	"lag(anycompatible, integer, anycompatible) anycompatible",
	"lead(anyelement) anyelement",
	"lead(anyelement, integer) anyelement",
	"lead(anycompatible, integer, anycompatible) anycompatible",
	"first_value(anyelement) anyelement",
	"last_value(anyelement) anyelement",
	"nth_value(anyelement, integer) anyelement",
}

var windows = newWindowCatalog()

func newWindowCatalog() *catalog {
	c := &catalog{byName: map[string][]*candidate{}}
	for _, sig := range windowFunctions {
		c.add(parseSignature(&row{sig: sig}))
	}
	return c
}

// IsWindow says whether there is a window function of the name that is no aggregate.
func IsWindow(name string) bool { return len(windows.byName[name]) > 0 }

// ResolveWindow finds the window function that a call means: the types its operands must be cast to, and its result's.
func ResolveWindow(name string, args []repr.Type) (types []repr.Type, ret repr.Type, err *repr.Error) {
	c, err := windows.resolve(name, args)
	if err != nil {
		return nil, ret, err
	}
	if c == nil {
		return nil, ret, undefinedFunction(name, args)
	}
	return c.bindPolymorphic(args)
}

// rangeType is how the ends of a frame RANGE … PRECEDING AND … FOLLOWING are found over a column.
type rangeType struct {
	as      repr.Kind   // what the column is compared as
	offset  repr.Kind   // what an offset is cast to
	offsets []repr.Kind // what an offset may be given as
	plus    evalFunc
	minus   evalFunc
}

// rangeTypes are the types that a RANGE frame with offsets can be ordered by.
var rangeTypes = makeRangeTypes()

func makeRangeTypes() map[repr.Kind]rangeType {
	ints := []repr.Kind{kInt8, kInt4, kInt2}
	small := rangeType{as: kInt8, offset: kInt8, offsets: ints, plus: rangeInt(addInt, math.MaxInt64), minus: rangeInt(subInt, math.MinInt64)}
	large := small
	large.offsets = ints[:1]
	float := rangeType{as: kFloat8, offset: kFloat8, offsets: []repr.Kind{kFloat8}, plus: rangeFloat(1), minus: rangeFloat(-1)}
	numeric := rangeType{as: kNumeric, offset: kNumeric, offsets: []repr.Kind{kNumeric}, plus: numeric2(addNumeric), minus: numeric2(subNumeric)}
	span := func(as repr.Kind, plus, minus evalFunc) rangeType {
		return rangeType{as: as, offset: kInterval, offsets: []repr.Kind{kInterval}, plus: plus, minus: minus}
	}
	timestamp := span(kTimestamp, shiftTimestamp(0, 1, 1), shiftTimestamp(0, 1, -1))
	return map[repr.Kind]rangeType{
		kInt2: small, kInt4: small, kInt8: large, kFloat4: float, kFloat8: float, kNumeric: numeric,
		kDate: timestamp, kTimestamp: timestamp,
		kTimestampTZ: span(kTimestampTZ, shiftMoment(0, 1, 1), shiftMoment(0, 1, -1)),
		kTime:        span(kTime, rangeTime(1), rangeTime(-1)),
		kInterval:    span(kInterval, rangeInterval(1), rangeInterval(-1)),
	}
}

// RangeFrame says how a column of a type is compared in a RANGE frame with an offset of a type, KindNull for a literal of
// none yet: the types that the column and the offset are cast to.
func RangeFrame(column, offset repr.Type) (as, by repr.Type, err *repr.Error) {
	r, ok := rangeTypes[column.Kind]
	const refused = "RANGE with offset PRECEDING/FOLLOWING is not supported for column type "
	if !ok {
		return as, by, repr.NewError(repr.CodeFeatureNotSupported, refused+plain(column).String())
	}
	fits := offset.Kind == repr.KindNull || slices.ContainsFunc(r.offsets, func(k repr.Kind) bool {
		return implicit(plain(offset), repr.TypeOf(k))
	})
	if !fits {
		return as, by, repr.NewError(repr.CodeFeatureNotSupported,
			refused+plain(column).String()+" and offset type "+plain(offset).String()).
			WithHint("Cast the offset value to an appropriate type.")
	}
	return repr.TypeOf(r.as), repr.TypeOf(r.offset), nil
}

// errFrameSize is the error of an offset that is negative.
var errFrameSize = repr.NewError("22013", "invalid preceding or following size in window function")

// FrameBound is the function of a value of the order and an offset, both as RangeFrame says, that gives the value up to
// which a frame goes: minus says that it is less, and upper that the frame ends there. Beyond the least or greatest value
// there is nothing more to be found, so that integers stop there.
func FrameBound(as, by repr.Type, minus, upper bool) *expr.Func {
	r := rangeTypes[as.Kind]
	eval, name := r.plus, "frame_plus"
	if minus {
		eval, name = r.minus, "frame_minus"
	}
	if upper {
		name += "_end"
	}
	vol := expr.Immutable
	if as.Kind == kTimestampTZ {
		vol = expr.Stable // the session's zone says how long a day is
	}
	return &expr.Func{Name: name, Args: []repr.Type{as, by}, Ret: as, Volatility: vol,
		Eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			if negativeOffset(as.Kind, a[1]) {
				return repr.Null, errFrameSize
			}
			if d, ok := beyondAll(a[0], a[1], minus, upper); ok {
				return d, nil
			}
			return eval(env, a)
		}}
}

func negativeOffset(column repr.Kind, by repr.Datum) bool {
	switch by.Kind() {
	case kInt8:
		return by.Int() < 0
	case kFloat8:
		return by.Float() < 0 || math.IsNaN(by.Float())
	case kNumeric:
		return by.NumericIsNaN() || by.NumericSign() < 0
	default: // intervals
	}
	if _, _, micros := by.IntervalParts(); column == kTime {
		return micros < 0
	}
	return repr.Compare(by, repr.Interval(0, 0, 0)) < 0
}

// beyondAll is the bound for an infinite value with an infinite offset back from it: everything but NaN is within.
func beyondAll(v, by repr.Datum, minus, upper bool) (repr.Datum, bool) {
	side := 1
	if !minus {
		side = -1
	}
	out := -1
	if upper {
		out = 1
	}
	switch v.Kind() {
	case kFloat8:
		if math.IsInf(v.Float(), side) && math.IsInf(by.Float(), 1) {
			return repr.Float8(math.Inf(out)), true
		}
	case kNumeric:
		infinities := !v.NumericFinite() && !v.NumericIsNaN() && !by.NumericFinite()
		if infinities && v.NumericSign() == side {
			return infinite(out), true
		}
	default: // the others have no infinity
	}
	return repr.Null, false
}

// rangeInt stops at the last number.
func rangeInt(op intOp, last int64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		n, ok := op(a[0].Int(), a[1].Int())
		if !ok {
			n = last
		}
		return repr.Int8(n), nil
	}
}

// rangeFloat lets infinity be the sum of what is too large.
func rangeFloat(sign float64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Float8(a[0].Float() + sign*a[1].Float()), nil
	}
}

// rangeTime does not go round at midnight, and takes the hours of an interval alone.
func rangeTime(sign int64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		_, _, micros := a[1].IntervalParts()
		return repr.TimeOfDay(a[0].Int() + sign*min(micros, 2*repr.MicrosPerDay)), nil
	}
}

func rangeInterval(sign int64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return addIntervals(a[0], a[1], sign) }
}
