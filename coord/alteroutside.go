package coord

import (
	"context"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// alterConnection runs ALTER CONNECTION … SET (…) and RESET (…). The connection is tried as it will be, and what reads through it
// connects anew, without reading anything twice.
func (s *Session) alterConnection(ctx context.Context, st *ast.AlterOptions, it *catalog.Item) *repr.Error {
	parsed, e := parse.Parse(it.Statement)
	if e != nil {
		return asError(e)
	}
	made := parsed[0].Stmt.(*ast.CreateConnection)
	validate := validates(st.Options) && validates(st.With) // it may stand among what is set
	options := dropOptions(st.Options, func(name string) bool { return name == "validate" })
	made.Options = slices.DeleteFunc(slices.Clone(made.Options), func(old ast.Option) bool {
		return slices.ContainsFunc(options, func(o ast.Option) bool { return sameOption(old.Name, o.Name) })
	})
	if !st.Reset {
		made.Options = append(made.Options, options...)
	}
	spec, err := s.connectionOf(made)
	if err != nil {
		return err.At(st.Name.Pos)
	}
	altered := *it
	altered.CreateSQL, altered.Statement, altered.Def, altered.Depends = createText(withoutPassword(made)), ast.Format(made), spec, spec.secrets
	if validate {
		if err := s.tryAltered(ctx, &altered); err != nil {
			return err
		}
	}
	return s.replaceOutside(ctx, it, &altered)
}

// tryAltered tries a connection as it will be, and whether what the sources and sinks that use it need is there too.
func (s *Session) tryAltered(ctx context.Context, altered *catalog.Item) *repr.Error {
	spec := altered.Def.(*connectionSpec)
	if err := s.c.validateConnection(ctx, spec); err != nil {
		return err
	}
	s.noteReplication(ctx, spec)
	var users []*catalog.Item
	var failure *repr.Error
	err := s.c.do(ctx, func() { _, users, failure = s.c.remake(s.c.catalog.Load().With(altered), altered) })
	if err == nil {
		err = failure
	}
	if err != nil {
		return err
	}
	for _, it := range users {
		if err := s.c.tryUser(ctx, it); err != nil {
			e := *err
			e.Message = it.Kind.String() + " \"" + it.Name + "\" could not go on by this connection: " + e.Message
			return e.WithHint("ALTER CONNECTION … WITH (VALIDATE = false) changes it all the same")
		}
	}
	return nil
}

// tryUser tries whether what a source or sink needs is there.
func (c *Coordinator) tryUser(ctx context.Context, it *catalog.Item) *repr.Error {
	switch spec := it.Def.(type) {
	case sinkSpec:
		_, err := c.openSink(ctx, spec, it.ID)
		return err
	case sourceSpec:
		src, err := spec.connector(c)
		if err != nil {
			return err
		}
		if b, ok := src.(beginner); ok {
			b.Begun()
		}
		if _, _, err := src.Describe(ctx); err != nil {
			return asError(err)
		}
	}
	return nil
}

// beginner is a connector that is told where to begin, which counts no more once it has.
type beginner interface {
	Begun()
}

// sameOption says whether two names are of one option.
func sameOption(a, b string) bool {
	plain := func(name string) string {
		return strings.TrimSuffix(strings.ReplaceAll(name, "username", "user"), "s")
	}
	return plain(a) == plain(b)
}

// reconnector is a connector that can be told while it runs how to reach what it reads.
type reconnector interface {
	Reconnect(to broker.Options)
}

// replaceOutside puts a connection or secret in the place of what it was, makes again what depends on it, and has the sources and sinks
// that run connect by it.
func (s *Session) replaceOutside(ctx context.Context, old, altered *catalog.Item) *repr.Error {
	var remade []*catalog.Item
	err := s.changeCatalog(ctx, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		now := snap.Item(old.ID)
		if now == nil || now.Statement != old.Statement {
			return nil, repr.NewError(repr.CodeUndefinedObject, "\""+old.Name+"\" was changed meanwhile").WithHint("run the statement again")
		}
		altered.Name, altered.Comments = now.Name, now.Comments
		var err *repr.Error
		snap, remade, err = s.c.remake(snap.With(altered), altered)
		return snap, err
	})
	if err != nil {
		return err
	}
	return s.c.do(ctx, func() {
		for _, it := range remade {
			if it.Kind == catalog.Sink {
				s.c.reopenSink(it.ID)
				continue
			}
			s.c.reconnect(it)
		}
	})
}

// remake reads the statements of what depends on a connection or secret again, as these say now where it leads to. It gives the sources
// and sinks among them.
func (c *Coordinator) remake(snap *catalog.Snapshot, changed *catalog.Item) (*catalog.Snapshot, []*catalog.Item, *repr.Error) {
	was := c.catalog.Load()
	c.catalog.Store(snap) // what is read below looks names up in it
	defer c.catalog.Store(was)
	var remade []*catalog.Item
	for _, id := range dependentIDs(snap, changed.ID) {
		it := snap.Item(id)
		if it.Failed != nil || it.Hidden || it.Kind != catalog.Connection && it.Kind != catalog.Source && it.Kind != catalog.Sink {
			continue
		}
		again := *it
		if err := c.define(&again, noteOf(it)); err != nil {
			return nil, nil, err
		}
		if it.Kind != catalog.Connection {
			remade = append(remade, &again)
		}
		snap = snap.With(&again)
		c.catalog.Store(snap)
	}
	return snap, remade, nil
}

// dependentIDs are the objects that need one, also by way of others, each after what it needs.
func dependentIDs(snap *catalog.Snapshot, id uint64) []uint64 {
	var out []uint64
	for _, d := range snap.Dependents(id) {
		out = append(out, d.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reconnect has the connector of a source connect as its definition says now. It runs in the loop.
func (c *Coordinator) reconnect(it *catalog.Item) {
	r, spec := c.sources[it.ID], (*kafkaSource)(nil)
	if r != nil {
		r.letters = lettersIn(it)
		r.tellPolicy()
	}
	if from, ok := it.Def.(*postgresSource); ok && r != nil {
		c.reconnectPostgres(r, from)
	}
	if it.Def != nil {
		spec, _ = it.Def.(*kafkaSource)
	}
	if r == nil || spec == nil {
		return
	}
	to, err := c.brokerOptions(spec.broker)
	if again, ok := r.connector.(reconnector); ok && err == nil {
		again.Reconnect(to)
	}
}
