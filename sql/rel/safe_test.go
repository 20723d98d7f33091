package rel

import (
	"testing"

	"millrace/repr"
	"millrace/sql/expr"
)

// TestSafeByConstants asks of calls with constants whether they can fail.
func TestSafeByConstants(t *testing.T) {
	t.Parallel()
	column := func(k repr.Kind) expr.Scalar { return &expr.Column{Typ: repr.TypeOf(k)} }
	number := func(n int32) expr.Scalar { return &expr.Const{Val: repr.Int4(n), Typ: repr.TypeOf(repr.KindInt4)} }
	text := func(s string) expr.Scalar { return &expr.Const{Val: repr.Text(s), Typ: repr.TypeOf(repr.KindText)} }
	i4, str, ts, day := column(repr.KindInt4), column(repr.KindText), column(repr.KindTimestamp), column(repr.KindDate)
	for _, c := range []struct {
		name string
		args []expr.Scalar
		safe bool
	}{
		{"/", []expr.Scalar{i4, number(2)}, true},
		{"/", []expr.Scalar{i4, number(0)}, false},
		{"%", []expr.Scalar{i4, number(-1)}, false},
		{"/", []expr.Scalar{number(2), i4}, false},
		{"/", []expr.Scalar{column(repr.KindNumeric), number(2)}, false},
		{"+", []expr.Scalar{i4, number(2)}, false},
		{"substring", []expr.Scalar{str, number(1), number(2)}, true},
		{"substring", []expr.Scalar{str, number(1), number(-2)}, false},
		{"substring", []expr.Scalar{str, number(-1)}, true},
		{"substring", []expr.Scalar{str, number(1), i4}, false},
		{"substring", []expr.Scalar{str, text("a.*(")}, false},
		{"extract", []expr.Scalar{text("year"), ts}, true},
		{"extract", []expr.Scalar{text("year"), day}, false},
		{"extract", []expr.Scalar{text("fortnight"), ts}, false},
		{"date_trunc", []expr.Scalar{text("hour"), ts}, true},
		{"date_trunc", []expr.Scalar{text("month"), ts}, false},
	} {
		e := &expr.Call{Fn: &expr.Func{Name: c.name}, Args: c.args, Typ: c.args[len(c.args)-1].Type()}
		if CanFail(e) == c.safe {
			t.Errorf("%s: can fail %t", FormatScalar(e, nil), !c.safe)
		}
	}
}
