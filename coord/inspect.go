package coord

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"millrace/coord/catalog"
	"millrace/repr"
)

// Inspected is an object of a catalog that was read without a server.
type Inspected struct {
	ID    uint64
	Kind  string
	Name  string
	Err   *repr.Error // why it could not be made again
	Width int         // of its rows; 0 when it has none of its own
	Leads bool        // it leads to another system
	Reach *repr.Error // why that does not answer
}

// Inspect makes the catalog again that the notes of a journal hold, as a start does, and tries whether what its connections
// lead to answers if reach says so. Nothing runs, and nothing is written.
func Inspect(ctx context.Context, opts Options, notes map[string][]byte, reach bool) ([]Inspected, error) {
	check := opts
	check.Journal = nil
	c := prepare(check)
	defer c.stop(errShutdown)
	r := &restoring{c: c, notes: maps.Clone(notes)}
	if err := r.catalog(); err != nil {
		return nil, err
	}
	var out []Inspected
	for _, it := range c.Catalog().Items() {
		if it.Kind == catalog.System {
			continue
		}
		x := Inspected{ID: it.ID, Kind: it.Kind.String(), Name: it.FullName(), Err: it.Failed}
		if it.Kind == catalog.Table || it.Kind == catalog.Source {
			x.Width = len(it.Layout())
		}
		if spec := c.leadsTo(it); spec != nil {
			x.Leads = true
			if reach {
				x.Reach = c.validateConnection(ctx, spec)
			}
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Inspected) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// leadsTo is what an object connects to by itself; nil when it does not, or through a connection of the catalog.
func (c *Coordinator) leadsTo(it *catalog.Item) *connectionSpec {
	switch def := it.Def.(type) {
	case *connectionSpec:
		return def
	case interface{ world() *outside }:
		return def.world().leads
	}
	return nil
}
