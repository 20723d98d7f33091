package kafka

import (
	"slices"

	"millrace/sources"
)

// noteExtra tells, once each, of the fields of rows that no column has: the table upstream, or who writes the records, has new ones.
func (r *reader) noteExtra() {
	e, ok := r.seen.env.(interface{ Extra() []string })
	if !ok {
		return
	}
	names := e.Extra()
	if r.rest == nil {
		for _, name := range names {
			r.cfg.Log.Warn("a field of the topic is not read, as the source has no column for it; drop the source and create it again to read it",
				"topic", r.cfg.Topic, "field", name)
		}
		return
	}
	if added := r.takeWidened(); len(added) > 0 {
		r.rest.Add(added)
		names = slices.DeleteFunc(names, func(name string) bool { return added.Index(name) >= 0 })
		r.extra = slices.DeleteFunc(r.extra, func(name string) bool { return added.Index(name) >= 0 })
		r.reportExtra()
	}
	if len(names) > 0 {
		r.extra = append(r.extra, names...)
		r.reportExtra()
	}
}

// reportExtra says in the state of the source which fields no column has.
func (r *reader) reportExtra() {
	if r.state.Status == statusRunning {
		r.report(sources.State{Status: statusRunning, Error: r.state.Error})
	}
}
