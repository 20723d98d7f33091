package coord

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sources"
	"millrace/sql/ast"
)

// fedTable is a table that a source feeds, while the source runs. It belongs to the loop.
type fedTable struct {
	run    *sourceRun
	col    *collection
	ready  bool  // its first content is complete
	joins  bool  // it will be with the tick that comes
	filled int64 // rows of the first content
	total  int64 // about how many it has
}

// fedDef is what the catalog keeps of such a table beside its columns.
type fedDef struct {
	foundSchemas // value is what the connector has to know of it
}

// queuePart takes what a batch changes in a table into the next tick.
func (c *Coordinator) queuePart(r *sourceRun, p *sources.Part) {
	f := c.fed[p.Table]
	if f == nil || f.run != r {
		return // it was dropped
	}
	if p.Replace {
		c.clear(f.col)
		f.filled = 0
	}
	for _, u := range p.Updates {
		f.col.queue(u.Row, u.Diff)
	}
	f.count(len(p.Updates), p.Total)
	f.joins = f.joins || p.Joined
	c.queuedRows += len(p.Updates)
}

// count notes how far the first content has come.
func (f *fedTable) count(rows int, total int64) {
	if !f.ready {
		f.filled += int64(rows)
		f.total = max(f.total, total, f.filled)
	}
}

// clear takes everything out of a base collection with the next tick, also what waits for it.
func (c *Coordinator) clear(col *collection) {
	c.replace(col, arrangement.Batch{})
}

// settleTables notes, after a tick, which tables have their first content.
func (c *Coordinator) settleTables() {
	for _, id := range slices.Sorted(maps.Keys(c.fed)) {
		f := c.fed[id]
		if !f.joins || f.ready {
			f.joins = false
			continue
		}
		f.ready, f.joins, f.total = true, false, f.filled
		c.notes = append(c.notes, journal.Note{Key: readyNote(id), Value: []byte{1}})
		c.queued = true
		f.run.wake()
	}
}

// settleOffsets tells connectors how far what they gave is durable.
func (c *Coordinator) settleOffsets() {
	for _, r := range c.sources {
		r.settle()
		d, ok := r.connector.(sources.Durable)
		if !ok {
			continue
		}
		for _, p := range r.bound {
			d.Durable(p, r.next[p])
		}
		r.bound = nil
	}
}

// unreadyTable says what is waited for of a table whose first content is not complete.
func (c *Coordinator) unreadyTable(id uint64) (what string, wake <-chan struct{}) {
	f := c.fed[id]
	if f == nil || f.ready {
		return "", nil
	}
	st := f.run.current()
	what = f.col.name + " (" + f.run.place + ": " + itoa(f.filled) + " rows so far"
	if f.total > 0 {
		what = f.col.name + " (" + f.run.place + ": " + itoa(f.filled) + " of about " + itoa(f.total) + " rows"
	}
	if st.Status == "stalled" {
		what += "; " + st.Error
	}
	return what + ")", f.run.ready
}

// failedTable is why a table will not get its first content. It runs in the loop.
func (c *Coordinator) failedTable(ids []uint64) *repr.Error {
	for _, id := range c.sourcesBehind(ids) {
		if f := c.fed[id]; f != nil && !f.ready {
			if st := f.run.current(); st.Status == "failed" {
				return repr.NewError(repr.CodeObjectNotReady, "\""+f.col.name+"\" has no content yet, for its source has failed: "+st.Error).WithHint(st.Hint)
			}
		}
	}
	return nil
}

// runOf is the run of a source, or of the source that feeds a table; nil for others. It runs in the loop.
func (c *Coordinator) runOf(id uint64) *sourceRun {
	if f := c.fed[id]; f != nil {
		return f.run
	}
	return c.sources[id]
}

// feed has a running source feed a table. It runs in the loop.
func (c *Coordinator) feed(r *sourceRun, it *catalog.Item, rows sources.Table) *repr.Error {
	several, ok := r.connector.(sources.Several)
	if !ok {
		return repr.NewError(repr.CodeWrongObjectType, "source \""+r.col.name+"\" feeds no tables")
	}
	rows.ID, rows.Columns, rows.Upstream = it.ID, it.Desc, it.Def.(*fedDef).value
	if err := several.Feed(rows); err != nil {
		return asError(err)
	}
	c.fed[it.ID] = &fedTable{run: r, col: c.collections[it.ID]}
	return nil
}

// starve ends the feeding of a table. It runs in the loop.
func (c *Coordinator) starve(it *catalog.Item) {
	f := c.fed[it.ID]
	if f == nil {
		return
	}
	delete(c.fed, it.ID)
	if several, ok := f.run.connector.(sources.Several); ok && !f.run.stopped {
		several.Starve(it.ID)
		f.run.again()
	}
	f.run.wake()
}

// tablesOf are the tables that a CREATE SOURCE asks for, without numbers.
func (s *Session) tablesOf(ctx context.Context, st *ast.CreateSource, it *catalog.Item, from sources.Connector) ([]*catalog.Item, *repr.Error) {
	if st.Tables == nil {
		return nil, nil
	}
	several, ok := from.(sources.Several)
	if !ok {
		return nil, unsupported("FOR TABLES of a source from "+st.From.Kind.String(), st.Tables.Pos)
	}
	offers, e := several.Offers(ctx)
	if e != nil {
		return nil, asError(e)
	}
	aliases, err := wanted(st.Tables, offers)
	if err != nil {
		return nil, err
	}
	var out []*catalog.Item
	names := map[string]bool{}
	for _, a := range aliases {
		o, err := offered(offers, a.Upstream)
		if err != nil {
			return nil, err
		}
		name := a.Alias
		if name.IsZero() {
			name = ast.Name{At: a.At, Parts: []string{it.Schema, o.Name}}
		}
		made, err := s.tableItem(name, it, o)
		if err != nil {
			return nil, err
		}
		if names[made.FullName()] {
			return nil, repr.NewError(repr.CodeDuplicateTable, "two tables would be called \""+made.Name+"\"").
				WithHint("give one another name: FOR TABLES (" + o.Schema + "." + o.Name + " AS …)").At(a.Pos)
		}
		names[made.FullName()] = true
		out = append(out, made)
	}
	return out, nil
}

// wanted are the tables that FOR … means.
func wanted(t *ast.ForTables, offers []sources.Offer) ([]ast.TableAlias, *repr.Error) {
	if t.Tables != nil {
		return t.Tables, nil
	}
	var out []ast.TableAlias
	for _, o := range offers {
		if t.All || slices.ContainsFunc(t.Schemas, func(i ast.Ident) bool { return i.Name == o.Schema }) {
			out = append(out, ast.TableAlias{At: t.At, Upstream: ast.Name{At: t.At, Parts: []string{o.Schema, o.Name}}})
		}
	}
	if len(out) == 0 {
		return nil, repr.NewError(repr.CodeUndefinedTable, "there are no such tables to read").WithHint("there are " + offerNames(offers)).At(t.Pos)
	}
	return out, nil
}

// offered finds a table by the name that it has on the other side.
func offered(offers []sources.Offer, name ast.Name) (*sources.Offer, *repr.Error) {
	var found []*sources.Offer
	parts := name.Parts
	for i := range offers {
		o := &offers[i]
		if len(parts) == 0 || o.Name != parts[len(parts)-1] || len(parts) > 1 && o.Schema != parts[len(parts)-2] {
			continue
		}
		if len(parts) == 1 && o.Schema == catalog.DefaultSchema {
			found = []*sources.Offer{o}
			break
		}
		found = append(found, o)
	}
	switch len(found) {
	case 1:
		if found[0].Err != nil {
			return nil, asError(found[0].Err).At(name.Pos)
		}
		return found[0], nil
	case 0:
		return nil, repr.NewError(repr.CodeUndefinedTable, "there is no table \""+name.String()+"\" to read").WithHint("there are " + offerNames(offers)).At(name.Pos)
	default:
		return nil, repr.NewError("42P09", "table name \""+name.String()+"\" is ambiguous").
			WithHint("say its schema: " + found[0].Schema + "." + found[0].Name).At(name.Pos)
	}
}

// mostOffers is how many tables a hint names.
const mostOffers = 20

func offerNames(offers []sources.Offer) string {
	var names []string
	for _, o := range offers {
		names = append(names, o.Schema+"."+o.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	if len(names) > mostOffers {
		names = append(names[:mostOffers], "…")
	}
	return strings.Join(names, ", ")
}

// tableItem is a table that a source is to feed, without numbers.
func (s *Session) tableItem(name ast.Name, from *catalog.Item, o *sources.Offer) (*catalog.Item, *repr.Error) {
	it, err := s.newItem(name, catalog.Table, false)
	if err != nil {
		return nil, err
	}
	made := &ast.CreateTableFromSource{Name: ast.Name{Parts: []string{it.Schema, it.Name}}, Source: ast.Name{Parts: []string{from.Schema, from.Name}},
		Reference: ast.Name{Parts: []string{o.Schema, o.Name}}}
	it.Desc, it.Keys, it.Statement, it.CreateSQL = o.Columns, o.Keys, ast.Format(made), ast.Format(made)
	it.Def = &fedDef{foundSchemas{value: o.Upstream}}
	return it, nil
}

// belongTo has tables be fed by a source that has its number.
func belongTo(source *catalog.Item, tables []*catalog.Item) {
	for _, t := range tables {
		t.From, t.Depends, t.Retain = source.ID, []uint64{source.ID}, source.Retain
	}
}

// startTables begins to feed tables that are new. It runs in the loop.
func (c *Coordinator) startTables(r *sourceRun, tables []*catalog.Item) *repr.Error {
	for _, t := range tables {
		c.addBase(t.ID, t.Name)
		if err := c.feed(r, t, sources.Table{}); err != nil {
			return err
		}
	}
	r.again()
	return nil
}

// createTableFromSource adds a table to what a source feeds.
func (s *Session) createTableFromSource(ctx context.Context, st *ast.CreateTableFromSource) (*Result, *repr.Error) {
	const tag = "CREATE TABLE"
	switch {
	case len(st.Columns) > 0:
		return nil, unsupported("a list of columns of a table from a source", st.Pos)
	case st.Encoding != ast.Encoding{} || st.Envelope != nil || len(st.Includes) > 0:
		return nil, unsupported("FORMAT, INCLUDE or ENVELOPE of a table from a source", st.Pos)
	case st.Reference.IsZero():
		return nil, unsupported("a table from a source without (REFERENCE …)", st.Pos)
	}
	if it, err := s.newItem(st.Name, catalog.Table, st.IfNotExists); err != nil || it == nil {
		return &Result{Tag: tag}, err
	}
	keep, err := ownRetention(&st.Options)
	if err != nil {
		return nil, err
	}
	err = s.addTable(ctx, st.Source, func(offers []sources.Offer, from *catalog.Item) (*catalog.Item, *repr.Error) {
		o, err := offered(offers, st.Reference)
		if err != nil {
			return nil, err
		}
		it, err := s.tableItem(st.Name, from, o)
		if err == nil && keep > 0 {
			it.Retain, it.Statement, it.CreateSQL = keep, ast.Format(st), ast.Format(st)
		}
		return it, err
	})
	return &Result{Tag: tag}, err
}

// addTable makes a table that a running source feeds.
func (s *Session) addTable(ctx context.Context, source ast.Name, which func([]sources.Offer, *catalog.Item) (*catalog.Item, *repr.Error)) *repr.Error {
	from, err := s.findFor(ast.KindSource, source, false)
	if err != nil {
		return err
	}
	var r *sourceRun
	if err := s.c.do(ctx, func() { r = s.c.sources[from.ID] }); err != nil {
		return err
	}
	if r == nil {
		return repr.NewError(repr.CodeObjectNotReady, "source \""+from.Name+"\" does not run").At(source.Pos)
	}
	several, ok := r.connector.(sources.Several)
	if !ok {
		return repr.NewError(repr.CodeWrongObjectType, "source \""+from.Name+"\" feeds no tables").At(source.Pos)
	}
	offers, e := several.Offers(ctx)
	if e != nil {
		return asError(e)
	}
	it, err := which(offers, from)
	if err != nil || it == nil {
		return err
	}
	keep := it.Retain
	belongTo(from, []*catalog.Item{it})
	it.Retain = max(keep, it.Retain)
	return s.add(ctx, it, func() *repr.Error { return s.c.startTables(r, []*catalog.Item{it}) })
}

// createViews adds tables to what a source feeds, in the dialect of 2021, in which they were views.
func (s *Session) createViews(ctx context.Context, st *ast.CreateViewsFromSource) (*Result, *repr.Error) {
	if st.Temporary {
		return nil, unsupported("CREATE TEMPORARY VIEWS", st.Pos)
	}
	var aliases []ast.TableAlias
	for i := 0; i == 0 || i < len(aliases); i++ {
		err := s.addTable(ctx, st.Source, func(offers []sources.Offer, from *catalog.Item) (*catalog.Item, *repr.Error) {
			if i == 0 {
				all := &ast.ForTables{At: st.At, All: st.Tables == nil, Tables: st.Tables}
				var err *repr.Error
				if aliases, err = wanted(all, offers); err != nil {
					return nil, err
				}
			}
			o, err := offered(offers, aliases[i].Upstream)
			if err != nil {
				return nil, err
			}
			name := aliases[i].Alias
			if name.IsZero() {
				name = ast.Name{At: aliases[i].At, Parts: []string{from.Schema, o.Name}}
			}
			if st.IfNotExists {
				if free, err := s.newItem(name, catalog.Table, true); err != nil || free == nil {
					return nil, err
				}
			}
			return s.tableItem(name, from, o)
		})
		if err != nil {
			return nil, err
		}
	}
	return &Result{Tag: "CREATE VIEWS"}, nil
}

// resnapshot runs ALTER SOURCE … RESNAPSHOT.
func (s *Session) resnapshot(ctx context.Context, st *ast.AlterResnapshot) (*Result, *repr.Error) {
	res := &Result{Tag: "ALTER SOURCE"}
	it, err := s.findFor(ast.KindSource, st.Name, st.IfExists)
	if err != nil || it == nil {
		return res, err
	}
	var failure *repr.Error
	err = s.c.do(ctx, func() {
		r := s.c.sources[it.ID]
		if r == nil {
			failure = repr.NewError(repr.CodeObjectNotReady, "source \""+it.Name+"\" does not run").At(st.Name.Pos)
			return
		}
		renewer, ok := r.connector.(sources.Renewer)
		if !ok {
			failure = unsupported("RESNAPSHOT of a source from "+it.System, st.Pos)
			return
		}
		renewer.Renew()
		r.again()
	})
	if err == nil {
		err = failure
	}
	return res, err
}

// refeed gives the connector of a source the tables that it fed before a restart, with what they hold.
func (c *Coordinator) refeed(ctx context.Context, it *catalog.Item, connector sources.Connector) *repr.Error {
	several, ok := connector.(sources.Several)
	if !ok {
		return nil
	}
	for _, t := range c.tablesFrom(it.ID) {
		table := sources.Table{ID: t.ID, Columns: t.Desc, Upstream: t.Def.(*fedDef).value}
		var err error
		if table.Rows, err = c.contentOf(ctx, t.ID); err == nil {
			err = several.Feed(table)
		}
		if err != nil {
			return asError(err)
		}
	}
	return nil
}

// contentOf is what a collection holds now; nil when it is not there.
func (c *Coordinator) contentOf(ctx context.Context, id uint64) (rows iter.Seq2[[]byte, repr.Diff], failed error) {
	err := c.do(ctx, func() {
		col := c.collections[id]
		if col == nil {
			return
		}
		now, e := col.ok.At(col.ok.Upper() - 1)
		if failed = e; e != nil {
			return
		}
		rows = rowsOf(now)
	})
	if err != nil {
		return nil, err
	}
	return rows, failed
}

// tablesFrom are the tables that a source feeds.
func (c *Coordinator) tablesFrom(source uint64) []*catalog.Item {
	var out []*catalog.Item
	for _, it := range c.Catalog().Items() {
		if it.From == source && it.Failed == nil {
			out = append(out, it)
		}
	}
	return out
}
