package catalog

import (
	"cmp"
	"maps"
	"slices"
)

// Change is the difference of two catalogs, the form in which a catalog is made durable.
type Change struct {
	Set     []*Item // new ones, and those that are not as they were, in the order of their numbers
	Gone    []*Item
	Schemas bool // there are other schemas
}

// Empty says that nothing is different.
func (c *Change) Empty() bool { return len(c.Set) == 0 && len(c.Gone) == 0 && !c.Schemas }

// Since is what has changed since another catalog.
func (s *Snapshot) Since(old *Snapshot) *Change {
	c := &Change{Schemas: !maps.Equal(s.schemas, old.schemas)}
	for id, it := range s.items {
		if old.items[id] != it {
			c.Set = append(c.Set, it)
		}
	}
	for id, it := range old.items {
		if s.items[id] == nil {
			c.Gone = append(c.Gone, it)
		}
	}
	byID := func(a, b *Item) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortFunc(c.Set, byID)
	slices.SortFunc(c.Gone, byID)
	return c
}

// Frame is what a catalog holds beside its items.
type Frame struct {
	Schemas map[string]uint32 // the oids of the schemas that users made, and of public
	NextID  uint64
	NextOID uint32
}

// Frame is what the catalog holds beside its items.
func (s *Snapshot) Frame() Frame {
	f := Frame{Schemas: map[string]uint32{}, NextID: s.nextID, NextOID: s.nextOID}
	for name, oid := range s.schemas {
		if !slices.Contains(SystemSchemas, name) {
			f.Schemas[name] = oid
		}
	}
	return f
}

// Within returns the catalog with the schemas and numbers of a frame.
func (s *Snapshot) Within(f Frame) *Snapshot {
	c := s.clone()
	for name := range c.schemas {
		if !slices.Contains(SystemSchemas, name) {
			delete(c.schemas, name)
		}
	}
	maps.Copy(c.schemas, f.Schemas)
	c.nextID, c.nextOID = f.NextID, f.NextOID
	return c
}
