package postgres

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Report counts what was compared.
type Report struct {
	Queries, Right, Wrong int
	// Comparisons are the answers, of a SELECT or of a view after a batch, that were held against PostgreSQL's.
	Comparisons int
	// Unsupported, Invalid and Free are counted by their reason.
	Unsupported, Invalid, Free map[string]int
}

func newReport() *Report {
	return &Report{Unsupported: map[string]int{}, Invalid: map[string]int{}, Free: map[string]int{}}
}

func (r *Report) add(a *asked) {
	v := a.verdict
	r.Queries++
	r.Comparisons += a.compared
	switch v.kind {
	case right:
		r.Right++
	case unsupported:
		r.Unsupported[reason(v.why)]++
	case invalid:
		r.Invalid[reason(v.why)]++
	case free:
		r.Free[reason(v.why)]++
	case wrong:
		r.Wrong++
	}
}

var names = regexp.MustCompile(`"[^"]*"|[a-z]+[0-9]+(\.[a-z0-9]+)?|[0-9]+$`)

// reason is a message without what differs from query to query.
func reason(message string) string {
	code, rest, _ := strings.Cut(message, ": ")
	if len(code) != 5 {
		return names.ReplaceAllString(message, "…")
	}
	return code + ": " + names.ReplaceAllString(rest, "…")
}

// String is the whole in lines.
func (r *Report) String() string {
	var b strings.Builder
	valid, refused := r.Queries-total(r.Invalid), total(r.Unsupported)
	fmt.Fprintf(&b, "%d queries: %d right, %d wrong, %d unsupported, %d free, %d not valid in PostgreSQL\n",
		r.Queries, r.Right, r.Wrong, refused, total(r.Free), total(r.Invalid))
	fmt.Fprintf(&b, "%d comparisons; %.2f %% of the valid queries accepted\n",
		r.Comparisons, 100*float64(valid-refused)/float64(max(valid, 1)))
	for _, part := range []struct {
		name   string
		counts map[string]int
	}{{"unsupported", r.Unsupported}, {"free", r.Free}, {"not valid", r.Invalid}} {
		keys := slices.Sorted(maps.Keys(part.counts))
		slices.SortStableFunc(keys, func(a, b string) int { return part.counts[b] - part.counts[a] })
		for _, k := range keys {
			fmt.Fprintf(&b, "  %4d %s: %s\n", part.counts[k], part.name, k)
		}
	}
	return b.String()
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
