package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// section is a table of the page: objects of one kind.
type section struct {
	Title   string
	Columns []string // behind Name and State
	Rows    []line
}

// line is an object, or something that holds memory.
type line struct {
	Class string
	Name  string
	State string
	Notes []string // what to know, and what to do
	Cells []string
}

// kindOf is a section of the page before it has rows.
type kindOf struct {
	title   string
	kinds   []string // of objects; the last section takes any
	columns []string
	cells   func(c *Counts) []string
}

var kindsOf = []kindOf{
	{"Sources", []string{"source"}, []string{"Records", "Bad", "Behind", "Rows", "Memory"},
		func(c *Counts) []string {
			return []string{grouped(c.Records), grouped(c.Bad), behind(c), grouped(c.Rows), sizeText(c.Bytes)}
		}},
	{"Views", []string{"materialized view"}, []string{"Rows", "Errors", "Memory"},
		func(c *Counts) []string { return []string{grouped(c.Rows), grouped(c.Errors), sizeText(c.Bytes)} }},
	{"Sinks", []string{"sink"}, []string{"Written", "Left out", "Refused"},
		func(c *Counts) []string { return []string{grouped(c.Records), grouped(c.Bad), grouped(c.Kept)} }},
	{"Tables and indexes", nil, []string{"Rows", "Memory"},
		func(c *Counts) []string { return []string{grouped(c.Rows), sizeText(c.Bytes)} }},
}

// behind is how much a source has not read yet: records, or bytes of a log.
func behind(c *Counts) string {
	if c.BehindBytes > 0 {
		return sizeText(c.BehindBytes)
	}
	return grouped(c.Behind)
}

// sections are the tables of the page that have rows.
func sections(objects []ObjectStatus) []section {
	all := make([]section, len(kindsOf))
	for i := range objects {
		o := &objects[i]
		if o.Part && o.Ready {
			continue
		}
		at := slices.IndexFunc(kindsOf, func(k kindOf) bool { return slices.Contains(k.kinds, o.Kind) || k.kinds == nil })
		all[at].Rows = append(all[at].Rows, lineOf(o, kindsOf[at].cells))
	}
	for i, k := range kindsOf {
		all[i].Title, all[i].Columns = k.title, k.columns
	}
	return slices.DeleteFunc(all, func(s section) bool { return len(s.Rows) == 0 })
}

func lineOf(o *ObjectStatus, cells func(*Counts) []string) line {
	l := line{Class: "ready", Name: o.Name, State: "ready", Cells: cells(&o.Counts)}
	if !o.Ready {
		l.Class, l.State = "waiting", "not ready"
	}
	if o.Detail != "running" && o.Detail != "" {
		l.Notes = append(l.Notes, o.Detail)
	}
	if o.Hint != "" {
		l.Notes = append(l.Notes, o.Hint)
	}
	switch {
	case o.Kept > 0 && o.Kind == "sink":
		l.Notes = append(l.Notes, "the target has refused rows: SELECT * FROM "+o.Name+"_errors")
	case o.Kept > 0:
		l.Notes = append(l.Notes, "records could not be decoded: SELECT * FROM "+o.Name+"_errors")
	}
	if o.Errors > 0 {
		l.Notes = append(l.Notes, "an expression fails on rows: SELECT * FROM mz_internal.mz_view_errors")
	}
	return l
}

// mostHolders is how many of those that hold memory the page lists.
const mostHolders = 10

// largest are those that hold most, and all that is held.
func (m Memory) largest() (top []line, held int64) {
	holders := slices.Clone(m.Holders)
	slices.SortStableFunc(holders, func(a, b Holder) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
	for i, h := range holders {
		held += h.Bytes
		if i < mostHolders && h.Bytes > 0 {
			top = append(top, line{Name: h.Name, Cells: []string{sizeText(h.Bytes)}})
		}
	}
	return top, held
}

// grouped is a number with its thousands apart.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func sizeText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
}
