package opt

import (
	"maps"
	"slices"

	"millrace/sql/rel"
)

// inlineLets moves every Let to the root of the plan, removes those that are not used, and puts the value of one in
// the place of its reference when it is used once or is no more than columns of a collection.
//
//	Join (Let l := V in A) B   =>  Let l := V in Join A B
//	Let l := V in f(Ref l)     =>  f(V)
//
// It is always safe: numbers of Lets are unique in a plan (renumber sees to it).
func inlineLets(_ *Context, r rel.Rel) rel.Rel {
	body, lets := float(r)
	return inlined(body, lets)
}

// inlined is a plan under its Lets, without those that need no name.
func inlined(body rel.Rel, lets []*rel.Let) rel.Rel {
	for i := len(lets) - 1; i >= 0; i-- {
		l := lets[i]
		uses := countRefs(body, l.ID)
		if uses == 0 {
			continue
		}
		if uses == 1 || cheap(l.Value) {
			body = substitute(body, l.ID, l.Value)
		} else {
			body = &rel.Let{ID: l.ID, Value: l.Value, Body: body}
		}
	}
	return body
}

// float takes the Lets out of a plan, those that others refer to first.
func float(r rel.Rel) (rel.Rel, []*rel.Let) {
	var lets []*rel.Let
	if l, ok := r.(*rel.Let); ok {
		value, before := float(l.Value)
		body, after := float(l.Body)
		lets = append(append(before, &rel.Let{ID: l.ID, Value: value}), after...)
		return body, lets
	}
	if l, ok := r.(*rel.LetRec); ok {
		return floatRec(l)
	}
	r = rel.MapChildren(r, func(c rel.Rel) rel.Rel {
		c, inner := float(c)
		lets = append(lets, inner...)
		return c
	})
	return r, lets
}

// floatRec takes the Lets out of a recursion that do not depend on it; the others stay where they are.
func floatRec(n *rel.LetRec) (rel.Rel, []*rel.Let) {
	var lets []*rel.Let
	r := rel.MapChildren(n, func(c rel.Rel) rel.Rel {
		inside := map[int]bool{}
		for _, id := range n.IDs() {
			inside[id] = true
		}
		c, inner := float(c)
		var stay []*rel.Let
		for _, l := range inner {
			if inside[l.ID] = rel.RefersTo(l.Value, inside); inside[l.ID] {
				stay = append(stay, l)
			} else {
				lets = append(lets, l)
			}
		}
		return inlined(c, stay)
	})
	return r, lets
}

func countRefs(r rel.Rel, id int) int {
	n := 0
	rel.Walk(r, func(r rel.Rel) bool {
		if ref, ok := r.(*rel.Ref); ok && ref.ID == id {
			n++
		}
		return true
	})
	return n
}

// cheap says whether a plan costs nothing to stand in several places.
func cheap(r rel.Rel) bool {
	switch n := r.(type) {
	case *rel.Get, *rel.Ref:
		return true
	case *rel.Values:
		return len(n.Rows) <= 1
	case *rel.Project:
		return cheap(n.Input)
	case *rel.Filter:
		for _, e := range n.Preds {
			if rel.CanFail(e) {
				return false
			}
		}
		return cheap(n.Input)
	}
	return false
}

// renumber gives every Let a number of its own.
func renumber(r rel.Rel) rel.Rel {
	next := 0
	return renumberIn(r, map[int]int{}, &next)
}

func renumberIn(r rel.Rel, names map[int]int, next *int) rel.Rel {
	switch n := r.(type) {
	case *rel.Ref:
		return &rel.Ref{ID: names[n.ID], Cols: n.Cols}
	case *rel.Let:
		value := renumberIn(n.Value, names, next)
		*next++
		id := *next
		old, had := names[n.ID]
		names[n.ID] = id
		body := renumberIn(n.Body, names, next)
		if delete(names, n.ID); had {
			names[n.ID] = old
		}
		return &rel.Let{ID: id, Value: value, Body: body}
	}
	if n, ok := r.(*rel.LetRec); ok {
		c := *n
		c.Bindings = slices.Clone(n.Bindings)
		names = maps.Clone(names)
		for i, b := range c.Bindings {
			*next++
			names[b.ID], c.Bindings[i].ID = *next, *next
		}
		r = &c
	}
	return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return renumberIn(c, names, next) })
}

// sharePlans names sub-plans that stand more than once and keep state. Once before columns are pruned, so that uses
// which read different columns are still seen to be one plan, and once in the end, so that EXPLAIN shows what lower
// would find.
//
//	Join P P  =>  Let l := P in Join (Ref l) (Ref l)
//
// It is always safe: equal plans have equal contents at every time.
func sharePlans(c *Context, r rel.Rel) rel.Rel {
	c.lets = max(c.lets, highestLet(r))
	body, lets := float(r)
	roots := make([]rel.Rel, 0, len(lets)+1)
	for _, l := range lets {
		roots = append(roots, l.Value)
	}
	roots = append(roots, body)
	ids := make([]int, len(lets))
	for i, l := range lets {
		ids[i] = l.ID
	}
	for {
		shared := largestRepeated(roots)
		if shared == nil {
			break
		}
		c.lets++
		ref := &rel.Ref{ID: c.lets, Cols: shared.Columns()}
		first := -1 // what the plan refers to stands before the first use of it
		for i, root := range roots {
			if roots[i] = replaceEqual(root, rel.Fingerprint(shared), ref); roots[i] != root && first < 0 {
				first = i
			}
		}
		roots = slices.Insert(roots, first, shared)
		ids = slices.Insert(ids, first, c.lets)
	}
	out := roots[len(ids)]
	for i := len(ids) - 1; i >= 0; i-- {
		out = &rel.Let{ID: ids[i], Value: roots[i], Body: out}
	}
	return out
}

// largestRepeated finds the first plan, seen from the roots, that stands more than once and keeps state.
// What depends on a recursion stays where its names mean something; lower makes nodes of equal plans once there too.
func largestRepeated(roots []rel.Rel) rel.Rel {
	inside := recursive(roots)
	count := map[string]int{}
	keys := map[rel.Rel]string{}
	var order []rel.Rel
	for _, root := range roots {
		rel.Walk(root, func(r rel.Rel) bool {
			if keepsState(r) && !rel.RefersTo(r, inside) {
				if keys[r] == "" {
					keys[r] = rel.Fingerprint(r)
				}
				count[keys[r]]++
				order = append(order, r)
			}
			return true
		})
	}
	for _, r := range order {
		if count[keys[r]] > 1 {
			return r
		}
	}
	return nil
}

// recursive are the numbers that depend on the recursions of some plans.
func recursive(roots []rel.Rel) map[int]bool {
	inside := map[int]bool{}
	visit := func(r rel.Rel) bool {
		switch n := r.(type) {
		case *rel.LetRec:
			for _, id := range n.IDs() {
				inside[id] = true
			}
		case *rel.Let:
			inside[n.ID] = inside[n.ID] || rel.RefersTo(n.Value, inside)
		}
		return true
	}
	for _, r := range roots {
		rel.Walk(r, visit)
	}
	return inside
}

func keepsState(r rel.Rel) bool {
	switch r.(type) {
	case *rel.Join, *rel.Reduce, *rel.Distinct, *rel.TopK, *rel.Window, *rel.Threshold:
		return true
	}
	return false
}

func replaceEqual(r rel.Rel, fingerprint string, by rel.Rel) rel.Rel {
	if keepsState(r) && rel.Fingerprint(r) == fingerprint {
		return by
	}
	return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return replaceEqual(c, fingerprint, by) })
}
