package dataflow

import (
	"fmt"

	"millrace/arrangement"
	"millrace/repr"
)

// checkGrowth refuses a retraction before an operator that was told of none: it has forgotten the rows that would take the
// place of what goes, so its answer would be wrong without a sign of it.
func (n *Node) checkGrowth(in arrangement.Batch) error {
	if !n.grows() {
		return nil
	}
	for i := range in.Len() {
		if in.Diff(i) < 0 {
			return repr.NewError(repr.CodeInternal, fmt.Sprintf(
				"the operator \"%s\" keeps winners alone, for its input only grows, and yet a row was taken back", n.Label))
		}
	}
	return nil
}

// grows says whether an operator counts on its input only to grow.
func (n *Node) grows() bool {
	switch o := n.Op.(type) {
	case Reduce:
		return o.Grows
	case TopK:
		return o.Grows
	}
	return false
}
