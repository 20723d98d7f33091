package registry

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"millrace/internal/golden"
)

// TestConversation speaks with a registry: a case is a request line and a body, its answer a status and JSON.
func TestConversation(t *testing.T) {
	t.Parallel()
	r := New()
	golden.Run(t, "testdata/conversation", func(t *testing.T, c golden.Case) string {
		t.Helper()
		line, body, _ := strings.Cut(c.Input, "\n")
		return ask(r, line, body)
	})
}

func ask(r *Registry, line, body string) string {
	method, path, _ := strings.Cut(line, " ")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	out := http.StatusText(w.Code)
	if got := w.Header().Get("Content-Type"); got != contentType {
		out += " as " + got
	}
	return out + "\n" + w.Body.String() + "\n"
}

func TestLongBodyIsRefused(t *testing.T) {
	t.Parallel()
	got := ask(New(), "POST /subjects/s/versions", `{"schema":"`+strings.Repeat("x", maxBody)+`"}`)
	if !strings.Contains(got, "longer than") {
		t.Errorf("got %s", got)
	}
}

func TestCompatibility(t *testing.T) {
	t.Parallel()
	golden.Run(t, "testdata/compat", func(t *testing.T, c golden.Case) string {
		t.Helper()
		reader, writer, _ := strings.Cut(strings.TrimSpace(c.Input), "\n")
		for _, s := range []string{reader, writer} {
			if _, err := normalize(s); err != nil {
				t.Fatal(err)
			}
		}
		faults := unreadable(reader, writer)
		if len(faults) == 0 {
			return "readable\n"
		}
		return strings.Join(faults, "\n") + "\n"
	})
}

// Every schema can read what was written with itself: also one that contains itself.
func TestSchemasReadThemselves(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	var schemas []json.RawMessage
	if err := json.Unmarshal(text, &schemas); err != nil {
		t.Fatal(err)
	}
	r := New()
	for _, raw := range schemas {
		s := string(raw)
		if faults := unreadable(s, s); len(faults) > 0 {
			t.Errorf("%s: %v", s, faults)
		}
		if _, err := r.Register("s"+s, s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := New()
	ids := make(chan int)
	for range 8 {
		go func() {
			id, err := r.Register("s", `"string"`)
			if err != nil {
				t.Error(err)
			}
			ids <- id
		}()
	}
	for range 8 {
		if id := <-ids; id != 1 {
			t.Errorf("got id %d, want 1", id)
		}
	}
	if n, err := r.numbers("s", true); err != nil || len(n) != 1 {
		t.Errorf("got versions %v, %v; want one", n, err)
	}
}
