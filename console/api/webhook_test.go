package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"millrace/coord"
)

// send sends a body to a webhook, with headers as pairs.
func (h *host) send(path, body string, headers ...string) (status int, answer string, header http.Header) {
	h.t.Helper()
	q, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.http.URL+"/api/webhook/"+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			q.Host = headers[i+1]
		}
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

// TestWebhook: what a webhook answers, to whom.
func TestWebhook(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	h.run("CREATE SOURCE hook FROM WEBHOOK BODY FORMAT JSON INCLUDE HEADER 'x-kind' AS kind CHECK (WITH (HEADERS) headers->>'x-pass' = 'open')")
	h.run("CREATE TABLE t (x int)")
	h.run("SELECT count(*) FROM hook")
	for _, c := range []struct {
		path, body string
		headers    []string
		status     int
		want       string
	}{
		{"materialize/public/hook", "{\"a\": 1}\n{\"a\": 2}\n", []string{"X-Pass", "open", "X-Kind", "k"}, 200, `{"rows":2}`},
		{"materialize/public/hook", "1", []string{"X-Pass", "open", "Host", "hooks.example.com"}, 200, `{"rows":1}`},
		{"materialize/public/hook", "1", nil, 403, "does not pass the check"},
		{"materialize/public/hook", "1\n2\n{\n", []string{"X-Pass", "open"}, 400, "line 3: invalid input syntax for type json"},
		{"materialize/public/hook", "1", []string{"X-Pass", "open", "Origin", "http://evil.example.com"}, 403, "is not trusted"},
		{"materialize/public/hook", "1", []string{"X-Pass", "open", "Sec-Fetch-Site", "cross-site"}, 403, "is not of this server"},
		{"materialize/public/hook", "1", []string{"X-Pass", "open", "Content-Encoding", "gzip"}, 415, "gzip"},
		{"materialize/public/hook", strings.Repeat(" ", mostBody) + "1", []string{"X-Pass", "open"}, 413, "larger than 16 MiB"},
		{"materialize/public/none", "1", nil, 404, "does not exist"},
		{"other/public/hook", "1", nil, 404, "does not exist"},
		{"materialize/public/t", "1", nil, 404, "is not a webhook"},
		{"hook", "1", nil, 404, "not found"},
	} {
		status, answer, _ := h.send(c.path, c.body, c.headers...)
		if status != c.status || !strings.Contains(answer, c.want) {
			t.Errorf("%s %.20q %v: %d %s, want %d %s", c.path, c.body, c.headers, status, answer, c.status, c.want)
		}
	}
	if got := h.run("SELECT count(*), max(kind) FROM hook"); !strings.Contains(got, `"rows":[[3,"k"]]`) {
		t.Errorf("rows: %s", got)
	}
	h.run("DROP SOURCE hook")
	if status, _, _ := h.send("materialize/public/hook", "1", "X-Pass", "open"); status != 404 {
		t.Errorf("a source that was dropped: %d", status)
	}
}

// BenchmarkWebhook is what a row costs from a request to a tick, by 16 senders at a time: HTTP, the check, JSON and the tick.
func BenchmarkWebhook(b *testing.B) {
	for _, lines := range []int{1, 100} {
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			c := coord.New(coord.Options{})
			defer c.Close()
			a := New(c, Options{})
			web := httptest.NewServer(a)
			defer func() { a.Close(); web.Close() }()
			h := &host{t: b, http: web}
			h.run("CREATE SOURCE hook FROM WEBHOOK BODY FORMAT JSON CHECK (WITH (HEADERS) headers->>'x-pass' = 'open')")
			h.run("SELECT count(*) FROM hook")
			body := strings.Repeat(`{"id": 1, "name": "a name of some length", "price": 12.50}`+"\n", lines)
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					q, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, web.URL+"/api/webhook/materialize/public/hook", strings.NewReader(body))
					q.Header.Set("X-Pass", "open")
					res, err := http.DefaultClient.Do(q)
					if err != nil || res.StatusCode != http.StatusOK {
						b.Error(res, err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/row")
		})
	}
}
