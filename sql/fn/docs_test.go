package fn

import (
	"slices"
	"strings"
	"testing"

	"millrace/internal/golden"
	"millrace/repr"
)

// TestDocs holds docs/functions.md to the tables; GOLDEN=update writes it.
func TestDocs(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Functions\n\nWritten from the tables of `sql/fn` (`make golden`). Each line is a name and the types it takes and gives. " +
		"What PostgreSQL has under the same name and types, it answers as PostgreSQL 15 does.\n")
	b.WriteString("\n## Functions\n")
	for _, f := range functionTables {
		docSection(&b, f.name, signatures(f.rows))
	}
	b.WriteString("\n## Operators\n")
	for _, f := range operatorTables {
		docSection(&b, f.name, signatures(f.rows))
	}
	b.WriteString("\n## Aggregates\n")
	for _, f := range append(slices.Clone(aggregateTables), aggFamily{"Ordered sets (WITHIN GROUP)", orderedSetAggregates}) {
		var sigs []string
		for _, r := range f.rows {
			sigs = append(sigs, r.sig)
		}
		docSection(&b, f.name, sigs)
	}
	b.WriteString("\n## Window functions\n\nAggregates can be called with OVER too.\n")
	docSection(&b, "With OVER alone", windowFunctions)
	b.WriteString("\n## Functions that give rows\n")
	for _, f := range tableTables {
		var sigs []string
		for _, r := range f.rows {
			sigs = append(sigs, r.sig)
		}
		docSection(&b, f.name, sigs)
	}
	b.WriteString("\n## Casts\n\nImplicit where a function takes the type; on assignment for a value that is stored; explicit with `CAST` and `::` alone. " +
		"Every type can be cast to a string on assignment and from one explicitly.\n\n| from | implicit | on assignment | explicit |\n|---|---|---|---|\n")
	docCasts(&b)
	golden.File(t, "../../docs/functions.md", b.String())
}

func signatures(rows []row) []string {
	out := make([]string, len(rows))
	for i := range rows {
		out[i] = rows[i].sig
	}
	return out
}

// docSection lists each name once, with all that it takes.
func docSection(b *strings.Builder, name string, sigs []string) {
	b.WriteString("\n### " + name + "\n\n")
	var order []string
	forms := map[string][]string{}
	for _, s := range sigs {
		open := strings.IndexByte(s, '(')
		if forms[s[:open]] == nil {
			order = append(order, s[:open])
		}
		end := strings.IndexByte(s, ')')
		forms[s[:open]] = append(forms[s[:open]], s[open:end+1]+" → "+strings.TrimSpace(s[end+1:]))
	}
	for _, n := range order {
		b.WriteString("- `" + n + "` " + strings.Join(forms[n], " · ") + "\n")
	}
}

func docCasts(b *strings.Builder) {
	for k := repr.KindBool; k < repr.KindArray; k++ {
		var lists [3][]string
		for _, table := range castTables {
			for _, c := range table {
				if c.from == k {
					lists[c.ctx] = append(lists[c.ctx], c.to.String())
				}
			}
		}
		if len(lists[0])+len(lists[1])+len(lists[2]) == 0 {
			continue
		}
		b.WriteString("| " + k.String())
		for _, l := range lists {
			b.WriteString(" | " + strings.Join(l, ", "))
		}
		b.WriteString(" |\n")
	}
}

// TestRows: every row has code, and no signature stands twice.
func TestRows(t *testing.T) {
	t.Parallel()
	for what, families := range map[string][]family{"function": functionTables, "operator": operatorTables} {
		seen := map[string]bool{}
		for _, f := range families {
			for _, r := range f.rows {
				key := r.sig[:strings.LastIndexByte(r.sig, ')')]
				if seen[key] {
					t.Errorf("%s %s stands twice", what, r.sig)
				}
				seen[key] = true
				if r.eval == nil && r.poly == nil {
					t.Errorf("%s %s has no code", what, r.sig)
				}
			}
		}
	}
}
