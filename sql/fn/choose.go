package fn

import (
	"slices"

	"millrace/repr"
)

// choose picks the best of several candidates that all accept the operands, by PostgreSQL's rules in their order: most
// exact matches; most preferred types where a cast is needed; the category, and its preferred type, that
// literals of no type are best read as; and last, literals taken as the one type that all others have. nil when
// more than one is left.
func choose(list []*candidate, args []repr.Type) *candidate {
	list = most(list, func(c *candidate) int {
		n := 0
		for i, have := range args {
			if have.Kind != repr.KindNull && c.arg(i) == plain(have) {
				n++
			}
		}
		return n
	})
	list = most(list, func(c *candidate) int {
		n := 0
		for i, have := range args {
			if want := c.arg(i); have.Kind != repr.KindNull && (want == plain(have) || preferred(want) && category(want) == category(have)) {
				n++
			}
		}
		return n
	})
	if len(list) == 1 {
		return list[0]
	}
	unknown := slices.ContainsFunc(args, func(t repr.Type) bool { return t.Kind == repr.KindNull })
	if !unknown {
		return nil
	}
	if kept := byCategory(list, args); len(kept) > 0 {
		list = kept
	}
	if len(list) == 1 {
		return list[0]
	}
	return bySameType(list, args)
}

// most keeps the candidates with the highest score.
func most(list []*candidate, score func(*candidate) int) []*candidate {
	best := -1
	var out []*candidate
	for _, c := range list {
		switch n := score(c); {
		case n > best:
			best, out = n, []*candidate{c}
		case n == best:
			out = append(out, c)
		}
	}
	return out
}

// byCategory settles for each literal of no type the category it is read as, and drops the candidates that take another.
// It is nil when the category of one can't be settled.
func byCategory(list []*candidate, args []repr.Type) []*candidate {
	cats := make([]byte, len(args))
	prefer := make([]bool, len(args))
	for i, have := range args {
		if have.Kind != repr.KindNull {
			continue
		}
		for _, c := range list {
			switch cat := category(c.arg(i)); {
			case cats[i] == 0 || cat == 'S' && cats[i] != 'S':
				cats[i], prefer[i] = cat, preferred(c.arg(i))
			case cat == cats[i]:
				prefer[i] = prefer[i] || preferred(c.arg(i))
			case cats[i] != 'S':
				cats[i] = 0xff
			}
		}
		if cats[i] == 0xff {
			return nil
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(c *candidate) bool {
		for i := range args {
			if cats[i] != 0 && (category(c.arg(i)) != cats[i] || prefer[i] && !preferred(c.arg(i))) {
				return true
			}
		}
		return false
	})
}

// bySameType takes the literals for the type that all other operands have, if just one candidate accepts that.
func bySameType(list []*candidate, args []repr.Type) *candidate {
	known := repr.Type{}
	for _, have := range args {
		switch {
		case have.Kind == repr.KindNull:
		case known.Kind == repr.KindNull:
			known = plain(have)
		case known != plain(have):
			return nil
		}
	}
	if known.Kind == repr.KindNull {
		return nil
	}
	all := slices.Repeat([]repr.Type{known}, len(args))
	var only *candidate
	for _, c := range list {
		if !c.accepts(all) {
			continue
		}
		if only != nil {
			return nil
		}
		only = c
	}
	return only
}
