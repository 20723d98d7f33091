package sql

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/lower"
	"millrace/sql/opt"
	"millrace/sql/rel"
)

// Stage is a stage of the pipeline, for EXPLAIN.
type Stage uint8

// The stages.
const (
	StageRaw          Stage = iota // as bound
	StageDecorrelated              // without subqueries and Apply
	StageOptimized                 // rewritten to rest
	StagePhysical                  // the operators as a tree
	StageDataflow                  // the nodes of the graph
)

// Compiled is a query at every stage.
type Compiled struct {
	Raw, Decorrelated, Optimized rel.Rel
	Graph                        *lower.Graph
	Inputs                       []uint64          // the collections that the graph reads, sorted
	Arranged                     []*lower.Arranged // the arrangements of the graph that others may share
}

// Compile takes a plan through all stages. The plan holds no parameter any more. The environment is that of the
// statement; a maintained view has an empty one.
func Compile(env *expr.Env, r rel.Rel) (*Compiled, *repr.Error) {
	return CompileWith(env, r, lower.Options{})
}

// CompileWith is Compile with choices for the last stage.
func CompileWith(env *expr.Env, r rel.Rel, opts lower.Options) (*Compiled, *repr.Error) {
	c, err := Optimize(env, r)
	if err != nil {
		return nil, err
	}
	return c, c.Lower(env, c.Optimized, opts)
}

// Optimize takes a plan through all stages but the last.
func Optimize(env *expr.Env, r rel.Rel) (*Compiled, *repr.Error) {
	c := &Compiled{Raw: r}
	var err *repr.Error
	if c.Decorrelated, err = opt.Decorrelate(c.Raw); err != nil {
		return nil, err
	}
	c.Optimized = opt.Optimize(&opt.Context{Env: env, Fold: expr.Immutable}, c.Decorrelated)
	return c, opt.CheckTemporal(c.Optimized)
}

// Lower is the last stage: of the optimised plan, or of one that reads parts of it from where they are kept.
func (c *Compiled) Lower(env *expr.Env, from rel.Rel, opts lower.Options) *repr.Error {
	planned, err := lower.PlanWith(from, env, opts)
	if err != nil {
		return err
	}
	c.Graph, c.Inputs, c.Arranged = planned.Graph, planned.Inputs, planned.Arranged
	return nil
}

// Explain prints a stage.
func (c *Compiled) Explain(s Stage) string {
	switch s {
	case StageRaw:
		return rel.Format(c.Raw)
	case StageDecorrelated:
		return rel.Format(c.Decorrelated)
	case StagePhysical:
		return lower.FormatTree(c.Graph)
	case StageDataflow:
		return lower.FormatNodes(c.Graph)
	default:
		return rel.Format(c.Optimized)
	}
}

// Passthrough says which collection the query gives as it is, if it does.
func (c *Compiled) Passthrough() (uint64, bool) {
	return lower.Passthrough(c.Graph)
}

// Keys are the sets of columns by which no two rows of the query are equal, NULLs counted as equal to each other.
func (c *Compiled) Keys() [][]int {
	var out [][]int
	for _, k := range rel.FactsOf(c.Optimized).Keys(c.Optimized) {
		out = append(out, k.List())
	}
	return out
}

// Grows says whether rows of the query only ever come.
func (c *Compiled) Grows() bool { return rel.FactsOf(c.Optimized).Grows(c.Optimized) }

// Lookups says, for each collection that the query reads, what each use of it asks of its columns.
func (c *Compiled) Lookups() map[uint64][]opt.Lookup { return opt.Lookups(c.Optimized) }
