package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestSamplesOfEqualNames: objects of one name in two schemas have samples of their own.
func TestSamplesOfEqualNames(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir())
	p.must("CREATE SCHEMA other")
	p.must("CREATE MATERIALIZED VIEW v AS SELECT 1 AS a")
	p.must("CREATE MATERIALIZED VIEW other.v AS SELECT * FROM generate_series(1, 3)")
	res, err := http.Get("http://" + p.web + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`millrace_view_records{view="v"} 1`, `millrace_view_records{view="other.v"} 3`} {
		if !strings.Contains(string(body), want+"\n") {
			t.Errorf("%s is missing (%s)", want, res.Status)
		}
	}
}
