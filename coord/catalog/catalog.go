package catalog

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"millrace/repr"
	"millrace/sql/ast"
)

// Kind is the kind of an object.
type Kind uint8

// The kinds of objects.
const (
	Table Kind = iota
	Source
	View
	MaterializedView
	Index
	Sink
	Connection
	Secret
	Subscription
	System // a table of pg_catalog, information_schema or mz_catalog
)

// kindNames are the words for people, by Kind.
var kindNames = [...]string{
	Table: "table", Source: "source", View: "view", MaterializedView: "materialized view", Index: "index",
	Sink: "sink", Connection: "connection", Secret: "secret", Subscription: "subscription",
	System: "system table",
}

// String is the word for people.
func (k Kind) String() string { return kindNames[k] }

// KindNamed is the kind that String calls by a name.
func KindNamed(name string) (Kind, bool) {
	i := slices.Index(kindNames[:], name)
	return Kind(max(i, 0)), i >= 0
}

// IsRelation says whether a query can read an object of the kind.
func (k Kind) IsRelation() bool {
	switch k {
	case Table, Source, View, MaterializedView, System:
		return true
	default:
		return false
	}
}

// Item is one object. It is immutable once it is in a Snapshot.
type Item struct {
	ID        uint64
	OID       uint32
	Schema    string
	Name      string
	Kind      Kind
	Desc      repr.RowDesc // of a relation
	Stored    repr.RowDesc // the columns of its rows as they are kept, where these are not Desc: see plan.Item
	Added     []uint64     // of its last columns, which were added: from which number of Sees on each is seen
	Sees      uint64       // of a view: how many numbers were taken when its query was bound
	Keys      [][]int      // sets of columns known to be unique
	Grows     bool         // rows are only added, none is ever taken back; it was so when it was made, and stays so
	CreateSQL string       // the statement that makes it, normalised, without secrets
	Statement string       // the same with its secrets: it is for making the object again, never to be shown
	Query     *ast.Query   // of a view or materialized view
	QueryText string       // the text of Query
	System    string       // of a source or sink: the kind of system that it reads or writes, in lower case
	Path      []string     // the search path it was created under
	Depends   []uint64     // the objects that it needs
	From      uint64       // of a table that a source feeds: the source
	On        uint64       // of an index, sink, subscription or <x>_errors: the relation
	IndexCols []int        // of an index: key columns of the relation
	Hidden    bool         // a part of another object, such as <source>_errors
	Since     repr.Time    // of a relation that is kept: it was made then, and cannot be read at earlier times; of a sink: it writes that relation since then
	Comments  map[int]string
	Columns   []ColumnDef   // of a table
	Def       any           // of a source, sink, connection or secret: what the coordinator keeps of it
	Retain    time.Duration // how much of its history is kept; 0: as much as the server keeps of any
	Lenient   bool          // of a materialized view: reads leave out the rows that have an error
	Failed    *repr.Error   // why it could not be made again when the server started: then only its name and statement are known
}

// ColumnDef is what a table says of a column besides its type.
type ColumnDef struct {
	Default ast.Expr // nil: NULL
}

// Layout are the columns of the rows of a relation as they are kept.
func (i *Item) Layout() repr.RowDesc {
	if i.Stored != nil {
		return i.Stored
	}
	return i.Desc
}

// Widen makes a relation one whose rows are kept with what no column has behind the columns, and of which some members are columns.
func (i *Item) Widen(stored, members repr.RowDesc) {
	i.Stored = stored
	i.Desc = append(stored[:len(stored)-1:len(stored)-1], members...)
}

// FullName is schema and name as errors and notices show them.
func (i *Item) FullName() string {
	if i.Schema == DefaultSchema {
		return i.Name
	}
	return i.Schema + "." + i.Name
}

// The names that every server starts with.
const (
	DefaultDatabase = "materialize"
	DefaultSchema   = "public"
	DefaultUser     = "materialize"
)

// SystemSchemas exist from the start and hold the system tables. They are searched before the search path.
var SystemSchemas = []string{"pg_catalog", "information_schema", "mz_catalog", "mz_internal"}

// A name without a schema is looked up in these schemas before the search path, and in those after it. What is found
// in the latter only is not "visible" to the catalog functions, so that \dt lists what users made.
var (
	searchedFirst = []string{"pg_catalog"}
	searchedLast  = []string{"mz_catalog", "mz_internal"}
)

type key struct{ schema, name string }

// Snapshot is the catalog at one moment.
type Snapshot struct {
	schemas map[string]uint32 // name to oid
	items   map[uint64]*Item
	names   map[key]*Item // relations, indexes and sinks share one name space, as in PostgreSQL
	others  map[key]*Item // connections and secrets
	nextOID uint32
	nextID  uint64
}

// firstUserOID is the first oid of an object that a user made, as in PostgreSQL.
const firstUserOID = 16384

// New makes a catalog with the system schemas and the given system tables.
func New(system []*Item) *Snapshot {
	s := &Snapshot{
		schemas: map[string]uint32{"pg_catalog": 11, "information_schema": 12000, "mz_catalog": 12001,
			"mz_internal": 12002, DefaultSchema: 2200},
		items: map[uint64]*Item{}, names: map[key]*Item{}, others: map[key]*Item{},
		nextOID: firstUserOID, nextID: 1000,
	}
	for _, it := range system {
		s.items[it.ID] = it
		s.names[key{it.Schema, it.Name}] = it
	}
	return s
}

func (s *Snapshot) clone() *Snapshot {
	return &Snapshot{schemas: maps.Clone(s.schemas), items: maps.Clone(s.items), names: maps.Clone(s.names),
		others: maps.Clone(s.others), nextOID: s.nextOID, nextID: s.nextID}
}

func (s *Snapshot) space(k Kind) map[key]*Item {
	if k == Connection || k == Secret {
		return s.others
	}
	return s.names
}

// NextID is the number that the next object gets: it tells what was there when something was bound.
func (s *Snapshot) NextID() uint64 { return s.nextID }

// NextIDs reserves numbers for a new object: the snapshot returned remembers them.
func (s *Snapshot) NextIDs() (*Snapshot, uint64, uint32) {
	c := *s
	c.nextID++
	c.nextOID++
	return &c, s.nextID, s.nextOID
}

// With returns the catalog with the item added, or put in the place of the one with its ID.
func (s *Snapshot) With(it *Item) *Snapshot {
	c := s.clone()
	if old, ok := c.items[it.ID]; ok {
		delete(c.space(old.Kind), key{old.Schema, old.Name})
	}
	c.items[it.ID] = it
	c.space(it.Kind)[key{it.Schema, it.Name}] = it
	return c
}

// Without returns the catalog without an item.
func (s *Snapshot) Without(id uint64) *Snapshot {
	it, ok := s.items[id]
	if !ok {
		return s
	}
	c := s.clone()
	delete(c.items, id)
	delete(c.space(it.Kind), key{it.Schema, it.Name})
	return c
}

// WithSchema returns the catalog with a schema added.
func (s *Snapshot) WithSchema(name string) *Snapshot {
	c := s.clone()
	c.schemas[name] = c.nextOID
	c.nextOID++
	return c
}

// WithoutSchema returns the catalog without a schema.
func (s *Snapshot) WithoutSchema(name string) *Snapshot {
	c := s.clone()
	delete(c.schemas, name)
	return c
}

// HasSchema says whether a schema exists.
func (s *Snapshot) HasSchema(name string) bool { _, ok := s.schemas[name]; return ok }

// SchemaOID is the oid of a schema.
func (s *Snapshot) SchemaOID(name string) (uint32, bool) { oid, ok := s.schemas[name]; return oid, ok }

// Schemas are the names of all schemas, sorted.
func (s *Snapshot) Schemas() []string { return slices.Sorted(maps.Keys(s.schemas)) }

// Item finds an object by its number; nil when there is none.
func (s *Snapshot) Item(id uint64) *Item { return s.items[id] }

// ByOID finds an object by its oid; nil when there is none.
func (s *Snapshot) ByOID(oid uint32) *Item {
	for _, it := range s.items {
		if it.OID == oid {
			return it
		}
	}
	return nil
}

// Items are all objects in the order of their numbers, which is the order they were made in.
func (s *Snapshot) Items() []*Item {
	out := slices.Collect(maps.Values(s.items))
	slices.SortFunc(out, func(a, b *Item) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

// Find looks a relation, index or sink up by its possibly qualified name; nil when there is none.
func (s *Snapshot) Find(parts, path []string) *Item {
	return find(s.names, parts, slices.Concat(searchedFirst, path, searchedLast))
}

// FindVisible is Find for the catalog functions: without the schemas that are searched last.
func (s *Snapshot) FindVisible(parts, path []string) *Item {
	return find(s.names, parts, slices.Concat(searchedFirst, path))
}

// FindOther looks a connection or secret up.
func (s *Snapshot) FindOther(parts, path []string) *Item { return find(s.others, parts, path) }

func find(space map[key]*Item, parts, path []string) *Item {
	switch len(parts) {
	case 1:
		for _, schema := range path {
			if it, ok := space[key{schema, parts[0]}]; ok {
				return it
			}
		}
		return nil
	case 2:
		return space[key{parts[0], parts[1]}]
	case 3:
		if parts[0] != DefaultDatabase {
			return nil
		}
		return space[key{parts[1], parts[2]}]
	default:
		return nil
	}
}

// Target is the schema and name that a new object of that name gets.
func (s *Snapshot) Target(parts, path []string) (schema, name string, err *repr.Error) {
	name = parts[len(parts)-1]
	if len(parts) == 3 && parts[0] != DefaultDatabase {
		return "", "", repr.NewError("3D000", "database \""+parts[0]+"\" does not exist").
			WithHint("there is one database, \"" + DefaultDatabase + "\"; use schemas to keep things apart")
	}
	if len(parts) >= 2 {
		schema = parts[len(parts)-2]
	} else {
		for _, p := range path {
			if s.HasSchema(p) {
				schema = p
				break
			}
		}
		if schema == "" {
			return "", "", repr.NewError(repr.CodeInvalidSchemaName, "no schema has been selected to create in")
		}
	}
	if !s.HasSchema(schema) {
		return "", "", repr.NewError(repr.CodeInvalidSchemaName, "schema \""+schema+"\" does not exist")
	}
	if slices.Contains(SystemSchemas, schema) {
		return "", "", repr.NewError(repr.CodeInsufficientPrivilege, "permission denied for schema "+schema).
			WithDetail("system schemas cannot be changed")
	}
	return schema, name, nil
}

// Taken finds what already has a name.
func (s *Snapshot) Taken(schema, name string, k Kind) *Item { return s.space(k)[key{schema, name}] }

// Dependents are the objects that need id, directly or through others, in the order they were made in.
func (s *Snapshot) Dependents(id uint64) []*Item {
	need := map[uint64]bool{id: true}
	var out []*Item
	for _, it := range s.Items() {
		if need[it.ID] {
			continue
		}
		if need[it.On] || slices.ContainsFunc(it.Depends, func(d uint64) bool { return need[d] }) {
			need[it.ID] = true
			out = append(out, it)
		}
	}
	return out
}

// IndexesOn are the indexes of a relation, the oldest first.
func (s *Snapshot) IndexesOn(id uint64) []*Item {
	var out []*Item
	for _, it := range s.items {
		if it.Kind == Index && it.On == id {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b *Item) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Similar is the name of a relation in reach that differs little from name, for a hint; "" when there is none.
func (s *Snapshot) Similar(name string, path []string) string {
	for _, it := range s.Items() {
		if it.Kind.IsRelation() && slices.Contains(path, it.Schema) && it.Name != name &&
			(strings.EqualFold(it.Name, name) || within(it.Name, name)) {
			return it.Name
		}
	}
	return ""
}

// within says whether two names are one edit apart.
func within(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 3 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i+1 <= len(a) && a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}
