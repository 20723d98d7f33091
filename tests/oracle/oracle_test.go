package oracle

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/expr"
	"millrace/sql/lower"
	"millrace/sql/opt"
	"millrace/sql/rel"
)

// history is a random sequence of changes to the tables of the tests.
type history struct {
	*rand.Rand
	tables map[uint64][]counted
	grows  map[uint64]bool // of a table: no row is ever taken back
}

func (h *history) value(c repr.Column) repr.Datum {
	if !c.NotNull && h.IntN(5) == 0 {
		return repr.Null
	}
	if c.Type.Kind == repr.KindNumeric {
		n := int64(h.IntN(3))
		if h.IntN(2) == 0 {
			return repr.Numeric(n*10, 1)
		}
		return repr.Numeric(n, 0)
	}
	return repr.Int8(int64(h.IntN(4)))
}

// step changes the tables and gives the deltas.
func (h *history) step() map[uint64]dataflow.Delta {
	in := map[uint64]dataflow.Delta{}
	for _, t := range tables {
		b := arrangement.NewBuilder()
		var rows []counted
		for _, c := range h.tables[t.ID] {
			if h.IntN(4) == 0 && !h.grows[t.ID] {
				b.Add(repr.AppendRow(nil, c.row), -c.n)
				continue
			}
			rows = append(rows, c)
		}
		for range h.IntN(4) {
			row := make([]repr.Datum, len(t.Cols))
			for i, c := range t.Cols {
				row[i] = h.value(c)
			}
			c := counted{row, repr.Diff(1 + h.IntN(2))}
			if len(t.Keys) > 0 {
				c.n = 1
				if h.taken(rows, row[t.Keys[0][0]]) {
					continue
				}
			}
			b.Add(repr.AppendRow(nil, row), c.n)
			rows = append(rows, c)
		}
		h.tables[t.ID] = rows
		in[t.ID] = dataflow.Delta{OK: b.Seal()}
	}
	return in
}

// taken says whether a row has the key already.
func (h *history) taken(rows []counted, key repr.Datum) bool {
	return slices.ContainsFunc(rows, func(c counted) bool { return repr.Compare(c.row[0], key) == 0 })
}

// content is a collection as canonical row and count.
type content map[string]repr.Diff

func contentOf(rows []counted) content {
	out := content{}
	for _, c := range rows {
		out.add(c.row, c.n)
	}
	return out
}

func (c content) add(row []repr.Datum, n repr.Diff) {
	k := canonical(row)
	if c[k] += n; c[k] == 0 {
		delete(c, k)
	}
}

func (c content) String() string {
	var lines []string
	for k, n := range c {
		cells := []string{}
		for _, d := range repr.DecodeRow(nil, []byte(k)) {
			cells = append(cells, cell(d))
		}
		lines = append(lines, fmt.Sprintf("%+d (%s)", n, strings.Join(cells, ", ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func cell(d repr.Datum) string {
	switch d.Kind() {
	case repr.KindNull:
		return "NULL"
	case repr.KindNumeric:
		return string(repr.AppendNumericText(nil, d))
	case repr.KindBool:
		return fmt.Sprint(d.Bool())
	}
	return fmt.Sprint(d.Int())
}

// running is a graph in progress and the sum of its output.
type running struct {
	name  string
	flow  *dataflow.Dataflow
	grows bool // it is said of the plan that its rows only come
	ok    content
	errs  map[string]repr.Diff // by SQLSTATE
}

// tooMany says whether nothing failed but subqueries with more than one row. An uncorrelated one is run even where
// the interpreter finds no row that asks for it, so it may fail alone.
func (r *running) tooMany() bool { return len(r.errs) == 1 && r.errs["21000"] != 0 }

func start(name string, g *dataflow.Graph, workers int) *running {
	return &running{name: name, flow: dataflow.New(g, dataflow.Options{Workers: workers}), ok: content{},
		errs: map[string]repr.Diff{}}
}

func (r *running) step(t *testing.T, at repr.Time, in map[uint64]dataflow.Delta) {
	t.Helper()
	out, err := r.flow.Step(context.Background(), at, in)
	if err != nil {
		t.Fatalf("%s: step %d: %v", r.name, at, err)
	}
	for i := range out.OK.Len() {
		r.ok.add(repr.DecodeRow(nil, out.OK.Row(i)), out.OK.Diff(i))
		if r.grows && out.OK.Diff(i) < 0 {
			t.Fatalf("%s: step %d takes back a row of a plan of which it is said that rows only come", r.name, at)
		}
	}
	for i := range out.Err.Len() {
		e, _ := dataflow.DecodeErr(out.Err.Row(i))
		if r.errs[e.Code] += out.Err.Diff(i); r.errs[e.Code] == 0 {
			delete(r.errs, e.Code)
		}
	}
}

// TestOracle holds the dataflow of random plans to recomputation after every step of random histories: the plan as
// decorrelated, and as optimised; and the plan after every rule to the plan before.
func TestOracle(t *testing.T) {
	t.Parallel()
	plans := 1500
	if testing.Short() {
		plans = 300
	}
	for seed := range uint64(plans) {
		oracle(t, seed, false)
		if t.Failed() {
			return
		}
	}
}

// TestOracleWithTime is TestOracle for plans with conditions on time, whose clock goes on with and without changes. The
// conditions stand in every place of a plan; those that a maintained view can't have are refused.
func TestOracleWithTime(t *testing.T) {
	t.Parallel()
	plans, kept := 500, 0
	if testing.Short() {
		plans = 150
	}
	for seed := range uint64(plans) {
		if oracle(t, seed, true) {
			kept++
		}
		if t.Failed() {
			return
		}
	}
	if kept < plans/2 {
		t.Errorf("%d of %d plans were kept up", kept, plans)
	}
}

// oracle runs one random plan. It says whether the plan can be maintained.
func oracle(t *testing.T, seed uint64, timed bool) bool {
	t.Helper()
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), budget: 14, timed: timed}
	return oracleOf(t, seed, g.plan(3, nil), timed, nil)
}

// TestOracleOfRecursion is TestOracle for plans that are a recursion.
func TestOracleOfRecursion(t *testing.T) {
	t.Parallel()
	plans := 400
	if testing.Short() {
		plans = 100
	}
	for seed := range uint64(plans) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 3)), budget: 14}
		oracleOf(t, seed, g.recursion(3, nil), false, nil)
		if t.Failed() {
			return
		}
	}
}

func oracleOf(t *testing.T, seed uint64, plan rel.Rel, timed bool, grows map[uint64]bool) bool {
	t.Helper()
	if len(plan.Columns()) > 40 {
		return false
	}
	stages := stagesOf(t, plan)
	runs := runsOf(t, stages, 1+int(seed%2))
	h := &history{Rand: rand.New(rand.NewPCG(seed, 2)), tables: map[uint64][]counted{}, grows: grows}
	for at := range repr.Time(5) {
		var deltas map[uint64]dataflow.Delta
		if !timed || at%3 != 2 {
			deltas = h.step()
		}
		for _, r := range runs {
			r.step(t, at, deltas)
		}
		in := &interpreter{t: t, tables: h.tables, at: at}
		rows, err := in.run(plan)
		if err != nil {
			continue // what stands in the output beside an error means nothing
		}
		want := contentOf(rows)
		holdFacts(t, seed, plan, rows)
		for _, s := range stages[1:] {
			rows, err := in.run(s.plan)
			if err != nil && err.Code == "21000" {
				continue
			}
			holdFacts(t, seed, s.plan, rows)
			if got := contentOf(rows); err != nil || !maps.Equal(got, want) {
				t.Fatalf("seed %d at %d: plan after %s gives (error %v)\n%s\nwant\n%s\nplan\n%s\nafter\n%s",
					seed, at, s.name, err, got, want, rel.Format(plan), rel.Format(s.plan))
			}
		}
		for _, r := range runs {
			if r.tooMany() {
				continue
			}
			if len(r.errs) > 0 || !maps.Equal(r.ok, want) {
				t.Fatalf("seed %d at %d: dataflow of the %s plan gives (errors %v)\n%s\nwant\n%s\nplan\n%s\noptimized\n%s",
					seed, at, r.name, r.errs, r.ok, want, rel.Format(plan), rel.Format(stages[len(stages)-1].plan))
			}
		}
	}
	return len(runs) > 0
}

// runsOf are the dataflows of a plan: as decorrelated, and as optimised with joins of every form. One with a condition
// on time that can't be kept up is left out.
func runsOf(t *testing.T, stages []stage, workers int) []*running {
	t.Helper()
	var runs []*running
	run := func(name string, plan rel.Rel, opts lower.Options, workers int) {
		if err := opt.CheckTemporal(plan); err == nil {
			r := start(name, lowered(t, plan, opts), workers)
			r.grows = rel.FactsOf(plan).Grows(plan)
			runs = append(runs, r)
		}
	}
	split := opt.Final[slices.IndexFunc(opt.Final, func(r opt.Rule) bool { return r.Name == "split-temporal" })]
	run("decorrelated", split.Apply(nil, stages[1].plan), lower.Options{}, 1)
	last := stages[len(stages)-1].plan
	run("optimized", last, lower.Options{}, workers)
	delta := lower.FormatNodes(lowered(t, last, lower.Options{Joins: lower.DeltaJoins}))
	if binary := lower.FormatNodes(lowered(t, last, lower.Options{Joins: lower.BinaryJoins})); delta != binary {
		run("delta joined", last, lower.Options{Joins: lower.DeltaJoins}, workers)
		run("binary joined", last, lower.Options{Joins: lower.BinaryJoins}, workers)
	}
	if keeps := lower.FormatNodes(lowered(t, last, lower.Options{NoWinners: true})); keeps != lower.FormatNodes(lowered(t, last, lower.Options{})) {
		run("keeping all candidates", last, lower.Options{NoWinners: true}, workers)
	}
	all := lower.Options{Joins: lower.BinaryJoins, NoRanges: true}
	if lower.FormatNodes(lowered(t, last, all)) != lower.FormatNodes(lowered(t, last, lower.Options{Joins: lower.BinaryJoins})) {
		run("joined by pairs", last, all, workers)
	}
	return runs
}

// holdFacts holds what is said of a plan, whatever its inputs hold, to rows that it gave.
func holdFacts(t *testing.T, seed uint64, plan rel.Rel, rows []counted) {
	t.Helper()
	facts := rel.FactsOf(plan)
	merged := contentOf(rows)
	for _, key := range facts.Keys(plan) {
		seen := content{}
		for packed, n := range merged {
			row := repr.DecodeRow(nil, []byte(packed))
			part := []repr.Datum{}
			key.All(func(c int) { part = append(part, row[c]) })
			k := canonical(part)
			if seen[k] += n; seen[k] > 1 {
				t.Fatalf("seed %d: columns %v are said to be unique in\n%s\nthe rows are\n%s", seed, key.List(), rel.Format(plan), merged)
			}
		}
	}
	facts.NotNull(plan).All(func(c int) {
		for _, r := range rows {
			if r.n != 0 && r.row[c].IsNull() {
				t.Fatalf("seed %d: column %d is said to be never NULL in\n%s\nthe rows are\n%s", seed, c, rel.Format(plan), merged)
			}
		}
	})
}

// stage is a plan on its way.
type stage struct {
	name string
	plan rel.Rel
}

// stagesOf are the plan as given, decorrelated, after every rule of two rounds, and optimised, with one rule left out
// and with all.
func stagesOf(t *testing.T, plan rel.Rel) []stage {
	t.Helper()
	decorrelated, err := opt.Decorrelate(plan)
	if err != nil {
		t.Fatalf("decorrelate: %v\n%s", err, rel.Format(plan))
	}
	out := []stage{{"nothing", plan}, {"decorrelation", decorrelated}}
	c := &opt.Context{Env: &expr.Env{}}
	r := decorrelated
	for round := range 2 {
		for _, rule := range opt.Rules {
			r = rule.Apply(c, r)
			out = append(out, stage{fmt.Sprintf("%s, round %d", rule.Name, round), r})
		}
	}
	rules := slices.Concat(opt.Rules, opt.Final)
	without := &opt.Context{Env: &expr.Env{}, Without: rules[len(rel.Fingerprint(plan))%len(rules)].Name}
	out = append(out, stage{"optimization without " + without.Without, opt.Optimize(without, decorrelated)})
	return append(out, stage{"optimization", opt.Optimize(c, decorrelated)})
}

func lowered(t *testing.T, r rel.Rel, opts lower.Options) *dataflow.Graph {
	t.Helper()
	p, err := lower.PlanWith(r, &expr.Env{}, opts)
	if err != nil {
		t.Fatalf("lower: %v\n%s", err, rel.Format(r))
	}
	return p.Graph
}

// TestCompileIsDeterministic compiles plans twice: every stage prints the same.
func TestCompileIsDeterministic(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		var text [2]string
		for i := range text {
			g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), budget: 14}
			c, err := sql.Compile(&expr.Env{}, g.plan(3, nil))
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for s := sql.StageRaw; s <= sql.StageDataflow; s++ {
				text[i] += c.Explain(s)
			}
		}
		if text[0] != text[1] {
			t.Fatalf("seed %d: compiled twice, printed differently", seed)
		}
	}
}
