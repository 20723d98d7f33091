package rel

import (
	"fmt"
	"testing"

	"millrace/repr"
	"millrace/sql/expr"
)

// TestKeysOfCopies: a copy of a column stands for it in keys, also of several columns, and what is computed from one does not.
func TestKeysOfCopies(t *testing.T) {
	t.Parallel()
	number := repr.TypeOf(repr.KindInt8)
	column := func(i int) expr.Scalar { return &expr.Column{Index: i, Typ: number} }
	sum := &expr.Call{Typ: number, Args: []expr.Scalar{column(0), column(1)}}
	in := &Get{Cols: repr.RowDesc{{Name: "a", Type: number}, {Name: "b", Type: number}, {Name: "c", Type: number}}, Keys: [][]int{{0, 1}}}
	m := &Map{Input: in, Exprs: []expr.Scalar{column(0), sum, column(1)}, Names: []string{"x", "y", "z"}}
	for _, tt := range []struct {
		cols []int
		want string
	}{
		{[]int{0, 1}, "[[0 1]]"},
		{[]int{3, 5}, "[[0 1]]"},
		{[]int{5, 4, 0}, "[[0 2]]"},
		{[]int{1, 3, 4}, "[[0 1]]"},
		{[]int{4, 5}, "[]"},
		{[]int{2, 3}, "[]"},
	} {
		p := &Project{Input: m, Cols: tt.cols}
		var got [][]int
		for _, k := range FactsOf(p).Keys(p) {
			got = append(got, k.List())
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("columns %v: keys %v, want %s", tt.cols, got, tt.want)
		}
	}
}
