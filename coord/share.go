package coord

import (
	"cmp"
	"context"
	"slices"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/lower"
)

// shared is an arrangement of a collection that views import. The tick steps it once, after its collection and before them.
type shared struct {
	what   *lower.Arranged
	arr    *dataflow.Arrangement
	users  int // that import it: views, and views being filled
	named  int // of them: views of the catalog. Plans count on these alone, so that they depend on the catalog alone
	failed error
}

// imported is an arrangement that a view imports under a number of its own.
type imported struct {
	what   *lower.Arranged
	number uint64
	shared *shared
}

// firstImport is the number of the first arrangement that a view imports; collections have lower ones.
const firstImport = 1 << 63

// sharing are all shared arrangements. The loop owns it.
type sharing struct {
	byName       map[string]*shared
	byCollection map[uint64][]*shared // in order of their making
}

// kept gives plans the arrangements that they may count on.
type kept map[uint64][]*lower.Arranged

// importing makes a graph import what may be shared of it.
func importing(g *lower.Graph, arranged []*lower.Arranged) (*lower.Graph, []*imported) {
	at := map[dataflow.NodeID]dataflow.Import{}
	out := make([]*imported, len(arranged))
	for i, a := range arranged {
		out[i] = &imported{what: a, number: firstImport + uint64(i)}
		at[a.Node] = dataflow.Import{Arrangement: out[i].number, Keys: a.Op.Keys, From: a.From}
	}
	return g.WithImports(at), out
}

// wholeUnits are those of some arrangements whose unit is there with all of it.
func wholeUnits(arranged []*lower.Arranged) []*lower.Arranged {
	size := map[int]int{}
	for _, a := range arranged {
		size[a.Unit]++
	}
	return slices.DeleteFunc(arranged, func(a *lower.Arranged) bool { return size[a.Unit] < a.UnitSize })
}

// unit are arrangements that are given to a dataflow together.
type unit struct {
	numbers  []uint64
	contents []*dataflow.Content
}

func (u unit) rows() int64 {
	var n int64
	for _, c := range u.contents {
		n += c.Rows()
	}
	return n
}

// shards are the rows of all its contents.
func (u unit) shards() []*arrangement.Snapshot {
	var out []*arrangement.Snapshot
	for _, c := range u.contents {
		out = append(out, c.Shards()...)
	}
	return out
}

// inUnits is the order in which a dataflow is given what it imports: units of several first, for what comes of them late takes
// longer, and then the largest, so that the smallest meets what is there.
func inUnits(imports []*imported, has []*dataflow.Content) []unit {
	var out []unit
	at := map[int]int{}
	for i, x := range imports {
		if _, ok := at[x.what.Unit]; !ok {
			at[x.what.Unit] = len(out)
			out = append(out, unit{})
		}
		u := &out[at[x.what.Unit]]
		u.numbers, u.contents = append(u.numbers, x.number), append(u.contents, has[i])
	}
	slices.SortStableFunc(out, func(a, b unit) int {
		if one, other := len(a.numbers) > 1, len(b.numbers) > 1; one != other {
			return map[bool]int{true: -1, false: 1}[one]
		}
		return cmp.Compare(b.rows(), a.rows())
	})
	return out
}

// leastChunk is how many rows a step takes at least of what meets something larger.
const leastChunk = 64

// chunkOf is how many rows of a unit one step takes so that it makes about as many as any: each row of a small unit may meet many
// of the largest, on average as many as it has more.
func chunkOf(u unit, all []unit) int {
	most := int64(1)
	for _, other := range all {
		most = max(most, other.rows())
	}
	return int(max(hydrateChunk*u.rows()/most, leastChunk))
}

// newShared makes an empty arrangement that nobody else knows of yet.
func (c *Coordinator) newShared(what *lower.Arranged) *shared {
	return &shared{what: what, users: 1,
		arr: dataflow.NewArrangement(what.Op, what.Label, dataflow.Options{Workers: c.opts.Workers, Clock: c.opts.Clock, Memory: c.memory.flows})}
}

// claim finds the arrangements that views share already; for the others, or for all when the view is filled as of an earlier
// time than they can be read at, it makes empty ones. It runs in the loop.
func (c *Coordinator) claim(v *view, earlier bool) {
	for _, in := range v.imports {
		in.shared = c.sharing.byName[in.what.Name()]
		if in.shared == nil || earlier {
			in.shared = c.newShared(in.what)
			continue
		}
		in.shared.users++
	}
}

// isShared says whether others may import the arrangement: it is stepped by the tick.
func (c *Coordinator) isShared(s *shared) bool { return c.sharing.byName[s.what.Name()] == s }

// share makes the arrangements of a filled view, which are at the newest time, part of the tick. Where another view came first,
// its arrangement, which holds the same, takes the place of this one. It runs in the loop.
func (c *Coordinator) share(v *view) {
	for _, in := range v.imports {
		name, own := in.what.Name(), in.shared
		switch there := c.sharing.byName[name]; there {
		case own:
		case nil:
			c.sharing.byName[name] = own
			id := in.what.Collection
			c.sharing.byCollection[id] = append(c.sharing.byCollection[id], own)
		default:
			own.arr.Close()
			there.users++
			in.shared = there
		}
		if v.named {
			in.shared.named++
		}
	}
	c.publishKept()
}

// release gives up what a view imports; what nobody imports any more is freed. It runs in the loop.
func (c *Coordinator) releaseImports(v *view) {
	for _, in := range v.imports {
		s := in.shared
		if s == nil {
			continue
		}
		in.shared = nil
		s.users--
		if v.named && v.installed {
			s.named--
		}
		if s.users > 0 {
			continue
		}
		if c.isShared(s) {
			id := s.what.Collection
			delete(c.sharing.byName, s.what.Name())
			c.sharing.byCollection[id] = slices.DeleteFunc(c.sharing.byCollection[id], func(o *shared) bool { return o == s })
			if len(c.sharing.byCollection[id]) == 0 {
				delete(c.sharing.byCollection, id)
			}
		}
		s.arr.Close()
	}
	c.publishKept()
}

// publishKept tells plans what they may count on.
func (c *Coordinator) publishKept() {
	k := kept{}
	for id, list := range c.sharing.byCollection {
		for _, s := range list {
			if s.named > 0 && s.failed == nil {
				k[id] = append(k[id], s.what)
			}
		}
	}
	c.kept.Store(&k)
}

// promise adds what a view that is to be in the catalog will keep; nothing is promised in a nil map.
func (k kept) promise(v *view) {
	if k == nil || !v.named {
		return
	}
	for _, in := range v.imports {
		id, name := in.what.Collection, in.what.Name()
		if !slices.ContainsFunc(k[id], func(o *lower.Arranged) bool { return o.Name() == name }) {
			k[id] = append(k[id], in.what)
		}
	}
}

// lowering are the choices of plans, which count on what is promised to be kept; nil: on what is kept.
func (c *Coordinator) lowering(promised kept) lower.Options {
	k := promised
	if k == nil {
		k = *c.kept.Load()
	}
	return lower.Options{Kept: func(id uint64) []*lower.Arranged { return k[id] }}
}

// keptOf are those of some arrangements that plans may count on.
func (c *Coordinator) keptOf(arranged []*lower.Arranged) []*lower.Arranged {
	k := *c.kept.Load()
	return wholeUnits(slices.DeleteFunc(slices.Clone(arranged), func(a *lower.Arranged) bool {
		return !slices.ContainsFunc(k[a.Collection], func(o *lower.Arranged) bool { return o.Name() == a.Name() })
	}))
}

// stepShared brings the arrangements of a collection to the tick that runs.
func (c *Coordinator) stepShared(col *collection) {
	if !col.dirty {
		return
	}
	for _, s := range c.sharing.byCollection[col.id] {
		if s.failed == nil {
			s.failed = s.arr.Step(c.ctx, col.delta)
		}
	}
}

// settleShared ends the tick for the arrangements of a collection.
func (c *Coordinator) settleShared(col *collection) {
	if !col.dirty {
		return
	}
	for _, s := range c.sharing.byCollection[col.id] {
		s.arr.Settle()
	}
}

// addImports gives a view what its arrangements are at the tick that runs.
func (v *view) addImports(in map[uint64]dataflow.Delta) error {
	for _, x := range v.imports {
		if x.shared.failed != nil {
			return x.shared.failed
		}
		in[x.number] = x.shared.arr.Delta()
	}
	return nil
}

// sharedContents are what is kept of some arrangements at a time: only the newest content is. It runs in the loop.
func (c *Coordinator) sharedContents(at repr.Time, arranged []*lower.Arranged) []*dataflow.Content {
	out := make([]*dataflow.Content, len(arranged))
	for i, a := range arranged {
		if s := c.sharing.byName[a.Name()]; s != nil && s.failed == nil && at == c.oracle.complete {
			out[i] = s.arr.Content()
		}
	}
	return out
}

// contents are what the view's arrangements hold now. It runs in the loop, or where the arrangements are not shared yet.
func (v *view) contents() []*dataflow.Content {
	out := make([]*dataflow.Content, len(v.imports))
	for i, x := range v.imports {
		out[i] = x.shared.arr.Content()
	}
	return out
}

// between is the step of an imported arrangement over several ticks, in which its collection changed by delta.
func (c *Coordinator) between(ctx context.Context, x *imported, was, is *dataflow.Content, delta dataflow.Delta) (dataflow.Delta, *repr.Error) {
	changes := c.newShared(x.what)
	defer changes.arr.Close()
	if err := changes.arr.Step(ctx, delta); err != nil {
		return dataflow.Delta{}, asError(err)
	}
	return was.Until(is, changes.arr.Delta()), nil
}
