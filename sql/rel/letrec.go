package rel

import (
	"fmt"

	"millrace/repr"
)

// LetRec names plans that may refer to themselves and to one another (by Ref). Their values are the least fixpoint: all
// begin empty and are computed again and again until none changes. In one round they are computed in order, each from
// the newest value of those before it, and from the last round's of itself and those behind it. Body sees the end.
type LetRec struct {
	Bindings []Binding
	// Limit is how many rounds there may be; 0: what the dataflow says.
	Limit int
	// KeepAtLimit has the values at the limit be the result; else it is an error not to end before.
	KeepAtLimit bool
	Body        Rel
}

// Binding is one plan of a LetRec.
type Binding struct {
	ID    int
	Name  string // for people
	Value Rel
}

// IsRelation marks the node as a plan that may stand in an expression.
func (*LetRec) IsRelation() {}

func (*LetRec) isRel() {}

// Columns are those of the body.
func (r *LetRec) Columns() repr.RowDesc { return r.Body.Columns() }

// children are the values in order, then the body.
func (r *LetRec) children() []Rel {
	out := make([]Rel, 0, len(r.Bindings)+1)
	for _, b := range r.Bindings {
		out = append(out, b.Value)
	}
	return append(out, r.Body)
}

func (r *LetRec) withChildren(in []Rel) *LetRec {
	c := *r
	c.Bindings = append([]Binding(nil), r.Bindings...)
	for i := range c.Bindings {
		c.Bindings[i].Value = in[i]
	}
	c.Body = in[len(in)-1]
	return &c
}

// IDs are the numbers of the bindings.
func (r *LetRec) IDs() []int {
	out := make([]int, len(r.Bindings))
	for i, b := range r.Bindings {
		out[i] = b.ID
	}
	return out
}

func (r *LetRec) limit() string {
	switch {
	case r.Limit == 0:
		return ""
	case r.KeepAtLimit:
		return fmt.Sprintf(" return at %d", r.Limit)
	default:
		return fmt.Sprintf(" error at %d", r.Limit)
	}
}

// RefersTo says whether a plan, plans inside its expressions included, holds a Ref to one of the numbers.
func RefersTo(r Rel, ids map[int]bool) bool {
	found := false
	TransformDeep(r, func(r Rel, _ int) Rel {
		if ref, ok := r.(*Ref); ok && ids[ref.ID] {
			found = true
		}
		return r
	})
	return found
}
