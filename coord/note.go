package coord

import (
	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/parse"
	"millrace/sql/plan"
)

// objectNote is how an object of the catalog is kept: as the statement that made it, with what was found out when it was made
// and may be otherwise now.
type objectNote struct {
	ID       uint64         `json:"id"`
	OID      uint32         `json:"oid"`
	Schema   string         `json:"schema"`
	Name     string         `json:"name"`
	Kind     string         `json:"kind"`
	SQL      string         `json:"sql,omitempty"` // with its secrets
	Shown    string         `json:"shown,omitempty"`
	Path     []string       `json:"path,omitempty"`
	Depends  []uint64       `json:"depends,omitempty"`
	On       uint64         `json:"on,omitempty"`
	From     uint64         `json:"from,omitempty"`
	Index    []int          `json:"index,omitempty"`
	Hidden   bool           `json:"hidden,omitempty"`
	Comments map[int]string `json:"comments,omitempty"`
	Columns  []columnNote   `json:"columns,omitempty"` // of a source, as its rows are kept
	Rest     bool           `json:"rest,omitempty"`    // the last column is for what the others do not have
	Added    []columnNote   `json:"added,omitempty"`   // columns that are members of it
	Keys     [][]int        `json:"keys,omitempty"`
	Grows    bool           `json:"grows,omitempty"`
	Schemas  []string       `json:"schemas,omitempty"` // of a source: what its values and keys are read with
	Since    repr.Time      `json:"since,omitempty"`   // see catalog.Item
	Sees     uint64         `json:"sees,omitempty"`
}

type columnNote struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	NotNull bool   `json:"notNull,omitempty"`
	Since   uint64 `json:"since,omitempty"` // of one that was added: see catalog.Item
}

func noteOf(it *catalog.Item) *objectNote {
	n := &objectNote{ID: it.ID, OID: it.OID, Schema: it.Schema, Name: it.Name, Kind: it.Kind.String(), SQL: it.Statement,
		Path: it.Path, Depends: it.Depends, On: it.On, From: it.From, Index: it.IndexCols, Hidden: it.Hidden, Comments: it.Comments, Keys: it.Keys, Grows: it.Grows,
		Since: it.Since, Sees: it.Sees}
	if it.CreateSQL != it.Statement {
		n.Shown = it.CreateSQL
	}
	if it.Kind == catalog.Source || it.From != 0 {
		for _, c := range it.Layout() {
			n.Columns = append(n.Columns, columnNote{Name: c.Name, Type: c.Type.String(), NotNull: c.NotNull})
		}
		n.Rest = it.Stored != nil
		for i, c := range it.Desc[len(it.Desc)-len(it.Added):] {
			n.Added = append(n.Added, columnNote{Name: c.Name, Type: c.Type.String(), Since: it.Added[i]})
		}
		if spec, ok := it.Def.(interface{ schemas() *foundSchemas }); ok {
			found := spec.schemas()
			n.Schemas = []string{found.value, found.key}
		}
	}
	return n
}

// item is the object as far as it can be made without planning. With an error there is one without what failed, unless its
// kind is not known.
func (n *objectNote) item() (*catalog.Item, *repr.Error) {
	it := &catalog.Item{ID: n.ID, OID: n.OID, Schema: n.Schema, Name: n.Name, Statement: n.SQL, CreateSQL: n.SQL, Path: n.Path,
		Depends: n.Depends, On: n.On, From: n.From, IndexCols: n.Index, Hidden: n.Hidden, Comments: n.Comments, Keys: n.Keys, Grows: n.Grows,
		Since: n.Since, Sees: max(n.Sees, n.ID)}
	it.Grows = it.Grows && !it.Hidden // the relation of errors is bounded
	if n.Shown != "" {
		it.CreateSQL = n.Shown
	}
	var ok bool
	if it.Kind, ok = catalog.KindNamed(n.Kind); !ok {
		return nil, repr.NewError(repr.CodeInternal, "an object of the unknown kind \""+n.Kind+"\"")
	}
	var err *repr.Error
	if it.Desc, err = columnsIn(n.Columns); err != nil || !n.Rest {
		return it, err
	}
	added, err := columnsIn(n.Added)
	if err != nil {
		return it, err
	}
	for _, c := range n.Added {
		it.Added = append(it.Added, c.Since)
	}
	it.Widen(it.Desc, added)
	return it, nil
}

func columnsIn(notes []columnNote) (repr.RowDesc, *repr.Error) {
	var out repr.RowDesc
	for _, c := range notes {
		name, err := parse.ParseType(c.Type)
		if err != nil {
			return out, asError(err)
		}
		typ, e := plan.Type(name)
		if e != nil {
			return out, e
		}
		out = append(out, repr.Column{Name: c.Name, Type: typ, NotNull: c.NotNull})
	}
	return out, nil
}
