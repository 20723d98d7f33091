package fn_test

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sql/fn"
)

// aggCase is one line of the command agg.
type aggCase struct {
	name  string
	types []string
	rows  [][]string
}

func parseAgg(t *testing.T, line string) aggCase {
	t.Helper()
	parts := strings.Split(line, " | ")
	open := strings.IndexByte(parts[0], '(')
	if open < 0 {
		t.Fatalf("%s: f(type, …) comes first", line)
	}
	a := aggCase{name: parts[0][:open], types: splitArgs(strings.TrimSuffix(strings.TrimSpace(parts[0])[open+1:], ")"))}
	for _, r := range parts[1:] {
		a.rows = append(a.rows, splitArgs(r))
	}
	return a
}

func (a aggCase) columns() string {
	var out []string
	for i := range max(1, len(a.types)) {
		out = append(out, "c"+strconv.Itoa(i))
	}
	return strings.Join(out, ", ")
}

func (a aggCase) call() string {
	if len(a.types) == 1 && a.types[0] == "*" {
		return a.name + "(*)"
	}
	return a.name + "(" + a.columns() + ")"
}

// values is the query of the rows.
func (a aggCase) values() string {
	var out []string
	for _, r := range a.rows {
		out = append(out, "SELECT "+strings.Join(a.cells(r), ", "))
	}
	if out == nil {
		return "SELECT " + strings.Join(a.cells(slices.Repeat([]string{"NULL"}, len(a.types))), ", ") + " WHERE false"
	}
	return strings.Join(out, " UNION ALL ")
}

func (a aggCase) cells(row []string) []string {
	var out []string
	for i, v := range row {
		if a.types[i] == "*" {
			out = append(out, v)
			continue
		}
		out = append(out, "CAST("+v+" AS "+a.types[i]+")")
	}
	return out
}

// aggregate evaluates a case by a history: the rows come in several batches among other rows that go again.
func (h *harness) aggregate(t *testing.T, a aggCase) string {
	t.Helper()
	star := len(a.types) == 1 && a.types[0] == "*"
	var types []repr.Type
	var rows [][]repr.Datum
	for _, r := range a.rows {
		vals, ts, err := h.args(t, a.cells(r))
		if err != nil {
			return errorText(err)
		}
		types = ts
		rows = append(rows, vals)
	}
	if types == nil || star {
		types = nil
		for _, name := range a.types {
			if !star {
				_, typ, err := h.bind(t, "CAST(NULL AS "+name+")")
				if err != nil {
					return errorText(err)
				}
				types = append(types, typ)
			}
		}
	}
	res, err := fn.ResolveAggregate(a.name, types, star)
	if err != nil {
		return errorText(err)
	}
	for _, r := range rows {
		if !star {
			if err := h.cast(t, r, types, res.Args); err != nil {
				return errorText(err)
			}
		}
	}
	d, err := foldHistory(res.Fn, rows)
	if err != nil {
		return errorText(err)
	}
	res.Ret.Mod = -1
	return h.text(res.Ret, d) + " :: " + res.Ret.String()
}

// foldHistory applies an aggregate to rows, with noise that cancels out.
func foldHistory(f *repr.Aggregate, rows [][]repr.Datum) (repr.Datum, *repr.Error) {
	var kept [][]repr.Datum
	for _, r := range rows {
		if !f.SkipNulls || len(r) == 0 || !r[0].IsNull() {
			kept = append(kept, r)
		}
	}
	if len(rows) == 0 {
		return f.Empty, nil
	}
	r := rand.New(rand.NewPCG(uint64(len(rows)), 7))
	history := noisy(r, kept)
	switch {
	case f.Words > 0:
		state := make([]int64, f.Words)
		for _, u := range history {
			arg := repr.Null
			if len(u.row) > 0 {
				arg = u.row[0]
			}
			f.Add(state, arg, u.diff)
		}
		return f.Result(state)
	case f.New != nil:
		acc := f.New()
		for _, u := range history {
			acc.Add(u.row, u.diff)
		}
		return acc.Result()
	case f.Fold != nil:
		return f.Fold(sorted(kept))
	default:
		return extremeOf(f.Extreme, kept), nil
	}
}

type update struct {
	row  []repr.Datum
	diff repr.Diff
}

// noisy is a history in a random order whose sum is the rows.
func noisy(r *rand.Rand, rows [][]repr.Datum) []update {
	var out []update
	for _, row := range rows {
		n := repr.Diff(r.IntN(3))
		out = append(out, update{row, 1 + n})
		for range n {
			out = append(out, update{row, -1})
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func sorted(rows [][]repr.Datum) iter.Seq2[[]repr.Datum, repr.Diff] {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b []repr.Datum) int { return repr.Compare(a[0], b[0]) })
	return func(yield func([]repr.Datum, repr.Diff) bool) {
		for _, r := range rows {
			if !yield(r, 1) {
				return
			}
		}
	}
}

func extremeOf(direction int, rows [][]repr.Datum) repr.Datum {
	best := repr.Null
	for _, r := range rows {
		if best.IsNull() || repr.Compare(r[0], best)*direction > 0 {
			best = r[0]
		}
	}
	return best
}
