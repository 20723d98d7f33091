package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"millrace/tests/stack"
)

// search gives the documents of an index as lines of their _id and source, sorted.
func search(base, index string) (string, error) {
	resp, err := http.Post(base+"/"+index+"/_refresh", "application/json", nil)
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	if resp, err = http.Get(base + "/" + index + "/_search?size=1000"); err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var found struct {
		Hits struct {
			Hits []struct {
				ID     string          `json:"_id"`
				Source json.RawMessage `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	var lines []string
	for _, h := range found.Hits.Hits {
		lines = append(lines, h.ID+" "+string(h.Source))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n"), nil
}

func deleteIndex(t *testing.T, base, index string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, base+"/"+index, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestSinkOpenSearch: an index of a real OpenSearch follows a view, over a kill; what the index refuses is a row of <sink>_errors
// until it goes.
func TestSinkOpenSearch(t *testing.T) {
	need(t)
	base := running(t, stack.OpenSearch).OpenSearchURL
	deleteIndex(t, base, "orders")
	deleteIndex(t, base, "millrace-progress")
	s := newServer(t, t.TempDir())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	s.must(t, fmt.Sprintf(`CREATE CONNECTION os TO OPENSEARCH (URL '%s')`, base))
	s.must(t, `CREATE TABLE o (id int, name text, price float8, at timestamp, tags text[], data jsonb)`)
	s.must(t, `CREATE MATERIALIZED VIEW orders AS SELECT DISTINCT ON (id) * FROM o ORDER BY id, price DESC`)
	s.must(t, `INSERT INTO o VALUES (13, 'bill', 50.5, '2020-04-03 11:20:00', '{a,b}', '{"k": [1, "x"]}'), (22, 'sue', 29.71, NULL, NULL, '3')`)
	s.must(t, `CREATE SINK s FROM orders INTO OPENSEARCH CONNECTION os (INDEX 'orders') KEY (id)`)
	holds := func(what string, want ...string) {
		t.Helper()
		eventually(t, 30*time.Second, what, func() error {
			got, err := search(base, "orders")
			if err == nil && got != strings.Join(want, "\n") {
				err = fmt.Errorf("the index holds\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
			return err
		})
	}
	const first = `13 {"id":13,"name":"bill","price":50.5,"at":"2020-04-03T11:20:00","tags":["a","b"],"data":{"k": [1, "x"]}}`
	const sue = `22 {"id":22,"name":"sue","price":29.71,"at":null,"tags":null,"data":3}`
	holds("the first documents", first, sue)
	refusals := func(want string) {
		t.Helper()
		eventually(t, 20*time.Second, "refusals", func() error {
			if got := strings.TrimSpace(s.must(t, `SELECT key, error ~ 'mapper_parsing_exception' FROM s_errors ORDER BY 1`)); got != want {
				return fmt.Errorf("they are %q", got)
			}
			if n := s.must(t, `SELECT rows_refused = (SELECT count(*) FROM s_errors) FROM mz_internal.mz_sink_statuses WHERE name = 's'`); strings.TrimSpace(n) != "t" {
				return fmt.Errorf("the status of the sink has another number of them")
			}
			return nil
		})
	}
	s.must(t, `INSERT INTO o VALUES (22, 'sue', 'NaN', NULL, NULL, NULL), (29, 'ann', 'Infinity', NULL, NULL, NULL), (30, 'max', 1, NULL, NULL, NULL)`)
	const max = `30 {"id":30,"name":"max","price":1,"at":null,"tags":null,"data":null}`
	holds("what is refused is not there, nor is what was there before", first, max)
	refusals("22|t\n29|t")
	s.kill(t)
	s.begin(t)
	eventually(t, 30*time.Second, "server ready", s.ready)
	refusals("22|t\n29|t")
	s.must(t, `DELETE FROM o WHERE price = 'NaN' OR id IN (13, 29)`)
	holds("the row behind comes back", sue, max)
	refusals("")
	s.must(t, `UPDATE o SET name = 'Max' WHERE id = 30`)
	holds("an update", sue, strings.Replace(max, `"max"`, `"Max"`, 1))
	for statement, want := range map[string]string{
		`CREATE SINK again FROM orders INTO ELASTICSEARCH CONNECTION os (INDEX 'orders') KEY (id)`: "has documents already",
		`CREATE SINK again FROM orders INTO OPENSEARCH CONNECTION os (INDEX 'Orders') KEY (id)`:    "invalid name of an index",
		`CREATE SINK again FROM orders INTO OPENSEARCH CONNECTION os (INDEX 'x') KEY (name)`:       "NOT ENFORCED",
	} {
		if _, out, err := s.psql(t, statement); err == nil || !strings.Contains(out+err.Error(), want) {
			t.Errorf("%s\nsays %v %s, want %q", statement, err, out, want)
		}
	}
	deleteIndex(t, base, "orders")
	s.must(t, `UPDATE o SET name = 'MAX' WHERE id = 30`)
	s.wait(t, `SELECT status, error ~ 'was deleted' FROM mz_internal.mz_sink_statuses WHERE name = 's'`, "failed|t")
	s.must(t, `DROP SINK s`)
	if _, out, err := s.psql(t, `SELECT * FROM s_errors`); err == nil {
		t.Errorf("s_errors is there after the sink was dropped: %s", out)
	}
}
