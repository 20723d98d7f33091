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
		if loop, ok := n.Op.(dataflow.Loop); ok {
			formatBody(&b, loop)
		}
	}
	return b.String()
}

// formatBody prints the nodes of a loop's body, and which of them is fed back to which variable.
func formatBody(b *strings.Builder, loop dataflow.Loop) {
	for _, line := range strings.SplitAfter(FormatNodes(&dataflow.Graph{Nodes: loop.Body.Nodes, Output: -1}), "\n") {
		if line != "" {
			b.WriteString("    " + line)
		}
	}
	for i, from := range loop.Feedback {
		fmt.Fprintf(b, "    %s <- %d\n", loop.Names[i], from)
	}
}

// FormatTree prints a graph from its output down, inputs indented. A node that is used again is printed once.
func FormatTree(g *dataflow.Graph) string {
	var b strings.Builder
	for _, l := range Tree(g) {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// TreeLine is one line of a graph printed as a tree.
type TreeLine struct {
	Node  dataflow.NodeID
	Text  string // indented by its depth
	Again bool   // the node stands in a line before, with its inputs; or in the body of a loop
}

// Tree is a graph from its output down, inputs below what reads them.
func Tree(g *dataflow.Graph) []TreeLine {
	t := &tree{g: g, seen: map[dataflow.NodeID]bool{}}
	t.node(g.Output, 0)
	return t.lines
}

type tree struct {
	g     *dataflow.Graph
	lines []TreeLine
	seen  map[dataflow.NodeID]bool
}

func (t *tree) node(id dataflow.NodeID, depth int) {
	n := t.g.Nodes[id]
	l := TreeLine{Node: id, Text: strings.Repeat("  ", depth) + describe(n), Again: t.seen[id]}
	again := l.Again && len(n.Inputs) > 0
	if again {
		l.Text += fmt.Sprintf(" (node %d, shared)", id)
	}
	t.lines = append(t.lines, l)
	if again {
		return
	}
	t.seen[id] = true
	if loop, ok := n.Op.(dataflow.Loop); ok {
		t.body(loop, depth+1)
	}
	for _, in := range n.Inputs {
		t.node(in, depth+1)
	}
}

// Describe is what EXPLAIN calls a node of a graph.
func Describe(g *dataflow.Graph, id dataflow.NodeID) string { return describe(g.Nodes[id]) }

// body prints the trees of a loop's variables. What they did and hold is counted at the loop.
func (t *tree) body(loop dataflow.Loop, depth int) {
	in := &tree{g: loop.Body, seen: map[dataflow.NodeID]bool{}}
	for i, from := range loop.Feedback {
		in.lines = append(in.lines, TreeLine{Text: strings.Repeat("  ", depth) + loop.Names[i] + ":"})
		in.node(from, depth+1)
	}
	for _, l := range in.lines {
		l.Again = true
		t.lines = append(t.lines, l)
	}
}

// winners says of an operator that it forgets rows that do not win.
func winners(only bool) string {
	if !only {
		return ""
	}
	return " winners"
}

// describe is the operator of a node with its sizes, and its label.
func describe(n dataflow.Node) string {
	s := strings.TrimPrefix(fmt.Sprintf("%T", n.Op), "dataflow.")
	switch op := n.Op.(type) {
	case dataflow.Input:
		s += fmt.Sprintf(" %d", op.Collection)
	case dataflow.Loop:
		if op.Limit > 0 {
			s += fmt.Sprintf(" limit=%d", op.Limit)
		}
	case dataflow.LoopResult:
		s += fmt.Sprintf(" %d", op.Index)
	case dataflow.Enter:
		s += fmt.Sprintf(" %d", op.Input)
	case dataflow.Constant:
		s += fmt.Sprintf(" rows=%d", len(op.Rows))
	case dataflow.Arrange:
		s += fmt.Sprintf(" keys=%d", op.Keys)
	case dataflow.Import:
		s += fmt.Sprintf(" %s keys=%d", op.From, op.Keys)
	case dataflow.HalfJoin:
		s += fmt.Sprintf(" keys=%d", op.Keys)
	case dataflow.Reduce:
		s += fmt.Sprintf(" keys=%d aggregates=%d%s", op.Keys, len(op.Aggs), winners(op.Grows))
	case dataflow.Window:
		s += fmt.Sprintf(" partition=%v order=%d functions=%d", op.Partition, len(op.Order), len(op.Funcs))
	case dataflow.TopK:
		s += fmt.Sprintf(" group=%v limit=%d offset=%d%s", op.Group, op.Limit, op.Offset, winners(op.Grows))
	}
	if n.Label != "" {
		s += " [" + n.Label + "]"
	}
	return s
}
