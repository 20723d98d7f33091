package sqlgen

import "strings"

// edit puts a node into a place.
type edit struct {
	at *[]*Node
	i  int
	to *Node
}

// Shrink makes the tree below root smaller, while fails holds for it, with at most tries questions; root itself stays.
// It returns how many questions were left.
func Shrink(root *Node, tries int, fails func() bool) int {
	for tries > 0 {
		again := false
		for skip := 0; tries > 0; {
			edits := edits(root)
			if skip >= len(edits) {
				break
			}
			e := edits[skip]
			was := (*e.at)[e.i]
			(*e.at)[e.i] = e.to
			tries--
			if fails() {
				again = true
				continue // what stands at this number now is another edit
			}
			(*e.at)[e.i] = was
			skip++
		}
		if !again {
			break
		}
	}
	return tries
}

// edits are all the ways to make a tree smaller by one step, the boldest first: whole clauses and elements left out,
// then nodes replaced by parts of their own, then expressions by constants.
func edits(root *Node) []edit {
	var drops, lifts, constants []edit
	seen := map[*Node]bool{}
	var visit func(n *Node)
	visit = func(n *Node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for i, kid := range n.Kids {
			if kid == nil {
				continue
			}
			if kid.Optional || n.Sep != "" && n.live() > n.Min {
				drops = append(drops, edit{&n.Kids, i, nil})
			}
			for _, part := range parts(kid, n == root) {
				lifts = append(lifts, edit{&n.Kids, i, part})
			}
			if c := constant(kid); c != nil {
				constants = append(constants, edit{&n.Kids, i, c})
			}
			visit(kid)
		}
	}
	visit(root)
	return append(append(drops, lifts...), constants...)
}

// parts are the nodes below n that are of its sort. Instead of a whole query, any query will do.
func parts(n *Node, whole bool) []*Node {
	if n.Sort == "" {
		return nil
	}
	fits := func(sort string) bool {
		return sort == n.Sort || whole && strings.HasPrefix(n.Sort, "query") && strings.HasPrefix(sort, "query")
	}
	var out []*Node
	seen := map[*Node]bool{}
	var visit func(m *Node)
	visit = func(m *Node) {
		if m == nil || seen[m] {
			return
		}
		seen[m] = true
		if m != n && fits(m.Sort) {
			out = append(out, m)
			return
		}
		for _, kid := range m.Kids {
			visit(kid)
		}
	}
	visit(n)
	return out
}

// constant is the plainest expression of the sort of n, or nil when n is as plain as that already.
func constant(n *Node) *Node {
	literal, ok := plainest[Type(n.Sort)]
	if !ok || len(n.Kids) == 0 {
		return nil
	}
	return &Node{Sort: n.Sort, Text: []string{literal}}
}
