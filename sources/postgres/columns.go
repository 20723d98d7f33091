package postgres

import (
	"slices"

	"millrace/repr"
)

// describe learns where the stream has the columns, and says whether something is otherwise that has to be kept, and which columns are
// gone. The stream has the columns in the order of their numbers, which it does not send: a column that is not called as it was lies
// where its neighbours leave room, and new columns come behind all others. names asks the other side what columns are called that are
// missing, and which of them are there at all; it may know of later changes already, so names that the stream knows come first.
func (t *table) describe(rel *relation, names func(missing []*upstreamed) (map[int16]string, error)) (kept bool, gone []int, err error) {
	t.seen, t.at = rel, map[int]int{}
	place := map[string]int{}
	for i, c := range rel.columns {
		place[c.name] = i
	}
	var missing []int // since the last column that was found
	last := -1        // where that is
	settle := func(next int) error {
		if len(missing) == 0 {
			return nil
		}
		kept = true
		lost, err := t.follow(missing, rel.columns[last+1:next], last+1, names)
		gone, missing = append(gone, lost...), nil
		return err
	}
	for i := range t.up.Columns {
		c := &t.up.Columns[i]
		t.at[i] = -1
		at, ok := place[c.Name]
		switch {
		case c.Gone:
		case !ok:
			missing = append(missing, i)
		case at < last:
			return kept, gone, t.errCrosswise()
		default:
			if err := settle(at); err != nil {
				return kept, gone, err
			}
			t.at[i], last = at, at
		}
	}
	if err := settle(len(rel.columns)); err != nil {
		return kept, gone, err
	}
	return kept, gone, t.checkTypes(rel)
}

// errCrosswise refuses names that do not tell which column is which.
func (t *table) errCrosswise() *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, "columns of table "+t.up.String()+" were renamed and dropped in a way that cannot be followed").
		WithHint("drop the table here and create it again")
}

// follow finds columns that are not called as they were among those that the stream has in their place, from a position on. It gives
// those that are gone.
func (t *table) follow(missing []int, room []relationColumn, from int, names func([]*upstreamed) (map[int16]string, error)) (gone []int, err error) {
	if len(room) == 0 {
		t.lose(missing)
		return missing, nil
	}
	asked := make([]*upstreamed, len(missing))
	for k, i := range missing {
		asked[k] = &t.up.Columns[i]
	}
	now, err := names(asked)
	if err != nil {
		return nil, err
	}
	var live []int
	exact := true
	for _, i := range missing {
		name, ok := now[t.up.Columns[i].Number]
		if !ok {
			gone = append(gone, i)
			continue
		}
		live = append(live, i)
		at := slices.IndexFunc(room, func(c relationColumn) bool { return c.name == name })
		if exact = exact && at >= 0; at >= 0 {
			t.at[i] = from + at
		}
	}
	if !exact && (len(gone) > 0 || len(live) > len(room)) {
		return nil, t.errCrosswise()
	}
	for k, i := range live {
		if !exact {
			t.at[i] = from + k
		}
		t.up.Columns[i].Name = room[t.at[i]-from].name
	}
	t.lose(gone)
	return gone, nil
}

// lose notes that columns are gone.
func (t *table) lose(columns []int) {
	for _, i := range columns {
		t.up.Columns[i].Gone = true
	}
}

// checkTypes refuses columns whose type has changed.
func (t *table) checkTypes(rel *relation) error {
	for i, c := range t.up.Columns {
		at := t.at[i]
		if at < 0 {
			continue
		}
		is := rel.columns[at]
		if is.typ != c.Type || c.Mod != 0 && c.Mod != is.mod && keepsMod(t.types[i]) {
			return repr.NewError(repr.CodeObjectNotReady, "the type of column \""+c.Name+"\" of table "+t.up.String()+" has changed").
				WithHint("drop the table here and create it again: it gets the new type")
		}
	}
	return nil
}
