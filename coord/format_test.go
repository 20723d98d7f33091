package coord

import (
	"os"
	"path/filepath"
	"testing"

	"millrace/internal/journal"
)

// TestFormat1 opens a data directory that format 1 wrote, as every later release must: folded runs, a manifest, a segment.
func TestFormat1(t *testing.T) {
	t.Parallel()
	from, dir := "testdata/format-1", t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	j, err := journal.Open(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	opts := quiet()
	opts.Journal = j
	c, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	cl := connect(t, c)
	same(t, "orders", cl.must("SELECT count(*), sum(amount), sum(id), count(tags) FROM shop.orders"), "568|271584.75|219318|261")
	same(t, "a row", cl.must("SELECT customer, amount, at, tags, extra FROM shop.orders WHERE id = 8"),
		`customer 1|10.00|2026-01-01 00:08:00+00|{a,8}|{"n": 8}`)
	same(t, "the view", cl.must("SELECT n, total FROM per_customer WHERE customer IN ('customer 0', 'late') ORDER BY 1"), "1|1.00", "81|38762.50")
	same(t, "the plain view", cl.must("SELECT count(*) FROM big"), "555")
	same(t, "the catalog", cl.must("SELECT name FROM mz_objects WHERE id LIKE 'u%' ORDER BY 1"), "big", "kafka", "orders", "orders_by_customer", "per_customer")
	same(t, "the comment", cl.must("SELECT obj_description('shop.orders'::regclass)"), "what was bought")
	cl.must("INSERT INTO shop.orders (id) VALUES (1000)")
	same(t, "a default", cl.must("SELECT customer FROM shop.orders WHERE id = 1000"), "nobody")
}
