package dataflow

import (
	"fmt"

	"millrace/arrangement"
	"millrace/internal/budget"
	"millrace/repr"
)

// sealing is what sorting rows takes for a moment: their order twice, and a copy of them.
func sealing(rows, bytes int) int64 { return int64(bytes + 32*rows) }

// room says whether a batch can be sorted and taken into a state.
func (w *worker) room(b arrangement.Batch) bool {
	return w.flow.memory == nil || w.flow.memory.Room(sealing(b.Len(), b.Bytes()))
}

// hold notes what the worker's instance of a node holds as its state.
func (w *worker) hold(id NodeID, rows, bytes int64) {
	s := &w.flow.counters[id].shards[w.index]
	s.rows.Store(rows)
	w.flow.memory.Take(bytes - s.bytes.Swap(bytes))
}

// exceeded is the error of a dataflow that has taken more memory than it may; nil when it has not. largest says what took most.
func (d *Dataflow) exceeded(largest string) error {
	if d.memory.Excess() == nil {
		return nil
	}
	return OutOfMemory(d.memory, largest)
}

// OutOfMemory is the error of a budget that is exceeded.
func OutOfMemory(b *budget.Budget, largest string) *repr.Error {
	e := b.Excess()
	if e.Why != "" {
		return repr.NewError(repr.CodeOutOfMemory, "out of memory: "+e.Why).
			WithDetail(fmt.Sprintf("It needed %s when it was stopped, most of it for %s.", mebibytes(e.Held), largest)).
			WithHint("Try again when they have ended; one statement that needs much memory runs at a time.")
	}
	hint := "Read fewer rows, or try again when other statements have ended; the limit follows from --memory-limit."
	needed := e.Held
	if e.Name == StatementMemory {
		needed = max(needed, e.All) // its result, too
		hint = "Read fewer rows, by a filter or LIMIT, or keep the result as a materialized view. The limit is the setting query_memory."
	}
	return repr.NewError(repr.CodeOutOfMemory, fmt.Sprintf("out of memory: %s would hold more than %s", e.Name, mebibytes(e.Most))).
		WithDetail(fmt.Sprintf("It needed %s when it was stopped, most of it for %s.", mebibytes(needed), largest)).WithHint(hint)
}

// StatementMemory is the name of the budget of one statement.
const StatementMemory = "the statement"

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// largest names the node that holds most, its state and what it puts out.
func (d *Dataflow) largest() string {
	best, most := "its rows", int64(0)
	for i := range d.graph.Nodes {
		_, n := d.counters[i].held()
		for _, w := range d.workers {
			n += w.nodes[i].buffers()
		}
		if n > most {
			best, most = fmt.Sprintf("%s (%s)", d.graph.Nodes[i].Label, mebibytes(n)), n
		}
	}
	return best
}

// buffers is the memory of what a node packs and puts out.
func (x *node) buffers() int64 {
	n := x.out.Held() + x.keyed.Held()
	if x.flat != nil {
		n += x.flat.Held()
	}
	return n
}
