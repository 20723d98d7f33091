package sqlgen

import (
	"strconv"
	"strings"
)

// Node is a piece of SQL text with holes for its kids. A kid that is nil was left out.
type Node struct {
	// Sort says what a node may be replaced by: another of the same sort. Empty: by nothing.
	Sort string
	// Text are the pieces around the holes; a list has two, what opens and what closes it.
	Text []string
	// Holes are the numbers of the kids in the holes, so that a kid may stand in several.
	Holes []int
	Kids  []*Node
	// Sep separates the kids of a list. Empty: not a list.
	Sep string
	// Optional nodes may be left out, and so may the kids of a list while Min of them are left.
	Optional bool
	Min      int
	// Count is the list whose length this node enumerates, as the positions of ORDER BY do; Text are what stands
	// behind each position, in turn.
	Count *Node
}

// text is a node without holes.
func text(s string) *Node { return &Node{Text: []string{s}} }

// form is a node made from a pattern in which each $ is a hole for the next kid.
func form(sort, pattern string, kids ...*Node) *Node {
	n := &Node{Sort: sort, Text: strings.Split(pattern, "$"), Kids: kids}
	for i := range len(n.Text) - 1 {
		n.Holes = append(n.Holes, i)
	}
	return n
}

// optional is a node that may be left out.
func optional(pattern string, kids ...*Node) *Node {
	n := form("", pattern, kids...)
	n.Optional = true
	return n
}

// list is a node of many kids, of which at least one is left.
func list(open, sep, end string, kids ...*Node) *Node {
	return &Node{Text: []string{open, end}, Sep: sep, Kids: kids, Min: 1}
}

// String is the text.
func (n *Node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *Node) write(b *strings.Builder) {
	switch {
	case n == nil:
	case n.Count != nil:
		n.writePositions(b)
	case n.Sep != "":
		n.writeList(b)
	default:
		b.WriteString(n.Text[0])
		for i, kid := range n.Holes {
			n.Kids[kid].write(b)
			b.WriteString(n.Text[i+1])
		}
	}
}

func (n *Node) writePositions(b *strings.Builder) {
	for i := range n.Count.live() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(i + 1))
		b.WriteString(n.Text[i%len(n.Text)])
	}
}

func (n *Node) writeList(b *strings.Builder) {
	if n.live() == 0 {
		return
	}
	b.WriteString(n.Text[0])
	first := true
	for _, kid := range n.Kids {
		if kid == nil {
			continue
		}
		if !first {
			b.WriteString(n.Sep)
		}
		first = false
		kid.write(b)
	}
	b.WriteString(n.Text[1])
}

// live is how many kids are left.
func (n *Node) live() int {
	count := 0
	for _, kid := range n.Kids {
		if kid != nil {
			count++
		}
	}
	return count
}
