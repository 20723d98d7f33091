package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/clock"
	"millrace/internal/dial"
)

// fakeRegistry answers as a registry with one subject would, and counts requests.
type fakeRegistry struct {
	requests atomic.Int64
	auth     string
	down     atomic.Bool
}

func (f *fakeRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	user, password, _ := r.BasicAuth()
	switch {
	case f.down.Load():
		http.Error(w, `{"error_code":50001,"message":"store is down"}`, http.StatusInternalServerError)
	case f.auth != "" && user+":"+password != f.auth:
		http.Error(w, "no", http.StatusUnauthorized)
	case r.URL.Path == "/subjects":
		_, _ = fmt.Fprint(w, `["users-value"]`)
	case r.URL.Path == "/schemas/ids/7":
		_, _ = fmt.Fprint(w, `{"schema":"\"string\""}`)
	case r.URL.Path == "/schemas/ids/8":
		_, _ = fmt.Fprint(w, `{"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF","references":[{"name":"a.proto","subject":"a","version":1}]}`)
	case r.URL.Path == "/subjects/a/versions/1":
		_, _ = fmt.Fprint(w, `{"id":10,"schema":"a","schemaType":"PROTOBUF","references":[{"name":"b.proto","subject":"b","version":3},{"name":"a.proto","subject":"a","version":1}]}`)
	case r.URL.Path == "/subjects/b/versions/3":
		_, _ = fmt.Fprint(w, `{"id":11,"schema":"b","schemaType":"PROTOBUF"}`)
	case r.URL.Path == "/subjects/users-value/versions/latest":
		_, _ = fmt.Fprint(w, `{"subject":"users-value","id":7,"version":2,"schema":"\"string\""}`)
	case r.Method == http.MethodPost && r.URL.Path == "/subjects/out-value/versions":
		var body struct{ Schema string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Schema != `"long"` {
			http.Error(w, `{"error_code":42201,"message":"bad schema"}`, http.StatusUnprocessableEntity)
			return
		}
		_, _ = fmt.Fprint(w, `{"id":9}`)
	default:
		http.Error(w, `{"error_code":40401,"message":"not found"}`, http.StatusNotFound)
	}
}

func start(t *testing.T, f *fakeRegistry, o Options) *Client {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	if o.URL == "" {
		o.URL = srv.URL
	} else {
		o.Dialer = &dial.Dialer{Aliases: map[string]string{"schema-registry:8081": strings.TrimPrefix(srv.URL, "http://")}}
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAsk(t *testing.T) {
	t.Parallel()
	f := &fakeRegistry{auth: "u:p"}
	c := start(t, f, Options{URL: "http://u:p@schema-registry:8081/"})
	if c.URL() != "http://schema-registry:8081" {
		t.Errorf("URL shows %s", c.URL())
	}
	ctx := context.Background()
	if err := c.Check(ctx); err != nil {
		t.Error(err)
	}
	s, err := c.Latest(ctx, "users-value")
	if err != nil || !reflect.DeepEqual(s, Schema{ID: 7, Version: 2, Text: `"string"`}) {
		t.Errorf("latest: %v %v", s, err)
	}
	id, err := c.Register(ctx, "out-value", `"long"`)
	if err != nil || id != 9 {
		t.Errorf("register: %d %v", id, err)
	}
	if _, err := c.Register(ctx, "out-value", `"int"`); err == nil || !strings.Contains(err.Error(), "bad schema") {
		t.Errorf("register a bad schema: %v", err)
	}
}

func TestByIDIsAskedOnce(t *testing.T) {
	t.Parallel()
	f := &fakeRegistry{}
	clk := clock.NewFake(time.Unix(0, 0))
	c := start(t, f, Options{Clock: clk})
	for range 3 {
		if s, err := c.ByID(context.Background(), 7); err != nil || s.Text != `"string"` {
			t.Fatalf("by id: %v %v", s, err)
		}
	}
	for range 3 {
		if _, err := c.ByID(context.Background(), 99); !errors.Is(err, ErrNotFound) {
			t.Fatalf("unknown id: %v", err)
		}
	}
	if n := f.requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	clk.Advance(missingFor + time.Second)
	if _, err := c.ByID(context.Background(), 99); !errors.Is(err, ErrNotFound) || f.requests.Load() != 3 {
		t.Errorf("an unknown id is asked for again after a while: %v, %d requests", err, f.requests.Load())
	}
}

func TestErrorsNameTheThing(t *testing.T) {
	t.Parallel()
	f := &fakeRegistry{}
	c := start(t, f, Options{})
	ctx := context.Background()
	_, err := c.Latest(ctx, "nosuch-value")
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), `"nosuch-value"`) || !strings.Contains(err.Error(), c.URL()) {
		t.Errorf("got %v", err)
	}
	proto, err := c.ByID(ctx, 8)
	if err != nil || proto.Is(Protobuf) != nil || proto.Is(Avro) == nil || !strings.Contains(proto.Is(Avro).Error(), "PROTOBUF") {
		t.Errorf("got %v, %v", proto, err)
	}
	imports, err := c.Imports(ctx, &proto)
	if err != nil || len(imports) != 2 || imports["a.proto"] != "a" || imports["b.proto"] != "b" {
		t.Errorf("imports %v, %v", imports, err)
	}
	f.down.Store(true)
	if err := c.Check(ctx); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "store is down") {
		t.Errorf("got %v", err)
	}
	denied := start(t, &fakeRegistry{auth: "u:p"}, Options{User: "u", Password: "secret"})
	if err := denied.Check(ctx); !errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	nobody, err := New(Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Check(ctx); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "http://127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"", "schema-registry:8081", "ftp://x"} {
		if _, err := New(Options{URL: bad}); err == nil {
			t.Errorf("New takes the URL %q", bad)
		}
	}
}
