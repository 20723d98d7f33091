package tpch

import (
	"embed"
	"fmt"
	"strconv"
	"strings"

	"millrace/internal/check"
)

//go:embed queries
var files embed.FS

// Query is one of the 22.
type Query struct {
	Name string // q1 to q22
	// Limit is how many rows of the ordered answer count; 0 is all. Ordered are the columns, from 0, by which it is
	// ordered; among rows that agree in them any may be the last.
	Limit   int
	Ordered []int
	all     string
}

// All is the query without its limit.
func (q Query) All() string { return q.all }

// SQL is the query as the specification has it.
func (q Query) SQL() string {
	if q.Limit == 0 {
		return q.all
	}
	return q.all + " LIMIT " + strconv.Itoa(q.Limit)
}

// limits are the queries that want only the first rows.
var limits = map[int]Query{
	2:  {Limit: 100, Ordered: []int{0, 2, 1, 3}},
	3:  {Limit: 10, Ordered: []int{1, 2}},
	10: {Limit: 20, Ordered: []int{2}},
	18: {Limit: 100, Ordered: []int{4, 3}},
	21: {Limit: 100, Ordered: []int{1, 0}},
}

// Queries are the 22 for data of a scale; only Q11 depends on it.
func Queries(scale float64) []Query {
	out := make([]Query, 22)
	for i := range out {
		n := i + 1
		text, err := files.ReadFile(fmt.Sprintf("queries/q%02d.sql", n))
		check.That(err == nil, "query %d lies in its file", n)
		q := limits[n]
		q.Name = "q" + strconv.Itoa(n)
		fraction := strconv.FormatFloat(0.0001/scale, 'f', -1, 64)
		q.all = strings.TrimSpace(strings.ReplaceAll(string(text), "$fraction", fraction))
		out[i] = q
	}
	return out
}
