package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"millrace/internal/check"
)

// unreadable says why data written with one schema cannot be read with another, by the resolution rules of Avro;
// empty when it can. Both are valid schemas.
func unreadable(reader, writer string) []string {
	r := resolver{reader: names{}, writer: names{}, seen: map[[2]string]bool{}}
	rs, ws := parse(reader), parse(writer)
	r.reader.collect(rs, "")
	r.writer.collect(ws, "")
	r.resolve(place{schema: rs, path: "/"}, place{schema: ws})
	return r.faults
}

func parse(schema string) any {
	var v any
	err := json.Unmarshal([]byte(schema), &v)
	check.That(err == nil, "a registered schema is not JSON: %v", err)
	return v
}

// names are the named types of one schema by their full names.
type names map[string]map[string]any

func isNamed(kind string) bool {
	return kind == "record" || kind == "enum" || kind == "fixed" || kind == "error"
}

// collect finds the named types in v, which stands in a namespace.
func (n names) collect(v any, space string) {
	switch v := v.(type) {
	case []any:
		for _, branch := range v {
			n.collect(branch, space)
		}
	case map[string]any:
		if kind, _ := v["type"].(string); isNamed(kind) {
			full, inner := fullName(v, space)
			n[full], space = v, inner
			v["namespace"] = inner // so that names inside resolve wherever the type is met
		}
		for _, f := range fieldsOf(v) {
			n.collect(f["type"], space)
		}
		for _, key := range []string{"type", "items", "values"} {
			if _, plain := v[key].(string); !plain && v[key] != nil {
				n.collect(v[key], space)
			}
		}
	}
}

// fullName is the name of a named type and the namespace that holds inside it.
func fullName(v map[string]any, space string) (full, inner string) {
	name, _ := v["name"].(string)
	if at := strings.LastIndexByte(name, '.'); at >= 0 {
		return name, name[:at]
	}
	if own, ok := v["namespace"].(string); ok {
		space = own
	}
	if space == "" {
		return name, ""
	}
	return space + "." + name, space
}

func fieldsOf(v map[string]any) []map[string]any {
	list, _ := v["fields"].([]any)
	var out []map[string]any
	for _, f := range list {
		if m, ok := f.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// place is a schema within a schema: the namespace it stands in, and the way there.
type place struct {
	schema any
	space  string
	path   string
}

func (p place) at(schema any, step string) place {
	return place{schema: schema, space: p.space, path: p.path + step}
}

type resolver struct {
	reader, writer names
	seen           map[[2]string]bool // pairs of named types under way: types may contain themselves
	faults         []string
}

func (r *resolver) fault(at place, format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf("%s: ", at.path)+fmt.Sprintf(format, args...))
}

// lookUp follows names to what they stand for. The kind is the type's name, "union" for a union.
func (n names) lookUp(p place) (place, string) {
	for {
		switch v := p.schema.(type) {
		case []any:
			return p, "union"
		case map[string]any:
			kind, plain := v["type"].(string)
			switch {
			case !plain: // {"type": {…}} is what is inside
				p.schema = v["type"]
			case isNamed(kind):
				_, p.space = fullName(v, p.space)
				return p, kind
			case n.named(kind, p.space) != nil:
				p.schema = n.named(kind, p.space)
			default:
				return p, kind
			}
		case string:
			t := n.named(v, p.space)
			if t == nil {
				return p, v
			}
			p.schema = t
		default:
			return p, fmt.Sprint(v)
		}
	}
}

func (n names) named(name, space string) map[string]any {
	if !strings.Contains(name, ".") && space != "" {
		if t := n[space+"."+name]; t != nil {
			return t
		}
	}
	return n[name]
}

// promotions are the kinds that a writer's kind may be read as, besides its own.
var promotions = map[string][]string{
	"int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"},
	"string": {"bytes"}, "bytes": {"string"},
}

func (r *resolver) resolve(reader, writer place) {
	reader, rk := r.reader.lookUp(reader)
	writer, wk := r.writer.lookUp(writer)
	switch {
	case wk == "union":
		for _, branch := range writer.schema.([]any) {
			r.resolve(reader, writer.at(branch, ""))
		}
	case rk == "union":
		r.resolveUnion(reader, writer, wk)
	case rk != wk:
		if !slices.Contains(promotions[wk], rk) {
			r.fault(reader, "%s cannot be read as %s", wk, rk)
		}
	case isNamed(rk):
		r.resolveNamed(reader, writer, rk)
	case rk == "array":
		r.resolve(reader.at(member(reader, "items"), "items/"), writer.at(member(writer, "items"), ""))
	case rk == "map":
		r.resolve(reader.at(member(reader, "values"), "values/"), writer.at(member(writer, "values"), ""))
	}
}

func member(p place, key string) any { return p.schema.(map[string]any)[key] }

// resolveUnion wants one branch of the reader's union that reads what was written.
func (r *resolver) resolveUnion(reader, writer place, writerKind string) {
	for _, branch := range reader.schema.([]any) {
		trial := resolver{reader: r.reader, writer: r.writer, seen: r.seen}
		trial.resolve(reader.at(branch, ""), writer)
		if len(trial.faults) == 0 {
			return
		}
	}
	r.fault(reader, "no branch of the union reads %s", writerKind)
}

func (r *resolver) resolveNamed(reader, writer place, kind string) {
	rt, wt := reader.schema.(map[string]any), writer.schema.(map[string]any)
	rn, _ := fullName(rt, reader.space)
	wn, _ := fullName(wt, writer.space)
	if short(rn) != short(wn) && !aliased(rt, wn) {
		r.fault(reader, "%s %s cannot be read as %s", kind, wn, rn)
		return
	}
	switch kind {
	case "enum":
		r.resolveEnum(reader, rt, wt)
	case "fixed":
		if rt["size"] != wt["size"] {
			r.fault(reader, "the size of %s differs", rn)
		}
	default:
		pair := [2]string{rn, wn}
		if r.seen[pair] {
			return
		}
		r.seen[pair] = true
		r.resolveRecord(reader, writer)
		delete(r.seen, pair)
	}
}

func (r *resolver) resolveEnum(at place, reader, writer map[string]any) {
	if _, ok := reader["default"]; ok {
		return
	}
	known, _ := reader["symbols"].([]any)
	written, _ := writer["symbols"].([]any)
	for _, symbol := range written {
		if !slices.Contains(known, symbol) {
			r.fault(at, "enum has no symbol %v", symbol)
		}
	}
}

func (r *resolver) resolveRecord(reader, writer place) {
	written := map[string]map[string]any{}
	for _, f := range fieldsOf(writer.schema.(map[string]any)) {
		name, _ := f["name"].(string)
		written[name] = f
	}
	for _, f := range fieldsOf(reader.schema.(map[string]any)) {
		name, _ := f["name"].(string)
		w := written[name]
		for _, alias := range aliasesOf(f) {
			if w == nil {
				w = written[alias]
			}
		}
		if w != nil {
			r.resolve(reader.at(f["type"], name+"/"), writer.at(w["type"], ""))
			continue
		}
		if _, ok := f["default"]; !ok {
			r.fault(reader.at(nil, name), "the field is not in what was written and has no default")
		}
	}
}

func aliasesOf(v map[string]any) []string {
	list, _ := v["aliases"].([]any)
	var out []string
	for _, a := range list {
		if s, ok := a.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func aliased(reader map[string]any, name string) bool {
	return slices.ContainsFunc(aliasesOf(reader), func(a string) bool { return short(a) == short(name) })
}

func short(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
