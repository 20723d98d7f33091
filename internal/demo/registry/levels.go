package registry

import (
	"slices"
	"strings"
)

const levelBackward = "BACKWARD"

// levels is what a new schema must do: read what was written with the latest version (backward), be read by it
// (forward), or both, and the same for all versions (all).
var levels = map[string]struct{ backward, forward, all bool }{
	"NONE":                {},
	levelBackward:         {backward: true},
	"BACKWARD_TRANSITIVE": {backward: true, all: true},
	"FORWARD":             {forward: true},
	"FORWARD_TRANSITIVE":  {forward: true, all: true},
	"FULL":                {backward: true, forward: true},
	"FULL_TRANSITIVE":     {backward: true, forward: true, all: true},
}

// incompatible says why a schema may not follow the given versions of a subject; empty when it may.
func (r *Registry) incompatible(s *subject, schema string, earlier []version) []string {
	name := s.level
	if name == "" {
		name = r.level
	}
	level := levels[name]
	if !level.all && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	var faults []string
	for _, v := range slices.Backward(earlier) {
		if level.backward {
			faults = append(faults, unreadable(schema, r.schemas[v.id])...)
		}
		if level.forward {
			faults = append(faults, unreadable(r.schemas[v.id], schema)...)
		}
	}
	return faults
}

// check says why a schema may not follow one version of a subject, or with number "" those that its level asks of.
// A subject without versions takes every schema.
func (r *Registry) check(name, number, schema string) ([]string, error) {
	schema, err := normalize(schema)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, shown, err := r.find(name, false)
	if err != nil && number != "" && number != "latest" {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	if number == "" {
		return r.incompatible(s, schema, shown), nil
	}
	v, err := pick(shown, number)
	if err != nil {
		return nil, err
	}
	return r.incompatible(s, schema, []version{v}), nil
}

// levelOf is the level of a subject, or the registry's when the name is empty.
func (r *Registry) levelOf(name string, orGlobal bool) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" {
		return r.level, nil
	}
	if s := r.subjects[name]; s != nil && s.level != "" {
		return s.level, nil
	}
	if orGlobal {
		return r.level, nil
	}
	return "", refusal(codeSubjectNotConfigured, "Subject '%s' does not have subject-level compatibility configured", name)
}

// setLevel sets the level of a subject, which need not exist yet, or the registry's when the name is empty.
func (r *Registry) setLevel(name, level string) (string, error) {
	level = strings.ToUpper(level)
	if _, ok := levels[level]; !ok {
		return "", refusal(codeInvalidLevel, "Invalid compatibility level. Valid values are none, backward, forward, full, "+
			"backward_transitive, forward_transitive, and full_transitive")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" {
		r.level = level
		return level, nil
	}
	s := r.subjects[name]
	if s == nil {
		s = &subject{}
		r.subjects[name] = s
	}
	s.level = level
	return level, nil
}

// unsetLevel takes the level of a subject away and returns what it was.
func (r *Registry) unsetLevel(name string) (string, error) {
	was, err := r.levelOf(name, false)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subjects[name].level = ""
	return was, nil
}
