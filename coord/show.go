package coord

import (
	"context"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/ast"
)

// showKinds are the catalog kinds that each SHOW lists.
var showKinds = map[ast.ShowKind][]catalog.Kind{
	ast.ShowTables:            {catalog.Table},
	ast.ShowViews:             {catalog.View},
	ast.ShowMaterializedViews: {catalog.MaterializedView},
	ast.ShowSources:           {catalog.Source},
	ast.ShowSinks:             {catalog.Sink},
	ast.ShowConnections:       {catalog.Connection},
	ast.ShowSubscriptions:     {catalog.Subscription},
	ast.ShowSecrets:           {catalog.Secret},
	ast.ShowObjectsKind: {catalog.Table, catalog.Source, catalog.View, catalog.MaterializedView, catalog.Index,
		catalog.Sink, catalog.Connection, catalog.Secret, catalog.Subscription},
}

func (s *Session) describeShow(p *Prepared) *repr.Error {
	switch st := p.Stmt.(type) {
	case *ast.ShowVar:
		p.Cols = textColumns(st.Name)
		if known := findSetting(st.Name); known != nil {
			p.Cols = textColumns(known.name)
		} else if st.Name == "all" {
			p.Cols = textColumns("name", "setting", "description")
		}
	case *ast.ShowCreate:
		p.Cols = textColumns("name", "create_sql")
	case *ast.ShowObjects:
		p.Cols = showColumns(st.Kind)
	}
	return nil
}

func showColumns(kind ast.ShowKind) repr.RowDesc {
	switch kind {
	case ast.ShowColumns:
		return repr.RowDesc{{Name: "name", Type: repr.TypeOf(repr.KindText)}, {Name: "nullable", Type: repr.TypeOf(repr.KindBool)},
			{Name: "type", Type: repr.TypeOf(repr.KindText)}}
	case ast.ShowIndexes:
		return textColumns("name", "on", "key")
	case ast.ShowSources, ast.ShowSinks:
		return textColumns("name", "type", "status", "error")
	case ast.ShowObjectsKind:
		return textColumns("name", "type")
	case ast.ShowConnections:
		return textColumns("name", "type")
	case ast.ShowSubscriptions:
		return textColumns("name", "on", "acknowledged", "status")
	default:
		return textColumns("name")
	}
}

// show runs SHOW.
func (s *Session) show(ctx context.Context, stmt ast.Statement) (*Result, *repr.Error) {
	p := &Prepared{Stmt: stmt}
	if err := s.describeShow(p); err != nil {
		return nil, err
	}
	res := &Result{Tag: "SHOW", Cols: p.Cols}
	switch st := stmt.(type) {
	case *ast.ShowVar:
		if st.Name == "all" {
			res.Rows = textRows(s.settings.all()...)
			return res, nil
		}
		v, ok := s.settings.get(st.Name)
		if !ok {
			return nil, repr.NewError(repr.CodeUndefinedObject, "unrecognized configuration parameter \""+st.Name+"\"").At(st.Pos)
		}
		res.Rows = textRows([]string{v})
		return res, nil
	case *ast.ShowCreate:
		it, err := s.findFor(st.Kind, st.Name, false)
		if err != nil {
			return nil, err
		}
		res.Rows = textRows([]string{it.Schema + "." + it.Name, it.CreateSQL})
		return res, nil
	default:
		rows, err := s.showObjects(ctx, stmt.(*ast.ShowObjects))
		res.Rows = rows
		return res, err
	}
}

func (s *Session) showObjects(ctx context.Context, st *ast.ShowObjects) (Rows, *repr.Error) {
	if st.Where != nil {
		return nil, unsupported("SHOW … WHERE", st.Where.Position())
	}
	switch st.Kind {
	case ast.ShowColumns:
		return s.showColumnsOf(st)
	case ast.ShowSchemas:
		return s.showNames(st, s.c.Catalog().Schemas()), nil
	case ast.ShowDatabases:
		return s.showNames(st, []string{catalog.DefaultDatabase}), nil
	case ast.ShowClusters:
		return s.showNames(st, []string{"default"}), nil
	case ast.ShowRoles:
		return s.showNames(st, []string{catalog.DefaultUser}), nil
	case ast.ShowIndexes:
		return s.showIndexes(st)
	default:
		kinds, ok := showKinds[st.Kind]
		if !ok {
			return nil, unsupported("SHOW "+st.Kind.String(), st.Pos)
		}
		return s.showKind(ctx, st, kinds)
	}
}

// showKind lists the objects of some kinds.
func (s *Session) showKind(ctx context.Context, st *ast.ShowObjects, kinds []catalog.Kind) (Rows, *repr.Error) {
	var status *catalog.Status
	if err := s.c.do(ctx, func() { status = s.c.status() }); err != nil {
		return nil, err
	}
	var rows [][]string
	for _, it := range s.listed(st) {
		if !slices.Contains(kinds, it.Kind) {
			continue
		}
		switch st.Kind {
		case ast.ShowSources, ast.ShowSinks:
			state := status.Of(it)
			rows = append(rows, []string{it.Name, it.SystemType(), state.Status, state.Error})
		case ast.ShowObjectsKind:
			rows = append(rows, []string{it.Name, it.Kind.String()})
		case ast.ShowConnections:
			rows = append(rows, []string{it.Name, leadsToKind(it)})
		case ast.ShowSubscriptions:
			rows = append(rows, s.showSubscription(it, status))
		default:
			rows = append(rows, []string{it.Name})
		}
	}
	return sortedText(rows), nil
}

// SystemName is what the connection leads to, as mz_connections has it.
func (spec *connectionSpec) SystemName() string {
	return strings.ReplaceAll(strings.ToLower(spec.kind.String()), " ", "-")
}

// leadsToKind is what a connection leads to, as far as that is known.
func leadsToKind(it *catalog.Item) string {
	if spec, ok := it.Def.(*connectionSpec); ok {
		return spec.kind.String()
	}
	return "failed"
}

// listed are the objects in reach of a SHOW: those of the named schema, or of the search path.
func (s *Session) listed(st *ast.ShowObjects) []*catalog.Item {
	path := s.path()
	if !st.Schema.IsZero() {
		path = []string{st.Schema.Last()}
	}
	var out []*catalog.Item
	for _, it := range s.c.Catalog().Items() {
		if slices.Contains(path, it.Schema) && (!st.HasLike || like(it.Name, st.Like)) {
			out = append(out, it)
		}
	}
	return out
}

func (s *Session) showNames(st *ast.ShowObjects, names []string) Rows {
	var rows [][]string
	for _, n := range names {
		if !st.HasLike || like(n, st.Like) {
			rows = append(rows, []string{n})
		}
	}
	return sortedText(rows)
}

func (s *Session) showColumnsOf(st *ast.ShowObjects) (Rows, *repr.Error) {
	it, err := planCatalog{snap: s.c.Catalog()}.Resolve(st.Schema.Parts, s.path())
	if err != nil {
		return nil, err.At(st.Schema.Pos)
	}
	out := &listRows{}
	for _, c := range it.Desc {
		if st.HasLike && !like(c.Name, st.Like) {
			continue
		}
		row := repr.Append(nil, repr.Text(c.Name))
		row = repr.Append(row, repr.Bool(!c.NotNull))
		out.rows = append(out.rows, repr.Append(row, repr.Text(c.Type.String())))
	}
	return out, nil
}

func (s *Session) showIndexes(st *ast.ShowObjects) (Rows, *repr.Error) {
	snap := s.c.Catalog()
	var rows [][]string
	for _, it := range snap.Items() {
		if it.Kind != catalog.Index || st.HasLike && !like(it.Name, st.Like) {
			continue
		}
		on := snap.Item(it.On)
		if !st.Schema.IsZero() && on.Name != st.Schema.Last() {
			continue
		}
		names := make([]string, len(it.IndexCols))
		for i, c := range it.IndexCols {
			names[i] = on.Desc[c].Name
		}
		rows = append(rows, []string{it.Name, on.Name, strings.Join(names, ", ")})
	}
	return sortedText(rows), nil
}

func sortedText(rows [][]string) Rows {
	slices.SortFunc(rows, slices.Compare)
	return textRows(rows...)
}

// like is SQL's LIKE: % is any run, _ is any one character, and behind a backslash each is itself.
func like(text, pattern string) bool { return likeRunes([]rune(text), []rune(pattern)) }

func likeRunes(text, pattern []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	one, rest := pattern[0], pattern[1:]
	switch {
	case one == '%':
		for i := range len(text) + 1 {
			if likeRunes(text[i:], rest) {
				return true
			}
		}
		return false
	case one == '_':
		return len(text) > 0 && likeRunes(text[1:], rest)
	case one == '\\' && len(rest) > 0:
		one, rest = rest[0], rest[1:]
	}
	return len(text) > 0 && text[0] == one && likeRunes(text[1:], rest)
}
