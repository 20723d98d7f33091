package loadgen

import (
	"slices"
	"strings"
	"time"

	"millrace/repr"
	"millrace/sources/generator"
)

// world makes up what happens, step by step.
type world interface {
	// tables are what it fills.
	tables() []generator.Table
	// first is how many steps make the content that is there at the start.
	first() int64
	// seek has the step with this number be the next; it is not below the one that is.
	seek(step int64)
	// next is what the next step changes; at gives the time of any step up to it.
	next(at func(step int64) int64) []generator.Change
}

// kind is a row of the table of worlds.
type kind struct {
	name    string
	options []string // that it has beside those of all
	single  bool     // it fills the source itself, and not tables
	still   bool     // nothing happens behind the first content unless TICK INTERVAL is given
	formats []Format // of a single one, whose records can be had in several
	include []string // what of a record can be a column beside its value
	make    func(cfg *Config) (world, error)
}

// The options that not all have.
const (
	optionScale       = "SCALE FACTOR"
	optionCardinality = "MAX CARDINALITY"
)

// kinds are the worlds there are.
var kinds = []kind{
	{name: "COUNTER", single: true, options: []string{optionCardinality}, make: newCounter},
	{name: "AUCTION", make: newAuction},
	{name: "TPCH", still: true, options: []string{optionScale}, make: newTPCH},
	{name: "NEXMARK", make: newNexmark},
	{name: "SHOP", make: newShop},
	{name: "CLICKSTREAM", single: true, formats: []Format{FormatText, FormatBytes, FormatJSON}, include: clickParts, make: newClickstream},
}

// Format is how a record is given.
type Format uint8

// The formats; the zero value is that of the generator.
const (
	FormatOwn Format = iota
	FormatText
	FormatBytes
	FormatJSON
)

// Include is a part of a record that is a column beside its value.
type Include struct {
	What string // KEY, OFFSET, PARTITION or TIMESTAMP
	As   string // empty: the word itself, in small letters
}

// Config says what is made up.
type Config struct {
	Generator   string // a name of the table, in any case
	Interval    time.Duration
	Paced       bool // Interval was given
	Seed        uint64
	UpTo        int64   // steps beyond the first content; 0: without end
	Scale       float64 // SCALE FACTOR; 0: not given
	Cardinality int64   // MAX CARDINALITY; 0: not given
	Format      Format
	Include     []Include
}

// kindOf finds the row of a generator.
func kindOf(name string) (*kind, *repr.Error) {
	var names []string
	for i := range kinds {
		if strings.EqualFold(kinds[i].name, name) {
			return &kinds[i], nil
		}
		names = append(names, kinds[i].name)
	}
	return nil, repr.NewError(repr.CodeUndefinedObject, "there is no load generator \""+name+"\"").WithHint("there are " + strings.Join(names, ", "))
}

// check says what a generator does not have.
func (k *kind) check(cfg *Config) *repr.Error {
	given := map[string]bool{optionScale: cfg.Scale != 0, optionCardinality: cfg.Cardinality != 0}
	for _, o := range []string{optionScale, optionCardinality} {
		if given[o] && !slices.Contains(k.options, o) {
			return repr.NewError(repr.CodeInvalidParameter, "load generator "+k.name+" has no "+o)
		}
	}
	if cfg.Format != FormatOwn && !slices.Contains(k.formats, cfg.Format) {
		return repr.NewError(repr.CodeFeatureNotSupported, "FORMAT of load generator "+k.name+" is not supported yet").
			WithHint("it gives typed columns")
	}
	for _, in := range cfg.Include {
		if !slices.Contains(k.include, in.What) {
			return repr.NewError(repr.CodeFeatureNotSupported, "INCLUDE "+in.What+" of load generator "+k.name+" is not supported yet")
		}
	}
	return nil
}
