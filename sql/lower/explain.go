package lower

import (
	"fmt"
	"strings"

	"millrace/dataflow"
)

// FormatNodes prints the nodes of a graph in order, one a line.
func FormatNodes(g *dataflow.Graph) string {
	var b strings.Builder
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, "%d %s", i, describe(n))
		for k, in := range n.Inputs {
			fmt.Fprintf(&b, "%s%d", []string{" <- ", ", "}[min(k, 1)], in)
		}
		if dataflow.NodeID(i) == g.Output {
			b.WriteString("  (output)")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// FormatTree prints a graph from its output down, inputs indented. A node that is used again is printed once.
func FormatTree(g *dataflow.Graph) string {
	t := &tree{g: g, seen: map[dataflow.NodeID]bool{}}
	t.node(g.Output, 0)
	return t.b.String()
}

type tree struct {
	g    *dataflow.Graph
	b    strings.Builder
	seen map[dataflow.NodeID]bool
}

func (t *tree) node(id dataflow.NodeID, depth int) {
	n := t.g.Nodes[id]
	fmt.Fprintf(&t.b, "%s%s", strings.Repeat("  ", depth), describe(n))
	if t.seen[id] && len(n.Inputs) > 0 {
		fmt.Fprintf(&t.b, " (node %d, shared)\n", id)
		return
	}
	t.seen[id] = true
	t.b.WriteByte('\n')
	for _, in := range n.Inputs {
		t.node(in, depth+1)
	}
}

// describe is the operator of a node with its sizes, and its label.
func describe(n dataflow.Node) string {
	s := strings.TrimPrefix(fmt.Sprintf("%T", n.Op), "dataflow.")
	switch op := n.Op.(type) {
	case dataflow.Input:
		s += fmt.Sprintf(" %d", op.Collection)
	case dataflow.Constant:
		s += fmt.Sprintf(" rows=%d", len(op.Rows))
	case dataflow.Arrange:
		s += fmt.Sprintf(" keys=%d", op.Keys)
	case dataflow.HalfJoin:
		s += fmt.Sprintf(" keys=%d", op.Keys)
	case dataflow.Reduce:
		s += fmt.Sprintf(" keys=%d aggregates=%d", op.Keys, len(op.Aggs))
	case dataflow.TopK:
		s += fmt.Sprintf(" group=%v limit=%d offset=%d", op.Group, op.Limit, op.Offset)
	}
	if n.Label != "" {
		s += " [" + n.Label + "]"
	}
	return s
}
