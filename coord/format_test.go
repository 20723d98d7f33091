package coord

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/internal/journal"
	"millrace/repr"
)

// keptServer is a server on a data directory of the machine.
type keptServer struct {
	t   *testing.T
	dir string
	c   *Coordinator
}

// openFormat starts a server on a copy of a data directory that a release wrote.
func openFormat(t *testing.T, from string, files int) *keptServer {
	t.Helper()
	s := &keptServer{t: t, dir: t.TempDir()}
	names, err := os.ReadDir(from)
	if err != nil || len(names) < files {
		t.Fatalf("%d files: %v", len(names), err)
	}
	for _, f := range names {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *keptServer) start() {
	s.t.Helper()
	j, err := journal.Open(journal.Options{Dir: s.dir})
	if err != nil {
		s.t.Fatal(err)
	}
	opts := quiet()
	opts.Journal = j
	if s.c, err = Open(opts); err != nil {
		s.t.Fatal(err)
	}
}

func (s *keptServer) stop() {
	s.c.Close()
	if err := s.c.opts.Journal.Close(); err != nil {
		s.t.Error(err)
	}
}

// TestFormat1 opens a data directory that format 1 wrote, as every later release must: folded runs, a manifest, a segment.
func TestFormat1(t *testing.T) {
	t.Parallel()
	s := openFormat(t, "testdata/format-1", 3)
	cl := connect(t, s.c)
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

// TestFormat2 opens a data directory that format 2 wrote and a server left as kill -9 does: sealed segments made thin for the history of
// some objects, a run, a manifest, the newest segment, a subscription that goes on, and the mark of a block that did not commit.
func TestFormat2(t *testing.T) {
	t.Parallel()
	s := openFormat(t, "testdata/format-2", 6)
	for _, more := range []string{"", "0"} { // and once more with what this release has written behind it
		cl := connect(t, s.c)
		same(t, "orders", cl.must("SELECT count(*), sum(amount), sum(id), count(tags) FROM shop.orders WHERE id <> 100000"), "1071|203836.00|4837236|300")
		same(t, "a row", cl.must("SELECT customer, amount, at, tags, extra FROM shop.orders WHERE id = 8"),
			`customer 1|10.00|2026-01-01 00:08:00+00|{a,8}|{"n": 8}`)
		same(t, "the view", cl.must("SELECT * FROM per_customer WHERE customer IN ('customer 0', 'late', 'last') ORDER BY 2"),
			"late|31|61.00", "customer 0|78|28901.25", "last|500|1500.00")
		same(t, "the plain view", cl.must("SELECT count(*) FROM big"), "532")
		same(t, "history of a table", cl.must("SELECT * FROM prices ORDER BY item AS OF 1795278540199"), "bread|7", "cheese|7")
		for at, price := range map[string]string{"1795278538993": "∅", "1795278538994": "3", "1795278540199": "7", "1795278540200": "8"} {
			same(t, "history of a view at "+at, cl.must("SELECT price FROM dearest AS OF "+at), price)
		}
		_ = cl.fails(repr.CodeInvalidParameter, "SELECT price FROM dearest AS OF 1795278538990")
		same(t, "the stream", cl.must("SUBSCRIBE dearest AS OF 1795278540100 UP TO 1795278540503"), "1795278540100|1|7", "1795278540200|-1|7", "1795278540200|1|8")
		same(t, "the catalog", cl.must("SELECT name FROM mz_objects WHERE id LIKE 'u%' ORDER BY 1"), "big", "dearest", "kafka", "mailer", "orders",
			"orders_by_customer", "per_customer", "prices", "word")
		same(t, "the comment", cl.must("SELECT obj_description('shop.orders'::regclass)"), "what was bought")
		_ = cl.fails(repr.CodeUndefinedTable, "SELECT * FROM never") // its block did not commit
		cl.must("INSERT INTO prices VALUES ('caviar', 1000" + more + ")")
		cl.must("BEGIN")
		cl.must("DECLARE c CURSOR FOR SUBSCRIBE mailer")
		told := cl.must("FETCH 2 c WITH (timeout = '10s')") // from what it had acknowledged on
		cl.must("ROLLBACK")
		for i, row := range told {
			_, told[i], _ = strings.Cut(row, "|")
		}
		slices.Sort(told)
		same(t, "what the reader is told", told, "-1|9", "1|1000")
		cl.must("INSERT INTO shop.orders (id) VALUES (100000)")
		s.stop()
		s.start()
	}
}
