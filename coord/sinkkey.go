package coord

import (
	"slices"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sinks"
	"millrace/sql/ast"
)

// keyed is a sink into a place that has one row for each key.
type keyed interface{ uniqueBy() []int }

// sinkKey are the columns that a CREATE SINK names as its key.
func sinkKey(st *ast.CreateSink, from *catalog.Item) ([]int, *repr.Error) {
	var key []int
	for _, k := range st.Key {
		i := from.Desc.Index(k.Name)
		if i < 0 {
			return nil, repr.NewError(repr.CodeUndefinedColumn, "column \""+k.Name+"\" of \""+from.Name+"\" does not exist").At(k.Pos)
		}
		if slices.Contains(key, i) {
			return nil, repr.NewError(repr.CodeDuplicateColumn, "column \""+k.Name+"\" appears twice in the key of the sink").At(k.Pos)
		}
		key = append(key, i)
	}
	return key, nil
}

// proveKey refuses ENVELOPE NONE of what may take rows back, and a key by which two rows could be equal, unless the statement says NOT ENFORCED. The dialect of 2021 had no such words:
// there it is a warning.
func (s *Session) proveKey(st *ast.CreateSink, from *catalog.Item, spec sinkSpec) *repr.Error {
	if k, ok := spec.(*kafkaSink); ok {
		if err := k.provenAppend(st, from); err != nil {
			return err
		}
	}
	k, ok := spec.(keyed)
	if !ok || st.NotEnforced {
		return nil
	}
	key := k.uniqueBy()
	if key == nil || slices.ContainsFunc(from.Keys, func(known []int) bool {
		return !slices.ContainsFunc(known, func(c int) bool { return !slices.Contains(key, c) })
	}) {
		return nil
	}
	names := make([]string, len(key))
	for i, c := range key {
		names[i] = from.Desc[c].Name
	}
	message := "the key (" + strings.Join(names, ", ") + ") of the sink cannot be proven to be unique in \"" + from.Name + "\""
	const hint = "GROUP BY or DISTINCT ON these columns makes it so; where you know that it is, write KEY (…) NOT ENFORCED: of two rows of one key one would be lost"
	if st.Into.Broker != "" {
		s.notice(Notice{Severity: "WARNING", Code: "MR006", Message: message, Hint: hint})
		return nil
	}
	return repr.NewError(repr.CodeInvalidColumnReference, message).WithHint(hint).At(st.Key[0].Pos)
}

// runOptions say how a sink of the sinks package's Runner runs.
func (c *Coordinator) runOptions() sinks.Options {
	o := sinks.Options{Log: c.opts.Log, Clock: c.opts.Clock}
	if me := c.identity; me.data != "" {
		o.Writer, o.Restored = me.run, me.restored
		o.Known = func(writer string) bool { return me.runs[writer] }
	}
	return o
}

// plainSink refuses the clauses that only sinks into messages have.
func plainSink(st *ast.CreateSink) *repr.Error {
	kind := " of a sink into " + st.Into.Kind.String()
	switch {
	case st.Encoding != (ast.Encoding{}):
		return unsupported("FORMAT"+kind, st.Pos)
	case st.Envelope != nil && st.Envelope.Kind != ast.EnvelopeUpsert:
		return unsupported("ENVELOPE "+st.Envelope.Kind.String()+kind, st.Envelope.Pos)
	case st.Headers != "" || st.AsOf != nil || st.Snapshot != nil:
		return unsupported("HEADERS, AS OF and WITH or WITHOUT SNAPSHOT"+kind, st.Pos)
	}
	for _, o := range st.Options {
		return unsupported("the option "+strings.ToUpper(o.Name)+kind, o.Pos)
	}
	return nil
}

// sinkTexts takes the options of the place that a sink writes to, all of which are strings but how often it commits.
func sinkTexts(st *ast.CreateSink, every *time.Duration, into map[string]*string) (err *repr.Error) {
	for i := range st.Into.Options {
		o := &st.Into.Options[i]
		if o.Name == optionCommitInterval {
			if *every, err = optionDuration(o); err != nil {
				return err
			}
			continue
		}
		to := into[o.Name]
		if to == nil {
			return unknownOption(o, " of a sink into "+st.Into.Kind.String(), append(namesIn(into), optionCommitInterval)...)
		}
		if o.Value.Kind != ast.OptionString {
			return repr.NewError(repr.CodeInvalidParameter, "the option "+strings.ToUpper(o.Name)+" wants a string in single quotes").At(o.Pos)
		}
		*to = o.Value.Text
	}
	return nil
}
