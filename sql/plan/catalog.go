package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Catalog is what the planner asks about names.
type Catalog interface {
	// Resolve finds a relation. parts is [[database.]schema.]name; path are the schemas in which a name without
	// one is looked for, in order. When there is none the error is 42P01 in PostgreSQL's wording.
	Resolve(parts []string, path []string) (*Item, *repr.Error)
}

// ItemKind is the kind of a catalog item.
type ItemKind uint8

// The kinds of items that can be named in a query; any other kind is ItemOther.
const (
	ItemTable ItemKind = iota
	ItemSource
	ItemView
	ItemMaterializedView
	ItemSystem
	ItemIndex
	ItemOther
)

// Item is a relation of the catalog.
type Item struct {
	ID       uint64
	OID      uint32
	Schema   string
	Name     string
	Kind     ItemKind
	Desc     repr.RowDesc
	Keys     [][]int    // sets of columns known to be unique; the first is the primary key of a table that has one
	Grows    bool       // rows are only added, none is ever taken back
	View     *ast.Query // of a view that is not materialized: its body, bound wherever it is named
	ViewPath []string   // the search path that the view was created under
	Sees     uint64     // which columns its query sees: see Env
	Defaults []ast.Expr // of a table: one per column, nil where there is no default; nil for none at all
	// Stored are the columns of the rows as they are kept, where these are not Desc: those of Desc first, and last an object whose members
	// are the other columns of Desc. Since has for each of these from which number on a query sees it.
	Stored repr.RowDesc
	Since  []uint64
}

// seenBy is the item as a query sees it; 0 sees all there is.
func (i *Item) seenBy(sees uint64) *Item {
	known := len(i.Desc) - len(i.Since)
	for n, since := range i.Since {
		if sees != 0 && sees < since {
			seen := *i
			seen.Desc, seen.Since = i.Desc[:known+n:known+n], i.Since[:n]
			return &seen
		}
	}
	return i
}

// uniqueKeys are the keys by which also rows with NULLs are unique. Those of a view are inferred of its plan and are so;
// UNIQUE of a table lets any number of NULLs through.
func (i *Item) uniqueKeys() [][]int {
	if i.Kind == ItemMaterializedView {
		return i.Keys
	}
	var out [][]int
	for _, key := range i.Keys {
		if !slices.ContainsFunc(key, func(c int) bool { return !i.Desc[c].NotNull }) {
			out = append(out, key)
		}
	}
	return out
}

// Env is what a statement is bound in.
type Env struct {
	Catalog    Catalog
	Path       []string    // search path
	Eval       *expr.Env   // for constants and input of literals
	ParamTypes []repr.Type // declared types of parameters; KindNull: to be inferred
	Sees       uint64      // of the query of an object: which columns it sees of what has got more since; 0: all
}

// Bound is a query with all names resolved and all types known.
type Bound struct {
	Rel     rel.Rel
	Cols    repr.RowDesc // the visible columns; those of Rel begin with them
	Hidden  int          // columns of Rel behind them, for Order
	Order   []rel.ColOrder
	Limit   expr.Scalar // of type bigint, a constant or a parameter; nil: none
	Offset  expr.Scalar
	Params  []repr.Type
	Depends []uint64 // items that the query reads, views included, in the order they were first named
	// Volatility is the greatest volatility of the functions in the query.
	Volatility expr.Volatility
}
