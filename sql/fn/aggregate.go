package fn

import (
	"millrace/repr"
)

// aggRow is one aggregate of a family's table.
type aggRow struct {
	sig  string // as row.sig; "name(*) type" takes no argument
	make func(args []repr.Type, ret repr.Type) *repr.Aggregate
}

// ResolvedAggregate is the aggregate that a call means, the types its operands must be cast to, and its result's.
type ResolvedAggregate struct {
	Fn   *repr.Aggregate
	Args []repr.Type
	Ret  repr.Type
}

// aggCatalog finds aggregates by name.
type aggCatalog struct {
	calls *catalog
	rows  map[*candidate]*aggRow
}

// aggregateTables are the aggregates, by family.
var aggregateTables = []aggFamily{
	{"Counts", countAggregates},
	{"Sums and averages", sumAggregates},
	{"Extremes", extremeAggregates},
	{"Booleans and bits", boolAggregates},
	{"Statistics", varianceAggregates},
	{"Lists", listAggregates},
	{"JSON", jsonAggregates},
}

// aggFamily is the table of one family under the name that the documentation gives it.
type aggFamily struct {
	name string
	rows []aggRow
}

var aggregates = newAggCatalog(aggregateTables)

func newAggCatalog(families []aggFamily) *aggCatalog {
	c := &aggCatalog{calls: &catalog{byName: map[string][]*candidate{}}, rows: map[*candidate]*aggRow{}}
	for _, f := range families {
		for i := range f.rows {
			d := parseSignature(&row{sig: f.rows[i].sig})
			c.calls.add(d)
			c.rows[d] = &f.rows[i]
		}
	}
	return c
}

// IsAggregate says whether there is an aggregate of the name.
func IsAggregate(name string) bool { return len(aggregates.calls.byName[name]) > 0 }

// ResolveAggregate finds the aggregate that a call means; star is for f(*).
func ResolveAggregate(name string, args []repr.Type, star bool) (*ResolvedAggregate, *repr.Error) {
	if star && name != "count" {
		return nil, undefinedFunction(name, nil)
	}
	if !star && len(args) == 0 {
		if name == "count" {
			return nil, repr.NewError(repr.CodeWrongObjectType, "count(*) must be used to call a parameterless aggregate function")
		}
		return nil, undefinedFunction(name, args)
	}
	return aggregates.resolve(name, args)
}

func (c *aggCatalog) resolve(name string, args []repr.Type) (*ResolvedAggregate, *repr.Error) {
	d, err := c.calls.resolve(name, args)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, undefinedFunction(name, args)
	}
	types, ret, err := d.bindPolymorphic(args)
	if err != nil {
		return nil, err
	}
	f := c.rows[d].make(types, ret)
	f.Name = name
	return &ResolvedAggregate{Fn: f, Args: types, Ret: ret}, nil
}
