package rel

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
)

// Format prints a plan for EXPLAIN: one node a line, inputs indented below it, columns as #position with their
// names. Plans inside expressions are numbered and printed below the node.
func Format(r Rel) string {
	p := &printer{facts: FactsOf(r)}
	p.rel(r, 0)
	return p.b.String()
}

// FormatScalar prints an expression over a row of the shape.
func FormatScalar(e expr.Scalar, cols repr.RowDesc) string { return (&printer{}).scalar(e, cols) }

type printer struct {
	facts   *Facts // of a whole plan; nil of a single expression
	b       strings.Builder
	queries int
	pending []pendingQuery
}

type pendingQuery struct {
	number int
	query  Rel
}

func (p *printer) line(depth int, format string, args ...any) {
	p.b.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *printer) rel(r Rel, depth int) {
	if let, ok := r.(*Let); ok {
		p.line(depth, "With l%d", let.ID)
		p.rel(let.Value, depth+1)
		p.rel(let.Body, depth)
		return
	}
	if rec, ok := r.(*LetRec); ok {
		p.line(depth, "With Recursive%s", rec.limit())
		for _, b := range rec.Bindings {
			p.line(depth+1, "l%d %s", b.ID, b.Name)
			p.rel(b.Value, depth+2)
		}
		p.rel(rec.Body, depth)
		return
	}
	p.line(depth, "%s", p.head(r))
	queries := p.pending
	p.pending = nil
	for _, q := range queries {
		p.line(depth+1, "$query%d:", q.number)
		p.rel(q.query, depth+2)
	}
	for _, c := range Children(r) {
		p.rel(c, depth+1)
	}
}

// head is the line of one node.
func (p *printer) head(r Rel) string {
	switch r := r.(type) {
	case *Get:
		return "Get " + r.Name + " (" + names(r.Cols) + ")" + note(r.Grows, "append-only")
	case *Ref:
		return fmt.Sprintf("Ref l%d (%s)", r.ID, names(r.Cols))
	case *Values:
		return "Values" + p.rows(r)
	case *Filter:
		return "Filter " + p.list(r.Preds, r.Input.Columns(), " AND ")
	case *Map:
		return "Map " + p.mapped(r)
	case *Project:
		return "Project (" + p.projected(r) + ")"
	case *Join:
		return p.join(kindNames[r.Kind]+"Join", r.On, r.Left, r.Right)
	case *Apply:
		return p.join(kindNames[r.Kind]+"Apply", r.On, r.Left, r.Right)
	case *Reduce:
		return "Reduce" + p.reduce(r) + note(p.facts.KeepsWinners(r), "keep winners")
	case *Distinct:
		return "Distinct"
	case *TopK:
		return "TopK" + p.topK(r) + note(p.facts.KeepsWinners(r), "keep winners")
	case *Window:
		return "Window" + p.window(r)
	case *Union:
		return "Union"
	case *Negate:
		return "Negate"
	case *Threshold:
		return "Threshold"
	case *FlatMap:
		s := "FlatMap " + r.Fn.Name + "(" + p.list(r.Args, r.Input.Columns(), ", ") + ")"
		if r.Ordinality {
			s += " with ordinality"
		}
		return s
	case *Temporal:
		return "Temporal" + p.temporal(r)
	}
	check.Never("format of %T", r)
	return ""
}

// note is a remark behind a node of which something is so.
func note(is bool, what string) string {
	if !is {
		return ""
	}
	return " " + what
}

var kindNames = [...]string{
	JoinInner: "", JoinLeft: "Left", JoinRight: "Right", JoinFull: "Full", JoinSemi: "Semi", JoinAnti: "Anti",
}

func names(cols repr.RowDesc) string {
	out := make([]string, len(cols))
	for i := range cols {
		out[i] = column(cols, i)
	}
	return strings.Join(out, ", ")
}

// column is #position and the name, where there is one.
func column(cols repr.RowDesc, i int) string {
	s := "#" + strconv.Itoa(i)
	if i < len(cols) && cols[i].Name != "" && cols[i].Name != "?column?" {
		s += " " + cols[i].Name
	}
	return s
}

func (p *printer) rows(r *Values) string {
	if len(r.Rows) == 0 {
		return " empty (" + names(r.Cols) + ")"
	}
	const shown = 10
	var b strings.Builder
	for i, row := range r.Rows {
		if i == shown {
			fmt.Fprintf(&b, " and %d more", len(r.Rows)-shown)
			break
		}
		b.WriteString(" (" + p.list(row, nil, ", ") + ")")
	}
	return b.String()
}

func (p *printer) mapped(r *Map) string {
	in := r.Input.Columns()
	cols := r.Columns()
	out := make([]string, len(r.Exprs))
	for i, e := range r.Exprs {
		out[i] = column(cols, len(in)+i) + " := " + p.scalar(e, in)
	}
	return strings.Join(out, ", ")
}

func (p *printer) projected(r *Project) string {
	in := r.Input.Columns()
	out := make([]string, len(r.Cols))
	for i, c := range r.Cols {
		out[i] = column(in, c)
		if i < len(r.Names) && r.Names[i] != in[c].Name && r.Names[i] != "" {
			out[i] += " AS " + r.Names[i]
		}
	}
	return strings.Join(out, ", ")
}

func (p *printer) join(head string, on []expr.Scalar, left, right Rel) string {
	if len(on) == 0 {
		return head + " on true"
	}
	l, r := left.Columns(), right.Columns()
	cols := append(append(make(repr.RowDesc, 0, len(l)+len(r)), l...), r...)
	return head + " on " + p.list(on, cols, " AND ")
}

func (p *printer) reduce(r *Reduce) string {
	in := r.Input.Columns()
	s := ""
	if len(r.Keys) > 0 {
		s = " by " + p.list(r.Keys, in, ", ")
	}
	for i, a := range r.Aggs {
		sep := ", "
		if i == 0 {
			sep = " compute "
		}
		s += sep + p.agg(a, in)
	}
	return s
}

func (p *printer) agg(a Agg, in repr.RowDesc) string {
	s := a.Fn.Name + "("
	if a.Distinct {
		s += "DISTINCT "
	}
	if len(a.Args) == 0 {
		s += "*"
	}
	s += p.list(a.Args, in, ", ")
	for i, o := range a.Order {
		if i == 0 {
			s += " ORDER BY "
		} else {
			s += ", "
		}
		s += p.scalar(o.Expr, in) + direction(o.Desc, o.NullsFirst)
	}
	s += ")"
	if a.Filter != nil {
		s += " FILTER (" + p.scalar(a.Filter, in) + ")"
	}
	return s
}

// direction prints what differs from ascending with NULLs last, or descending with NULLs first.
func direction(desc, nullsFirst bool) string {
	s := ""
	if desc {
		s = " DESC"
	}
	if nullsFirst && !desc {
		s += " NULLS FIRST"
	}
	if !nullsFirst && desc {
		s += " NULLS LAST"
	}
	return s
}

// FormatFinish describes in a line the order and the limit that are put on the rows of a query in the end; empty for none.
func FormatFinish(r *TopK) string {
	if len(r.Order) == 0 && r.Limit == nil && r.Offset == nil {
		return ""
	}
	return "Finish" + (&printer{}).topK(r)
}

func (p *printer) topK(r *TopK) string {
	cols := r.Input.Columns()
	s := ""
	for i, c := range r.Group {
		s += []string{" by ", ", "}[min(i, 1)] + column(cols, c)
	}
	for i, o := range r.Order {
		s += []string{" order ", ", "}[min(i, 1)] + column(cols, o.Col) + direction(o.Desc, o.NullsFirst)
	}
	if r.Limit != nil {
		s += " limit " + p.scalar(r.Limit, nil)
	}
	if r.Offset != nil {
		s += " offset " + p.scalar(r.Offset, nil)
	}
	return s
}

func (p *printer) temporal(r *Temporal) string {
	cols := r.Input.Columns()
	s := ""
	for _, e := range r.From {
		s += " from " + p.scalar(e, cols)
	}
	for _, e := range r.Until {
		s += " until " + p.scalar(e, cols)
	}
	return s
}

func (p *printer) list(list []expr.Scalar, cols repr.RowDesc, sep string) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = p.scalar(e, cols)
		if _, ok := e.(*expr.Or); ok && sep == " AND " && len(list) > 1 {
			out[i] = "(" + out[i] + ")"
		}
	}
	return strings.Join(out, sep)
}
