package fn

import (
	"math"
	"strconv"

	"millrace/repr"
)

// orderedSetAggregates are called WITHIN GROUP (ORDER BY …). Their operands are the direct arguments and then the values of
// the order, which come sorted; NULLs among the values do not count. A direct argument is the same for all rows.
var orderedSetAggregates = []aggRow{
	{sig: "percentile_cont(double precision, double precision) double precision", make: percentile(contFloat)},
	{sig: "percentile_cont(double precision, interval) interval", make: percentile(contInterval)},
	{sig: "percentile_cont(double precision[], double precision) double precision[]", make: percentile(contFloat)},
	{sig: "percentile_cont(double precision[], interval) interval[]", make: percentile(contInterval)},
	{sig: "percentile_disc(double precision, anyelement) anyelement", make: percentile(nil)},
	{sig: "percentile_disc(double precision[], anyelement) anyarray", make: percentile(nil)},
	{sig: "mode(anyelement) anyelement", make: func([]repr.Type, repr.Type) *repr.Aggregate { return &repr.Aggregate{Fold: mode} }},
}

// hypotheticalSet are the aggregates that rank a row which is not there. The planner makes them of counts.
var hypotheticalSet = map[string]bool{"rank": true, "dense_rank": true, "percent_rank": true, "cume_dist": true}

var orderedSets = newAggCatalog([]aggFamily{{"Ordered sets", orderedSetAggregates}})

// IsOrderedSet says whether there is an ordered-set aggregate of the name.
func IsOrderedSet(name string) bool { return len(orderedSets.calls.byName[name]) > 0 }

// IsHypotheticalSet says whether there is a hypothetical-set aggregate of the name.
func IsHypotheticalSet(name string) bool { return hypotheticalSet[name] }

// ResolveOrderedSet finds the ordered-set aggregate that a call means: its direct arguments, then the values of its order.
func ResolveOrderedSet(name string, args []repr.Type) (*ResolvedAggregate, *repr.Error) {
	return orderedSets.resolve(name, args)
}

// counted is a value of a sorted group and how many rows stand before the first that is behind it.
type counted struct {
	value repr.Datum
	upTo  repr.Diff
}

// ordered are the values of a group that are not NULL, and the direct argument.
func ordered(rows group) (list []counted, direct repr.Datum) {
	n := repr.Diff(0)
	for args, count := range rows {
		direct = args[0]
		if v := args[len(args)-1]; !v.IsNull() {
			n += count
			list = append(list, counted{value: v, upTo: n})
		}
	}
	return list, direct
}

// at is the value of row i, counted from 0.
func at(list []counted, i repr.Diff) repr.Datum {
	low, high := 0, len(list)-1
	for low < high {
		if mid := (low + high) / 2; list[mid].upTo > i {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return list[low].value
}

// between is the value that lies between two neighbours, part of the way.
type between func(a, b repr.Datum, part float64) (repr.Datum, *repr.Error)

func contFloat(a, b repr.Datum, part float64) (repr.Datum, *repr.Error) {
	return repr.Float8(a.Float() + part*(b.Float()-a.Float())), nil
}

func contInterval(a, b repr.Datum, part float64) (repr.Datum, *repr.Error) {
	step, err := addIntervals(b, a, -1)
	if err != nil {
		return repr.Null, err
	}
	if step, err = scaleInterval(step, func(x float64) float64 { return x * part }); err != nil {
		return repr.Null, err
	}
	return addIntervals(a, step, 1)
}

// percentile picks the row at a part of the group, or, given how, a value between the two rows around it. A list of parts
// gives a list of values.
func percentile(how between) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func(args []repr.Type, _ repr.Type) *repr.Aggregate {
		many := args[0].Kind == repr.KindArray
		return &repr.Aggregate{Fold: func(rows group) (repr.Datum, *repr.Error) {
			list, direct := ordered(rows)
			if len(list) == 0 || direct.IsNull() {
				return repr.Null, nil
			}
			if !many {
				return percentileOf(list, direct, how)
			}
			parts := direct.Elems(nil)
			out := make([]repr.Datum, len(parts))
			for i, p := range parts {
				if p.IsNull() {
					continue
				}
				var err *repr.Error
				if out[i], err = percentileOf(list, p, how); err != nil {
					return repr.Null, err
				}
			}
			return repr.Array(out), nil
		}}
	}
}

func percentileOf(list []counted, part repr.Datum, how between) (repr.Datum, *repr.Error) {
	p := part.Float()
	if !(p >= 0 && p <= 1) {
		return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, "percentile value "+strconv.FormatFloat(p, 'g', 6, 64)+" is not between 0 and 1")
	}
	n := list[len(list)-1].upTo
	if how == nil {
		return at(list, max(repr.Diff(math.Ceil(p*float64(n)))-1, 0)), nil
	}
	place := p * float64(n-1)
	first := at(list, repr.Diff(math.Floor(place)))
	if second := math.Ceil(place); second != math.Floor(place) {
		return how(first, at(list, repr.Diff(second)), place-math.Floor(place))
	}
	return first, nil
}

// mode is the value that most rows have, the first in the order of those.
func mode(rows group) (repr.Datum, *repr.Error) {
	list, _ := ordered(rows)
	best, most := repr.Null, repr.Diff(0)
	for i := 0; i < len(list); {
		from, before := i, repr.Diff(0)
		if i > 0 {
			before = list[i-1].upTo
		}
		for i++; i < len(list) && repr.Compare(list[i].value, list[from].value) == 0; i++ {
		}
		if n := list[i-1].upTo - before; n > most {
			best, most = list[from].value, n
		}
	}
	return best, nil
}
