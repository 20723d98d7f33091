package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/linkedin/goavro/v2"
)

// Registry holds schemas and serves them. Its methods may be called from many goroutines.
type Registry struct {
	mux *http.ServeMux

	mu       sync.Mutex // guards all below
	ids      map[string]int
	schemas  map[int]string
	subjects map[string]*subject
	level    string // of subjects without a level of their own
}

// subject is a name with the versions of its schema, the oldest first.
type subject struct {
	versions []version
	last     int    // the highest number ever given, also to a version that is gone
	level    string // empty: the registry's
}

type version struct {
	number  int
	id      int
	deleted bool // softly: hidden, but still there
}

// entry is a version as it goes out.
type entry struct {
	Subject string `json:"subject"`
	ID      int    `json:"id"`
	Version int    `json:"version"`
	Schema  string `json:"schema"`
}

// New makes an empty registry with compatibility level BACKWARD.
func New() *Registry {
	r := &Registry{
		ids: map[string]int{}, schemas: map[int]string{}, subjects: map[string]*subject{}, level: levelBackward,
	}
	r.mux = r.routes()
	return r
}

// Register adds a schema to a subject, unless the subject has it, and returns its id. The error is an *Error.
func (r *Registry) Register(name, schema string) (int, error) {
	schema, err := normalize(schema)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.subjects[name]
	if s == nil {
		s = &subject{}
	}
	id, known := r.ids[schema]
	if known && slices.ContainsFunc(s.versions, func(v version) bool { return v.id == id && !v.deleted }) {
		return id, nil
	}
	if faults := r.incompatible(s, schema, s.live()); len(faults) > 0 {
		return 0, refusal(codeIncompatible, "Schema being registered is incompatible with an earlier schema for subject %q, details: %s",
			name, strings.Join(faults, "; "))
	}
	if !known {
		id = len(r.schemas) + 1
		r.ids[schema], r.schemas[id] = id, schema
	}
	s.last++
	s.versions = append(s.versions, version{number: s.last, id: id})
	r.subjects[name] = s
	return id, nil
}

// normalize checks a schema and takes the white space out, so that one schema is one text.
func normalize(schema string) (string, error) {
	if strings.TrimSpace(schema) == "" {
		return "", refusal(codeInvalidSchema, "Empty schema")
	}
	if _, err := goavro.NewCodec(schema); err != nil {
		return "", refusal(codeInvalidSchema, "Invalid schema: %v", err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(schema)); err != nil {
		return "", refusal(codeInvalidSchema, "Invalid schema: %v", err)
	}
	return b.String(), nil
}

// live are the versions that are not deleted.
func (s *subject) live() []version {
	return slices.DeleteFunc(slices.Clone(s.versions), func(v version) bool { return v.deleted })
}

// find looks a subject up that has a version to show.
func (r *Registry) find(name string, deleted bool) (*subject, []version, error) {
	s := r.subjects[name]
	if s == nil {
		return nil, nil, refusal(codeSubjectNotFound, "Subject '%s' not found.", name)
	}
	shown := s.versions
	if !deleted {
		shown = s.live()
	}
	if len(shown) == 0 {
		return nil, nil, refusal(codeSubjectNotFound, "Subject '%s' not found.", name)
	}
	return s, shown, nil
}

// names are the subjects in order.
func (r *Registry) names(prefix string, deleted bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(r.subjects)) {
		if _, _, err := r.find(name, deleted); err == nil && strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	return out
}

// numbers are the versions of a subject.
func (r *Registry) numbers(name string, deleted bool) ([]int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, shown, err := r.find(name, deleted)
	if err != nil {
		return nil, err
	}
	return numbersOf(shown), nil
}

func numbersOf(versions []version) []int {
	out := []int{}
	for _, v := range versions {
		out = append(out, v.number)
	}
	return out
}

// at is one version of a subject, by number or "latest".
func (r *Registry) at(name, number string, deleted bool) (entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, shown, err := r.find(name, deleted)
	if err != nil {
		return entry{}, err
	}
	v, err := pick(shown, number)
	if err != nil {
		return entry{}, err
	}
	return r.entry(name, v), nil
}

func (r *Registry) entry(name string, v version) entry {
	return entry{Subject: name, ID: v.id, Version: v.number, Schema: r.schemas[v.id]}
}

func pick(shown []version, number string) (version, error) {
	if number == "latest" || number == "-1" {
		return shown[len(shown)-1], nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return version{}, refusal(codeInvalidVersion,
			"The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", number)
	}
	for _, v := range shown {
		if v.number == n {
			return v, nil
		}
	}
	return version{}, refusal(codeVersionNotFound, "Version %d not found.", n)
}

// lookup finds the version of a subject that has the schema.
func (r *Registry) lookup(name, schema string, deleted bool) (entry, error) {
	schema, invalid := normalize(schema)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, shown, err := r.find(name, deleted)
	if err != nil {
		return entry{}, err
	}
	if invalid != nil {
		return entry{}, invalid
	}
	for _, v := range slices.Backward(shown) {
		if r.schemas[v.id] == schema {
			return r.entry(name, v), nil
		}
	}
	return entry{}, refusal(codeSchemaNotFound, "Schema not found")
}

// byID is the schema with an id.
func (r *Registry) byID(text string) (int, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, err := strconv.Atoi(text)
	schema, ok := r.schemas[id]
	if err != nil || !ok {
		return 0, "", refusal(codeSchemaNotFound, "Schema %s not found", text)
	}
	return id, schema, nil
}

// uses are the versions that have the schema with an id, in the order of their subjects.
func (r *Registry) uses(id int, deleted bool) []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []entry{}
	for _, name := range slices.Sorted(maps.Keys(r.subjects)) {
		_, shown, err := r.find(name, deleted)
		if err != nil {
			continue
		}
		for _, v := range shown {
			if v.id == id {
				out = append(out, r.entry(name, v))
			}
		}
	}
	return out
}

// removeSubject deletes a subject: softly first, and for good when it is softly deleted. It returns its versions.
func (r *Registry) removeSubject(name string, permanent bool) ([]int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.subjects[name]
	if s == nil || len(s.versions) == 0 {
		return nil, refusal(codeSubjectNotFound, "Subject '%s' not found.", name)
	}
	live := s.live()
	switch {
	case permanent && len(live) > 0:
		return nil, refusal(codeSubjectNotSoftDeleted, "Subject '%s' was not deleted first before being permanently deleted", name)
	case permanent:
		gone := numbersOf(s.versions)
		s.versions = nil
		return gone, nil
	case len(live) == 0:
		return nil, refusal(codeSubjectSoftDeleted, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", name)
	}
	for i := range s.versions {
		s.versions[i].deleted = true
	}
	s.level = ""
	return numbersOf(live), nil
}

// removeVersion deletes one version of a subject, by the same two steps.
func (r *Registry) removeVersion(name, number string, permanent bool) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, all, err := r.find(name, true)
	if err != nil {
		return 0, err
	}
	if live := s.live(); number == "latest" && len(live) > 0 {
		all = live
	}
	v, err := pick(all, number)
	if err != nil {
		return 0, err
	}
	at := slices.Index(s.versions, v)
	switch {
	case permanent && !v.deleted:
		return 0, refusal(codeVersionNotSoftDeleted,
			"Subject '%s' Version %d was not deleted first before being permanently deleted", name, v.number)
	case permanent:
		s.versions = slices.Delete(s.versions, at, at+1)
	case v.deleted:
		return 0, refusal(codeVersionSoftDeleted,
			"Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", name, v.number)
	default:
		s.versions[at].deleted = true
	}
	return v.number, nil
}
