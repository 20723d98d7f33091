package coord

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// How much history is kept of an object is an option of it: RETAIN HISTORY FOR '1 hour'. It stands in the statement that makes the
// object, so that it comes back with it.
const (
	optionRetain = "retain history for"
	optionReset  = "retain history"
)

// optionsOf are the options of a statement that makes an object; nil when it has none that matter here.
func optionsOf(stmt ast.Statement) *[]ast.Option {
	switch st := stmt.(type) {
	case *ast.CreateTable:
		return &st.Options
	case *ast.CreateSource:
		return &st.Options
	case *ast.CreateTableFromSource:
		return &st.Options
	case *ast.CreateMaterializedView:
		return &st.Options
	default:
		return nil
	}
}

// retention reads how much history is to be kept from the options of an object; 0 is what the server keeps of any.
func retention(options *[]ast.Option) (time.Duration, *repr.Error) {
	if options == nil {
		return 0, nil
	}
	o, ok := ast.FindOption(*options, optionRetain)
	if !ok {
		return 0, nil
	}
	return retainInterval(o, "RETAIN HISTORY FOR")
}

// retainInterval reads the interval of an option.
func retainInterval(o ast.Option, word string) (time.Duration, *repr.Error) {
	if o.Value.Kind != ast.OptionString {
		return 0, repr.NewError(repr.CodeInvalidParameter, word+" needs an interval").
			WithHint("write it as in " + word + " '1 hour'").At(o.Pos)
	}
	d, err := pgfmt.ParseText(repr.TypeOf(repr.KindInterval), o.Value.Text, nil)
	if err != nil {
		return 0, err.At(o.Value.Pos)
	}
	months, days, micros := d.IntervalParts()
	sum := (float64(months)*30+float64(days))*float64(24*time.Hour) + float64(micros)*float64(time.Microsecond)
	if sum < float64(time.Millisecond) || sum > math.MaxInt64/2 {
		return 0, repr.NewError(repr.CodeInvalidParameter, "history is kept for a millisecond at least, and for a century at most").At(o.Value.Pos)
	}
	return time.Duration(sum), nil
}

// ownRetention is retention where no other option is known.
func ownRetention(options *[]ast.Option) (time.Duration, *repr.Error) {
	for _, o := range *options {
		if o.Name != optionRetain {
			return 0, errUnknownOption(o)
		}
	}
	return retention(options)
}

// errIndexHistory says where the history of what an index arranges is kept.
func errIndexHistory(on *catalog.Item, pos int) *repr.Error {
	return unsupported("RETAIN HISTORY of an index, which is read at the newest times only,", pos).
		WithHint("say it of what the index is on: ALTER " + strings.ToUpper(on.Kind.String()) + " " + ast.QuoteIdent(on.Name) + " SET (RETAIN HISTORY FOR '…')")
}

func errUnknownOption(o ast.Option) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "unrecognized parameter \""+o.Name+"\"").
		WithHint("the option is RETAIN HISTORY FOR '<interval>'").At(o.Pos)
}

// reachBack is the time that lies a while before another, or the first one there is.
func reachBack(from repr.Time, keep time.Duration) repr.Time {
	if ms := repr.Time(keep.Milliseconds()); from > ms {
		return from - ms
	}
	return min(from, 1)
}

// retain takes over what a change of the catalog says about history. It runs in the loop.
func (c *Coordinator) retain(ch *catalog.Change) {
	clear(c.bases)
	for _, it := range ch.Set {
		if delete(c.retained, it.ID); it.Retain > 0 {
			c.retained[it.ID] = it.Retain
		}
	}
	for _, it := range ch.Gone {
		delete(c.retained, it.ID)
	}
}

// errUnreadable refuses to read a collection at a time that is forgotten or not complete.
func errUnreadable(name string, cause error) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "\""+name+"\" is not readable at that time").WithDetail(cause.Error()).
		WithHint("history is kept for the time in the setting retain_history, or as long as RETAIN HISTORY FOR says of the object; " +
			"mz_internal.mz_object_history shows which times can be read")
}

// changeableOptions are the options that ALTER takes of an object.
func changeableOptions(it *catalog.Item) []string {
	switch {
	case it.Kind == catalog.Source:
		return append(namesIn(errorOptions), optionRetain)
	case it.Kind == catalog.MaterializedView && !it.Hidden:
		return []string{optionOnError, optionRetain}
	default:
		return []string{optionRetain}
	}
}

// alterOptions runs ALTER … SET (…) and RESET (…): what can be changed is how much history is kept, what a source does about bad
// records, and what reads of a view do about errors.
func (s *Session) alterOptions(ctx context.Context, st *ast.AlterOptions) (*Result, *repr.Error) {
	res := &Result{Tag: "ALTER " + st.Kind.String()}
	it, err := s.findFor(st.Kind, st.Name, st.IfExists)
	if err != nil || it == nil {
		return res, err
	}
	if it.Failed != nil {
		return nil, errFailed(it).At(st.Name.Pos)
	}
	if it.Kind == catalog.Connection {
		return res, s.alterConnection(ctx, st, it)
	}
	if it.Kind == catalog.Sink {
		return res, s.alterSink(ctx, st, it)
	}
	for i := range st.Options {
		o := &st.Options[i]
		if known := changeableOptions(it); !slices.Contains(known, o.Name) && (!st.Reset || o.Name != optionReset) {
			return nil, unknownOption(o, " in ALTER of a "+it.Kind.String(), known...)
		}
	}
	if it.Kind == catalog.Index {
		return nil, errIndexHistory(s.c.Catalog().Item(it.On), st.Name.Pos)
	}
	parsed, e := parse.Parse(it.Statement)
	if e != nil {
		return nil, asError(e)
	}
	made := parsed[0].Stmt
	options := optionsOf(made)
	if options == nil {
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+it.Name+"\" is "+a(it.Kind)+", which keeps no history of its own").At(st.Name.Pos)
	}
	replaceOptions(made, options, st)
	keep, err := retention(options)
	if err != nil {
		return nil, err
	}
	as := *it
	source, isSource := made.(*ast.CreateSource)
	if isSource {
		if err := s.c.redefine(&as, source); err != nil {
			return nil, err
		}
	}
	lenient, err := lenientIn(made)
	if err != nil {
		return nil, err
	}
	return res, s.putAltered(ctx, it, made, func(it *catalog.Item) {
		if it.Retain, it.Lenient = keep, lenient; isSource {
			it.Def, it.Depends = as.Def, as.Depends
		}
	})
}

// redefine makes of a source what its statement says from now on.
func (c *Coordinator) redefine(it *catalog.Item, made *ast.CreateSource) *repr.Error {
	if _, _, err := c.maker(it.Path).lettersOf(made); err != nil {
		return err
	}
	it.Statement = ast.Format(made)
	if err := c.define(it, noteOf(it)); err != nil {
		return err
	}
	it.Depends = it.Def.(sourceSpec).world().depends
	return nil
}

// replaceOptions puts options in the place of those of the same name, or takes these away.
func replaceOptions(made ast.Statement, options *[]ast.Option, st *ast.AlterOptions) {
	gone := func(name string) bool {
		return slices.ContainsFunc(st.Options, func(o ast.Option) bool {
			return o.Name == name || o.Name == optionReset && name == optionRetain
		})
	}
	if source, ok := made.(*ast.CreateSource); ok {
		source.From.Options = dropOptions(source.From.Options, gone)
	}
	*options = dropOptions(*options, gone)
	if !st.Reset {
		*options = append(*options, st.Options...)
	}
}

// putAltered puts an object as a statement makes it now in the place of what it was; alter changes what was read of the statement.
func (s *Session) putAltered(ctx context.Context, it *catalog.Item, made ast.Statement, alter func(*catalog.Item)) *repr.Error {
	err := s.changeCatalog(ctx, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		now := snap.Item(it.ID)
		if now == nil || now.Statement != it.Statement || it.Kind == catalog.Source && now.Def != it.Def {
			return nil, repr.NewError(repr.CodeUndefinedTable, "\""+it.Name+"\" was changed meanwhile").WithHint("run the statement again")
		}
		altered := *now
		altered.Statement, altered.CreateSQL = ast.Format(made), createText(made)
		alter(&altered)
		snap = snap.With(&altered)
		for _, d := range snap.Dependents(it.ID) { // the relation of what a source could not decode
			if d.Hidden && d.On == it.ID {
				part := *d
				part.Retain = altered.Retain
				snap = snap.With(&part)
			}
		}
		return snap, nil
	})
	if err != nil || it.Kind != catalog.Source {
		return err
	}
	return s.c.do(ctx, func() {
		if r, now := s.c.sources[it.ID], s.c.Catalog().Item(it.ID); r != nil && now != nil {
			r.letters = lettersIn(now)
			r.follow(policyIn(now.Statement))
		}
	})
}
