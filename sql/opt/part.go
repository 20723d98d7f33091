package opt

import (
	"cmp"
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Part is a sub-plan that keeps state, as a plan of its own: what it refers to stands in it. Parts with one text have the same
// rows at every time, in the same columns.
type Part struct {
	Text  string
	Plan  rel.Rel
	Small bool  // what comes of it is no more than what it keeps
	at    []int // column i of the sub-plan is column at[i] of Plan
}

// ReplaceParts puts others in the place of parts of a plan, the largest first: by gives a plan with the columns of the part, or
// nil to leave it and to go on inside of it. A recursion is one part, or none. What depends on anything but collections is none.
func ReplaceParts(r rel.Rel, by func(*Part) rel.Rel) rel.Rel {
	body, lets := float(r)
	p := &parting{by: by, lets: map[int]rel.Rel{}}
	for _, l := range lets {
		p.lets[l.ID] = l.Value
	}
	roots := []rel.Rel{p.in(body)}
	var kept []*rel.Let
	for _, l := range slices.Backward(lets) {
		used := func(root rel.Rel) bool { return countRefs(root, l.ID) > 0 }
		if !slices.ContainsFunc(roots, used) {
			continue
		}
		l = &rel.Let{ID: l.ID, Value: p.in(l.Value)}
		roots = append(roots, l.Value)
		kept = append(kept, l)
	}
	if !p.changed {
		return r
	}
	slices.Reverse(kept)
	return inlined(roots[0], kept)
}

// parting is the replacing of parts in one plan.
type parting struct {
	by      func(*Part) rel.Rel
	lets    map[int]rel.Rel
	changed bool
}

func (p *parting) in(r rel.Rel) rel.Rel {
	_, loop := r.(*rel.LetRec)
	if loop || keepsState(r) {
		if part := p.part(r); part != nil {
			if in := p.by(part); in != nil {
				p.changed = true
				return columnsOfPart(in, part.at, r)
			}
		}
	}
	if loop {
		return r
	}
	return rel.MapChildren(r, p.in)
}

// columnsOfPart are columns of what stands for a part, under the names of another.
func columnsOfPart(r rel.Rel, at []int, named rel.Rel) rel.Rel {
	p := &rel.Project{Input: r, Cols: at}
	for _, c := range named.Columns() {
		p.Names = append(p.Names, c.Name)
	}
	return p
}

// part is a sub-plan as a part; nil when it is none.
func (p *parting) part(r rel.Rel) *Part {
	part := &Part{Small: isSmall(r), at: identityColumns(len(r.Columns()))}
	if n, ok := r.(*rel.Reduce); ok {
		r, part.at = inOrder(n)
	}
	var lets []*rel.Let
	seen := map[int]bool{}
	var gather func(rel.Rel)
	gather = func(r rel.Rel) {
		rel.Walk(r, func(r rel.Rel) bool {
			if ref, ok := r.(*rel.Ref); ok && p.lets[ref.ID] != nil && !seen[ref.ID] {
				seen[ref.ID] = true
				gather(p.lets[ref.ID])
				lets = append(lets, &rel.Let{ID: ref.ID, Value: p.lets[ref.ID]})
			}
			return true
		})
	}
	gather(r)
	part.Plan = renumber(inlined(r, lets))
	if !ofCollections(part.Plan) {
		return nil
	}
	part.Text = rel.Fingerprint(part.Plan)
	return part
}

func identityColumns(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// isSmall says whether a node has a row for each group at most, or is a recursion, which keeps all that it gives and more.
func isSmall(r rel.Rel) bool {
	switch n := r.(type) {
	case *rel.Reduce, *rel.Distinct, *rel.LetRec:
		return true
	case *rel.TopK:
		return n.Limit != nil
	}
	return false
}

// ofCollections says whether a plan depends on collections, and on nothing else.
func ofCollections(r rel.Rel) bool {
	reads, lasting := false, true
	rel.Walk(r, func(r rel.Rel) bool {
		if _, ok := r.(*rel.Get); ok {
			reads = true
		}
		for _, e := range rel.Scalars(r) {
			lasting = lasting && !expr.Any(e, func(e expr.Scalar) bool {
				c, ok := e.(*expr.Call)
				return ok && c.Fn.Volatility != expr.Immutable
			})
		}
		return true
	})
	return reads && lasting
}

// inOrder is a reduction with its keys and aggregates in the order of their texts, and where its columns stand there.
func inOrder(n *rel.Reduce) (*rel.Reduce, []int) {
	keys, aggs := identityColumns(len(n.Keys)), identityColumns(len(n.Aggs))
	slices.SortStableFunc(keys, func(a, b int) int {
		return cmp.Compare(rel.FingerprintScalar(n.Keys[a]), rel.FingerprintScalar(n.Keys[b]))
	})
	text := func(i int) string {
		return rel.Fingerprint(&rel.Reduce{Input: &rel.Values{}, Aggs: n.Aggs[i : i+1]})
	}
	slices.SortStableFunc(aggs, func(a, b int) int { return cmp.Compare(text(a), text(b)) })
	out, at := &rel.Reduce{Input: n.Input}, make([]int, len(keys)+len(aggs))
	for i, k := range keys {
		out.Keys, at[k] = append(out.Keys, n.Keys[k]), i
	}
	for i, a := range aggs {
		out.Aggs, at[len(keys)+a] = append(out.Aggs, n.Aggs[a]), len(keys)+i
	}
	if n.Names != nil {
		out.Names = make([]string, len(n.Names))
		for i, c := range at {
			out.Names[c] = n.Names[i]
		}
	}
	return out, at
}

// Whole is the part that a plan is but for the choice and order of its columns, and where the columns of the part stand in the
// plan; nil when it is none, or leaves a column of it out.
func Whole(r rel.Rel) (*Part, []int) {
	body, lets := float(r)
	p := &parting{lets: map[int]rel.Rel{}}
	for _, l := range lets {
		p.lets[l.ID] = l.Value
	}
	cols := identityColumns(len(body.Columns()))
	for n, ok := body.(*rel.Project); ok; n, ok = body.(*rel.Project) {
		for i, c := range cols {
			cols[i] = n.Cols[c]
		}
		body = n.Input
	}
	if _, loop := body.(*rel.LetRec); !loop && !keepsState(body) {
		return nil, nil
	}
	part := p.part(body)
	if part == nil {
		return nil, nil
	}
	at := make([]int, len(part.at))
	for i, c := range part.at {
		if at[c] = slices.Index(cols, i); at[c] < 0 {
			return nil, nil
		}
	}
	return part, at
}
