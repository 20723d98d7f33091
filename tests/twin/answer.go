package twin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Null is how NULL stands in an answer; no value looks like it.
const Null = "\x00NULL"

// Answer is the rows of one query, every value in its text form.
type Answer [][]string

func ask(ctx context.Context, conn *pgx.Conn, query string) (Answer, error) {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out Answer
	for rows.Next() {
		raw := rows.RawValues()
		row := make([]string, len(raw))
		for i, v := range raw {
			row[i] = string(v)
			if v == nil {
				row[i] = Null
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// Rows counts the rows in which anything is known.
func (a Answer) Rows() int {
	n := 0
	for _, row := range a {
		if slices.ContainsFunc(row, func(v string) bool { return v != Null }) {
			n++
		}
	}
	return n
}

// Same says that two answers hold the same rows, each as often, in any order; or how they differ.
func Same(got, want Answer) error {
	missing, extra := difference(want, got), difference(got, want)
	if len(missing) == 0 && len(extra) == 0 {
		return nil
	}
	return fmt.Errorf("%d rows, want %d; missing %d: %s; too many %d: %s",
		len(got), len(want), len(missing), show(missing), len(extra), show(extra))
}

// SameFirst says that got may be the first limit rows of an answer that is ordered by some of its columns. SQL leaves
// open which rows come first among those that agree in all of these columns, and PostgreSQL does not say. So got must hold
// limit rows, or all if there are fewer; each must be a row of the whole answer, no oftener than there; and in the columns of the
// order they must hold the same values as the first limit rows of the whole answer do.
func SameFirst(got, whole Answer, limit int, ordered []int) error {
	first := whole[:min(limit, len(whole))]
	if len(got) != len(first) {
		return fmt.Errorf("%d rows, want %d of %d", len(got), len(first), len(whole))
	}
	if extra := difference(got, whole); len(extra) > 0 {
		return fmt.Errorf("%d rows are not in the whole answer: %s", len(extra), show(extra))
	}
	if err := Same(project(got, ordered), project(first, ordered)); err != nil {
		return fmt.Errorf("in the columns of the order: %w", err)
	}
	return nil
}

func project(a Answer, cols []int) Answer {
	out := make(Answer, len(a))
	for i, row := range a {
		for _, c := range cols {
			out[i] = append(out[i], row[c])
		}
	}
	return out
}

// difference is the rows of a that b has not, or not as often.
func difference(a, b Answer) Answer {
	left := map[string]int{}
	for _, row := range b {
		left[key(row)]++
	}
	var out Answer
	for _, row := range a {
		if k := key(row); left[k] > 0 {
			left[k]--
		} else {
			out = append(out, row)
		}
	}
	return out
}

func key(row []string) string { return strings.Join(row, "\x00|") }

func show(a Answer) string {
	const most = 5
	var b strings.Builder
	for i, row := range a {
		if i == most {
			b.WriteString(" and more")
			break
		}
		fmt.Fprintf(&b, "\n  (%s)", strings.ReplaceAll(strings.Join(row, " | "), Null, "NULL"))
	}
	return b.String()
}
