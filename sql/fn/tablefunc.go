package fn

import (
	"slices"
	"strings"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
)

type tableEval = func(env *expr.Env, a []repr.Datum, emit func(row []repr.Datum) bool) *repr.Error

// tableRow is one function that gives rows.
type tableRow struct {
	// sig is "name(type, …) type" or "name(type, …) (column type, …)".
	sig  string
	eval tableEval
	// nulls: called with NULL operands too; else one of them means no rows.
	nulls bool
}

// tableCandidate is a table function that a call may mean; its columns may have pseudo-types.
type tableCandidate struct {
	candidate
	cols []repr.Column
	row  *tableRow
}

// tableCatalog finds table functions by name.
type tableCatalog struct {
	calls   *catalog
	details map[*candidate]*tableCandidate
}

// tableTables are the table functions, by family.
var tableTables = []tableFamily{
	{"Series", seriesFunctions},
	{"Arrays", arrayTables},
	{"JSON", jsonTables},
	{"Strings", textTables},
	{"Catalog", catalogTables},
}

// tableFamily is the table of one family under the name that the documentation gives it.
type tableFamily struct {
	name string
	rows []tableRow
}

var tableFunctions = newTableCatalog(tableTables)

func newTableCatalog(families []tableFamily) *tableCatalog {
	c := &tableCatalog{calls: &catalog{byName: map[string][]*candidate{}}, details: map[*candidate]*tableCandidate{}}
	for _, f := range families {
		for i := range f.rows {
			d := parseTableSignature(&f.rows[i])
			c.calls.add(&d.candidate)
			c.details[&d.candidate] = d
		}
	}
	return c
}

func parseTableSignature(r *tableRow) *tableCandidate {
	end := strings.IndexByte(r.sig, ')')
	check.That(end > 0, "signature %q", r.sig)
	head := parseSignature(&row{sig: r.sig[:end+1] + " void"})
	d := &tableCandidate{candidate: *head, row: r}
	ret := strings.TrimSpace(r.sig[end+1:])
	list, ok := strings.CutPrefix(ret, "(")
	if !ok {
		d.cols = []repr.Column{{Name: d.name, Type: sigType(ret)}}
		return d
	}
	for col := range strings.SplitSeq(strings.TrimSuffix(list, ")"), ",") {
		name, typ, _ := strings.Cut(strings.TrimSpace(col), " ")
		d.cols = append(d.cols, repr.Column{Name: name, Type: sigType(typ)})
	}
	return d
}

// IsTable says whether there is a function of the name that gives rows.
func IsTable(name string) bool { return len(tableFunctions.calls.byName[name]) > 0 }

// ResolveTable finds the table function that a call means, as Resolve does.
func ResolveTable(name string, args []repr.Type) (*expr.TableFunc, *repr.Error) {
	c, err := tableFunctions.calls.resolve(name, args)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, undefinedFunction(name, args)
	}
	d := tableFunctions.details[c]
	types, cols, err := d.bind(args)
	if err != nil {
		return nil, err
	}
	eval := d.row.eval
	if !d.row.nulls {
		eval = strictTable(eval)
	}
	return &expr.TableFunc{Name: name, Args: types, Cols: cols, Eval: eval}, nil
}

// bind replaces pseudo-types: the result column of a polymorphic function follows its operand.
func (d *tableCandidate) bind(actual []repr.Type) ([]repr.Type, repr.RowDesc, *repr.Error) {
	var types []repr.Type
	cols := slices.Clone(d.cols)
	for i, c := range d.cols {
		one := candidate{name: d.name, args: d.args, ret: c.Type, variadic: d.variadic}
		args, ret, err := one.bindPolymorphic(actual)
		if err != nil {
			return nil, nil, err
		}
		types, cols[i].Type = args, ret
	}
	return types, cols, nil
}

func strictTable(eval tableEval) tableEval {
	return func(env *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		for _, d := range a {
			if d.IsNull() {
				return nil
			}
		}
		return eval(env, a, emit)
	}
}
