package postgres

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"millrace/tests/inside"
)

// kind is what a comparison came to.
type kind int

const (
	right kind = iota
	// unsupported: millrace says with 0A000 that it does not do this.
	unsupported
	// invalid: PostgreSQL refuses the query itself, so there is nothing to compare.
	invalid
	// free: both were allowed to do what they did, see judge.
	free
	// wrong: the answers differ.
	wrong
)

// verdict is the outcome of comparing one query.
type verdict struct {
	kind  kind
	way   string // "view" or "select": which of ours was wrong
	why   string
	batch int
	// theirs is PostgreSQL's answer, ours the one that was wrong.
	theirs, ours *inside.Answer
}

// judge compares the answers to one query. These are the freedoms, and there are no others:
//
//   - Rows come in any order; where an order decides which rows there are, queries order totally.
//   - Equal numbers may differ in trailing zeros where a query puts equal values together (GROUP BY, DISTINCT, set
//     operations, min and max): which of the equal values is kept is nobody's promise, and PostgreSQL's depends on its plan.
//   - When PostgreSQL gives an error that comes from data (class 22, or 21000), millrace may give any error from data,
//     since the first row to fail depends on the plan; and it may give none where PostgreSQL evaluated what the answer
//     does not need, and the other way round. Such one-sided errors count as free, and only queries with expressions that
//     can fail, which are one in ten, may have them: the count is shown.
//   - What PostgreSQL cannot run (0A000), refuses (class 42) or does not finish in time is not compared. What millrace
//     does not finish in time counts as free.
func judge(text string, theirs, once, kept *inside.Answer) verdict {
	if theirs.Err != nil && !fromData(theirs.Err) && !broken(once) && !broken(kept) {
		return verdict{kind: invalid, why: theirs.Err.Error()}
	}
	best := verdict{kind: right}
	for _, way := range []struct {
		name string
		ours *inside.Answer
	}{{"select", once}, {"view", kept}} {
		v := judgeOne(text, theirs, way.ours)
		v.way, v.theirs, v.ours = way.name, theirs, way.ours
		if v.kind > best.kind {
			best = v
		}
	}
	return best
}

func judgeOne(text string, theirs, ours *inside.Answer) verdict {
	switch {
	case ours.Err != nil && ours.Err.Code == "0A000":
		return verdict{kind: unsupported, why: ours.Err.Message}
	case theirs.Err != nil && !fromData(theirs.Err) && !broken(ours):
		return verdict{kind: right} // only the other of ours is the reason to be here
	case ours.Err != nil && ours.Err.Code == "57014":
		return verdict{kind: free, why: "too slow: " + ours.Err.Message}
	case ours.Err != nil && theirs.Err != nil && fromData(ours.Err):
		return verdict{kind: right}
	case ours.Err != nil && theirs.Err == nil && fromData(ours.Err):
		return verdict{kind: free, why: "only millrace: " + ours.Err.Error()}
	case ours.Err != nil:
		return verdict{kind: wrong, why: "error " + ours.Err.Error()}
	case theirs.Err != nil:
		return verdict{kind: free, why: "only PostgreSQL: " + theirs.Err.Error()}
	}
	if diff := difference(theirs, ours, chooses.MatchString(text)); diff != "" {
		return verdict{kind: wrong, why: diff}
	}
	return verdict{kind: right}
}

// broken says whether an answer is a fault inside the server, which nothing excuses.
func broken(a *inside.Answer) bool { return a.Err != nil && a.Err.Code == "XX000" }

// fromData says whether an error comes from the values of rows.
func fromData(e *inside.Error) bool {
	return strings.HasPrefix(e.Code, "22") || e.Code == "21000"
}

// chooses finds what keeps one of several equal values.
var chooses = regexp.MustCompile(`GROUP BY|DISTINCT|UNION|INTERSECT|EXCEPT|min\(|max\(|greatest\(|least\(|NATURAL|USING|mode\(|percentile_disc\(`)

// oidNumeric is the type whose equal values may print differently.
const oidNumeric = 1700

// difference says how two multisets of rows differ; "" when they do not. With loose, zeros at the end of numbers do
// not count.
func difference(theirs, ours *inside.Answer, loose bool) string {
	if !slices.Equal(theirs.Types, ours.Types) {
		return fmt.Sprintf("types %v instead of %v", ours.Types, theirs.Types)
	}
	a, b := lines(theirs, loose), lines(ours, loose)
	if slices.Equal(a, b) {
		return ""
	}
	return "rows:\n" + missing("  only PostgreSQL: ", a, b) + missing("  only millrace:   ", b, a)
}

// lines are the rows as sorted text.
func lines(a *inside.Answer, loose bool) []string {
	out := make([]string, len(a.Rows))
	for i, row := range a.Rows {
		cells := make([]string, len(row))
		for j, c := range row {
			cells[j] = c
			if loose && a.Types[j] == oidNumeric {
				cells[j] = trimZeros(c)
			}
		}
		out[i] = strings.Join(cells, " | ")
	}
	slices.Sort(out)
	return out
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// missing are the lines of a that b has not, each as often as it is missing.
func missing(prefix string, a, b []string) string {
	count := map[string]int{}
	for _, l := range b {
		count[l]++
	}
	var out strings.Builder
	shown := 0
	for _, l := range a {
		if count[l]--; count[l] < 0 && shown < 10 {
			out.WriteString(prefix + strings.ReplaceAll(l, inside.Null, "NULL") + "\n")
			shown++
		}
	}
	return out.String()
}
