package avro

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/linkedin/goavro/v2"

	"millrace/repr"
)

const (
	maxSchemaBytes = 1 << 20
	maxSchemaDepth = 64
	maxSchemaNodes = 1 << 16
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindFixed
	kindEnum
	kindArray
	kindMap
	kindRecord
	kindUnion
)

var primitives = map[string]kind{
	"null": kindNull, "boolean": kindBool, "int": kindInt, "long": kindLong, "float": kindFloat,
	"double": kindDouble, "bytes": kindBytes, "string": kindString,
}

// node is a type of a schema. Types that are used by name are one node, so the graph is acyclic but shared.
type node struct {
	kind     kind
	form     form // what its values mean: see logical.go
	name     string
	fields   []field // of a record
	items    *node   // of an array or map
	branches []*node // of a union
	symbols  []string
	size     int // of a fixed
	scale    int32
	bits     int // length of a bit string
}

type field struct {
	name       string
	aliases    []string // the names that it had
	node       *node
	hasDefault bool
	def        any // the default as JSON, numbers as json.Number
}

// Schema is a parsed schema. It is immutable.
type Schema struct {
	root *node
	text string
	// timeIsInterval: the writer is a database whose TIME exceeds a day, so times become intervals.
	timeIsInterval bool
}

// Bounds that goavro keeps while it decodes: its own defaults let a record of eight bytes ask for gigabytes.
var boundGoavro = sync.OnceFunc(func() {
	goavro.MaxBlockCount = 1 << 16
	goavro.MaxBlockSize = 1 << 24
})

// Parse reads the JSON text of a schema.
func Parse(text string) (*Schema, error) {
	boundGoavro()
	if len(text) > maxSchemaBytes {
		return nil, badSchema("the schema is larger than %d bytes", maxSchemaBytes)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, badSchema("%v", err)
	}
	p := parser{named: map[string]*node{}, open: map[string]bool{}}
	root, err := p.parse(tree, "", 0)
	if err != nil {
		return nil, err
	}
	// Our parser comes first: it bounds depth and refuses recursion before goavro builds its codecs.
	if _, err := goavro.NewCodec(text); err != nil {
		return nil, badSchema("%v", err)
	}
	s := &Schema{root: root, text: text}
	if src, ok := s.Sub("source"); ok {
		s.timeIsInterval = strings.Contains(src.root.name, ".mysql.") || strings.Contains(src.root.name, ".mariadb.")
	}
	return s, nil
}

// Text is the JSON that the schema was parsed from; empty for a part of a schema.
func (s *Schema) Text() string { return s.text }

// Name is the full name of a record; empty when the schema is none.
func (s *Schema) Name() string { return s.root.name }

// IsRecord says whether the schema is a record, or a union of null and one.
func (s *Schema) IsRecord() bool { return s.root.strip().kind == kindRecord }

// Sub is the part of a record at a path of field names; unions with null are looked through.
func (s *Schema) Sub(path ...string) (*Schema, bool) {
	n := s.root.strip()
	for _, name := range path {
		f := n.field(name)
		if f == nil {
			return nil, false
		}
		n = f.node.strip()
	}
	return &Schema{root: n, timeIsInterval: s.timeIsInterval}, true
}

// strip looks through a union of null and one other type.
func (n *node) strip() *node {
	if n.kind == kindUnion {
		if one, _ := n.nullable(); one != nil {
			return one
		}
	}
	return n
}

// nullable is the one type of a union beside null, when there is just one, and the index of null or -1.
func (n *node) nullable() (one *node, null int) {
	null = -1
	count := 0
	for i, b := range n.branches {
		if b.kind == kindNull {
			null = i
			continue
		}
		one = b
		count++
	}
	if count != 1 {
		return nil, null
	}
	return one, null
}

func (n *node) field(name string) *field {
	for i := range n.fields {
		if n.fields[i].name == name {
			return &n.fields[i]
		}
	}
	return nil
}

type parser struct {
	named map[string]*node
	open  map[string]bool // named types that are being read: a use of one is a recursion
	nodes int
}

func (p *parser) parse(v any, namespace string, depth int) (*node, error) {
	p.nodes++
	if depth > maxSchemaDepth || p.nodes > maxSchemaNodes {
		return nil, badSchema("the schema is nested too deeply or too large")
	}
	switch v := v.(type) {
	case string:
		return p.reference(v, namespace)
	case []any:
		return p.union(v, namespace, depth)
	case map[string]any:
		return p.object(v, namespace, depth)
	default:
		return nil, badSchema("a type is %T, want a string, a list or an object", v)
	}
}

func (p *parser) reference(name, namespace string) (*node, error) {
	if k, ok := primitives[name]; ok {
		return &node{kind: k, form: plainForms[k]}, nil
	}
	for _, full := range []string{fullName(name, namespace), name} {
		if p.open[full] {
			return nil, repr.NewError(repr.CodeFeatureNotSupported, fmt.Sprintf("recursive Avro schema: type %q contains itself", full))
		}
		if n, ok := p.named[full]; ok {
			return n, nil
		}
	}
	return nil, badSchema("unknown type %q", name)
}

func (p *parser) union(branches []any, namespace string, depth int) (*node, error) {
	n := &node{kind: kindUnion, form: formComplex}
	for _, b := range branches {
		sub, err := p.parse(b, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		n.branches = append(n.branches, sub)
	}
	if len(n.branches) == 0 {
		return nil, badSchema("a union has no type")
	}
	return n, nil
}

func (p *parser) object(o map[string]any, namespace string, depth int) (*node, error) {
	name, isName := o["type"].(string)
	if !isName {
		return p.parse(o["type"], namespace, depth+1)
	}
	switch name {
	case "record", "error", "enum", "fixed":
		return p.define(name, o, namespace, depth)
	case "array", "map":
		key, k := "items", kindArray
		if name == "map" {
			key, k = "values", kindMap
		}
		items, err := p.parse(o[key], namespace, depth+1)
		if err != nil {
			return nil, err
		}
		return &node{kind: k, form: formComplex, items: items}, nil
	}
	n, err := p.reference(name, namespace)
	if err != nil {
		return nil, err
	}
	if _, plain := primitives[name]; plain {
		n.annotate(o)
	}
	return n, nil
}

func (p *parser) define(what string, o map[string]any, namespace string, depth int) (*node, error) {
	name, _ := o["name"].(string)
	if ns, ok := o["namespace"].(string); ok && !strings.Contains(name, ".") {
		namespace = ns
	}
	full := fullName(name, namespace)
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		namespace = full[:i]
	}
	n := &node{name: full}
	p.open[full] = true
	err := p.fill(n, what, o, namespace, depth)
	delete(p.open, full)
	if err != nil {
		return nil, err
	}
	n.annotate(o)
	p.named[full] = n
	return n, nil
}

func (p *parser) fill(n *node, what string, o map[string]any, namespace string, depth int) error {
	switch what {
	case "enum":
		n.kind, n.form = kindEnum, formEnum
		n.symbols = texts(o["symbols"])
		return nil
	case "fixed":
		n.kind, n.form = kindFixed, formFixed
		n.size = intOf(o["size"], -1)
		if n.size < 0 || n.size > maxSchemaBytes {
			return badSchema("fixed %q has size %v", n.name, o["size"])
		}
		return nil
	}
	n.kind, n.form = kindRecord, formComplex
	fields, _ := o["fields"].([]any)
	for _, f := range fields {
		m, _ := f.(map[string]any)
		name, _ := m["name"].(string)
		sub, err := p.parse(m["type"], namespace, depth+1)
		if err != nil {
			return err
		}
		def, has := m["default"]
		n.fields = append(n.fields, field{name: name, aliases: texts(m["aliases"]), node: sub, hasDefault: has, def: def})
	}
	return nil
}

// texts are the strings of a list.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, one := range list {
		if text, ok := one.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

// intOf reads a number, or a number in a string as Kafka Connect writes its parameters.
func intOf(v any, other int) int {
	var n int
	switch v := v.(type) {
	case json.Number:
		if _, err := fmt.Sscanf(v.String(), "%d", &n); err == nil {
			return n
		}
	case string:
		if _, err := fmt.Sscanf(v, "%d", &n); err == nil {
			return n
		}
	}
	return other
}

func badSchema(format string, args ...any) *repr.Error {
	return repr.NewError(repr.CodeInvalidParameter, "invalid Avro schema: "+fmt.Sprintf(format, args...))
}
