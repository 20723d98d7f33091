package registry

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

const (
	contentType = "application/vnd.schemaregistry.v1+json"
	maxBody     = 1 << 20
)

// route is one request of the interface; answer returns what goes out as JSON, or an *Error.
type route struct {
	pattern string
	answer  func(r *Registry, q *http.Request) (any, error)
}

var routes = []route{
	{"GET /{$}", func(*Registry, *http.Request) (any, error) { return struct{}{}, nil }},
	{"GET /schemas/types", func(*Registry, *http.Request) (any, error) { return []string{"AVRO"}, nil }},
	{"GET /schemas/ids/{id}", getSchema},
	{"GET /schemas/ids/{id}/schema", getRawByID},
	{"GET /schemas/ids/{id}/subjects", getSchemaSubjects},
	{"GET /schemas/ids/{id}/versions", getSchemaVersions},
	{"GET /subjects", func(r *Registry, q *http.Request) (any, error) {
		return r.names(q.URL.Query().Get("subjectPrefix"), flag(q, "deleted")), nil
	}},
	{"POST /subjects/{subject}", lookUp},
	{"DELETE /subjects/{subject}", func(r *Registry, q *http.Request) (any, error) {
		return r.removeSubject(q.PathValue("subject"), flag(q, "permanent"))
	}},
	{"GET /subjects/{subject}/versions", func(r *Registry, q *http.Request) (any, error) {
		return r.numbers(q.PathValue("subject"), flag(q, "deleted"))
	}},
	{"POST /subjects/{subject}/versions", register},
	{"GET /subjects/{subject}/versions/{version}", func(r *Registry, q *http.Request) (any, error) {
		return r.at(q.PathValue("subject"), q.PathValue("version"), flag(q, "deleted"))
	}},
	{"GET /subjects/{subject}/versions/{version}/schema", getRawByVersion},
	{"DELETE /subjects/{subject}/versions/{version}", func(r *Registry, q *http.Request) (any, error) {
		return r.removeVersion(q.PathValue("subject"), q.PathValue("version"), flag(q, "permanent"))
	}},
	{"GET /config", getConfig},
	{"PUT /config", putConfig},
	{"GET /config/{subject}", getConfig},
	{"PUT /config/{subject}", putConfig},
	{"DELETE /config/{subject}", deleteConfig},
	{"POST /compatibility/subjects/{subject}/versions", checkCompatible},
	{"POST /compatibility/subjects/{subject}/versions/{version}", checkCompatible},
	{"/", func(*Registry, *http.Request) (any, error) {
		return nil, refusal(http.StatusNotFound, "HTTP 404 Not Found")
	}},
}

func (r *Registry) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, q *http.Request) {
			q.Body = http.MaxBytesReader(w, q.Body, maxBody)
			answer, err := rt.answer(r, q)
			write(w, answer, err)
		})
	}
	return mux
}

// ServeHTTP answers a request of the interface.
func (r *Registry) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.mux.ServeHTTP(w, q) }

func write(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		e := &Error{}
		if !errors.As(err, &e) {
			e = refusal(http.StatusInternalServerError, "%v", err)
		}
		answer, status = e, e.status()
	}
	body, err := json.Marshal(answer)
	if err != nil {
		body, status = []byte(`{"error_code":500,"message":"cannot write the answer"}`), http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone is not our concern
}

func flag(q *http.Request, name string) bool {
	return strings.EqualFold(q.URL.Query().Get(name), "true")
}

func decode(q *http.Request, into any) error {
	err := json.NewDecoder(q.Body).Decode(into)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return refusal(http.StatusRequestEntityTooLarge, "the request is longer than %d bytes", long.Limit)
	case err != nil:
		return refusal(http.StatusBadRequest, "Unparseable request: %v", err)
	}
	return nil
}

// schemaIn reads the schema of a request.
func schemaIn(q *http.Request) (string, error) {
	var in struct {
		Schema     string            `json:"schema"`
		Type       string            `json:"schemaType"`
		References []json.RawMessage `json:"references"`
	}
	if err := decode(q, &in); err != nil {
		return "", err
	}
	if in.Type != "" && in.Type != "AVRO" {
		return "", refusal(codeInvalidSchema, "Invalid schema type %s: this registry takes AVRO", in.Type)
	}
	if len(in.References) > 0 {
		return "", refusal(codeInvalidSchema, "Invalid schema: this registry takes no references between schemas")
	}
	return in.Schema, nil
}

type schemaAnswer struct {
	Schema string `json:"schema"`
}

func getSchema(r *Registry, q *http.Request) (any, error) {
	_, schema, err := r.byID(q.PathValue("id"))
	return schemaAnswer{schema}, err
}

func getRawByID(r *Registry, q *http.Request) (any, error) {
	_, schema, err := r.byID(q.PathValue("id"))
	return json.RawMessage(schema), err
}

func getRawByVersion(r *Registry, q *http.Request) (any, error) {
	e, err := r.at(q.PathValue("subject"), q.PathValue("version"), flag(q, "deleted"))
	return json.RawMessage(e.Schema), err
}

func getSchemaSubjects(r *Registry, q *http.Request) (any, error) {
	id, _, err := r.byID(q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, e := range r.uses(id, flag(q, "deleted")) {
		if len(out) == 0 || out[len(out)-1] != e.Subject {
			out = append(out, e.Subject)
		}
	}
	return out, nil
}

func getSchemaVersions(r *Registry, q *http.Request) (any, error) {
	id, _, err := r.byID(q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	type use struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	out := []use{}
	for _, e := range r.uses(id, flag(q, "deleted")) {
		out = append(out, use{e.Subject, e.Version})
	}
	return out, nil
}

func register(r *Registry, q *http.Request) (any, error) {
	schema, err := schemaIn(q)
	if err != nil {
		return nil, err
	}
	id, err := r.Register(q.PathValue("subject"), schema)
	return struct {
		ID int `json:"id"`
	}{id}, err
}

func lookUp(r *Registry, q *http.Request) (any, error) {
	schema, err := schemaIn(q)
	if err != nil {
		return nil, err
	}
	return r.lookup(q.PathValue("subject"), schema, flag(q, "deleted"))
}

func checkCompatible(r *Registry, q *http.Request) (any, error) {
	schema, err := schemaIn(q)
	if err != nil {
		return nil, err
	}
	faults, err := r.check(q.PathValue("subject"), q.PathValue("version"), schema)
	out := struct {
		OK       bool     `json:"is_compatible"`
		Messages []string `json:"messages,omitempty"`
	}{OK: len(faults) == 0}
	if flag(q, "verbose") {
		out.Messages = faults
	}
	return out, err
}

func getConfig(r *Registry, q *http.Request) (any, error) {
	level, err := r.levelOf(q.PathValue("subject"), flag(q, "defaultToGlobal"))
	return levelAnswer{level}, err
}

type levelAnswer struct {
	Level string `json:"compatibilityLevel"`
}

func putConfig(r *Registry, q *http.Request) (any, error) {
	var in struct {
		Level string `json:"compatibility"`
	}
	if err := decode(q, &in); err != nil {
		return nil, err
	}
	level, err := r.setLevel(q.PathValue("subject"), in.Level)
	in.Level = level
	return in, err
}

func deleteConfig(r *Registry, q *http.Request) (any, error) {
	level, err := r.unsetLevel(q.PathValue("subject"))
	return levelAnswer{level}, err
}
