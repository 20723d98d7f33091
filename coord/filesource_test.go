package coord

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shelf is a folder whose files sources may read, and a server that may crash.
type fileShelf struct {
	*machine
	dir string
}

func newFileShelf(t *testing.T) *fileShelf {
	t.Helper()
	dir := t.TempDir()
	return &fileShelf{machine: newMachine(t, Options{FileSources: []string{dir}}), dir: dir}
}

func (f *fileShelf) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fileShelf) add(name, text string) {
	f.t.Helper()
	out, err := os.OpenFile(filepath.Join(f.dir, name), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = out.WriteString(text)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// TestFileFormats: files of each format, what is wrong in them, and what cannot be had.
func TestFileFormats(t *testing.T) {
	t.Parallel()
	f := newFileShelf(t)
	cl := connect(t, f.c)
	f.write("a.csv", "\xef\xbb\xbfid,name\r\n1,\"x\ny\"\r\n2,\r\n\r\n3\r\n4,\"z\"")
	f.write("b.json", "{\"id\": 1, \"more\": true}\n\n{\"id\": \"x\"}\n{\n{\"id\": 3}")
	f.write("c.txt", "one\n\nthree\r\nfo\xffur\n")
	f.write("d.csv", "1;2\n3;4\n")
	cl.must("CREATE SOURCE a FROM FILE 'a.csv' FORMAT CSV WITH HEADER")
	same(t, "csv", cl.must("SELECT id, replace(name, E'\\n', '/') FROM a ORDER BY 1"), "1|x/y", "2|∅", "4|z")
	same(t, "its errors", cl.must("SELECT error, topic, partition, \"offset\", value FROM a_errors"), "the message has 1 fields, not 2|a.csv|1|27|\\x33")
	cl.must("CREATE SOURCE typed (id int, name text) FROM FILE '" + f.dir + "/a.csv' FORMAT CSV WITH HEADER")
	same(t, "csv with types", cl.must("SELECT sum(id) FROM typed"), "7")
	cl.must("CREATE SOURCE b FROM FILE 'b.json' FORMAT JSON")
	same(t, "json", cl.must("SELECT data FROM b ORDER BY 1"), `{"id": "x"}`, `{"id": 3}`, `{"id": 1, "more": true}`)
	cl.must("CREATE SOURCE typed_json (id int) FROM FILE 'b.json' FORMAT JSON")
	same(t, "json with types", cl.must("SELECT count(*), sum(id), (SELECT count(*) FROM typed_json_errors) FROM typed_json"), "2|4|2")
	cl.must("CREATE SOURCE c (line) FROM FILE 'c.txt' FORMAT TEXT")
	same(t, "text", cl.must("SELECT line FROM c ORDER BY 1"), "", "one", "three")
	cl.must("CREATE SOURCE d FROM FILE 'd.csv' FORMAT CSV WITH 2 COLUMNS DELIMITED BY ';'")
	same(t, "csv without names", cl.must("SELECT column1, column2 FROM d ORDER BY 1"), "1|2", "3|4")
	if err := os.Symlink("/etc/hostname", filepath.Join(f.dir, "way-out")); err != nil {
		t.Fatal(err)
	}
	for statement, code := range map[string]string{
		"CREATE SOURCE s FROM FILE 'none' FORMAT TEXT":                         "58P01",
		"CREATE SOURCE s FROM FILE 'way-out' FORMAT TEXT":                      "58P01",
		"CREATE SOURCE s FROM FILE '/etc/passwd' FORMAT TEXT":                  "42501",
		"CREATE SOURCE s FROM FILE '../x' FORMAT TEXT":                         "42501",
		"CREATE SOURCE s FROM FILE '.' FORMAT TEXT":                            "42501",
		"CREATE SOURCE s FROM FILE 'x*.csv' FORMAT CSV WITH HEADER":            "55000",
		"CREATE SOURCE s FROM FILE 'a.csv' FORMAT CSV WITH HEADER (a, a)":      "42701",
		"CREATE SOURCE s FROM FILE 'a.csv'":                                    "42601",
		"CREATE SOURCE s FROM FILE 'c.txt' FORMAT JSON (INFER)":                "55000",
		"CREATE SOURCE s FROM WEBHOOK BODY FORMAT JSON (INFER)":                "0A000",
		"CREATE SOURCE s FROM FILE 'b.json' FORMAT JSON INCLUDE KEY":           "0A000",
		"CREATE SOURCE s FROM FILE 'b.json' WITH (depth = 1) FORMAT JSON":      "0A000",
		"CREATE SOURCE s FROM FILE 'b.json' FORMAT JSON ENVELOPE UPSERT":       "0A000",
		"CREATE SOURCE s FROM FILE 'b.json' FORMAT REGEX 'x'":                  "0A000",
		"CREATE SOURCE s (a int) FROM FILE 'c.txt' FORMAT TEXT":                "0A000",
		"CREATE SOURCE s FROM FILE 'c.txt' WITH (tail = 'x') FORMAT TEXT":      "22023",
		"CREATE SOURCE s FROM FILE 'b.json' KEY FORMAT TEXT VALUE FORMAT JSON": "0A000",
		"CREATE SOURCE s FROM FILE 'a.csv' FORMAT AVRO USING SCHEMA '{}'":      "0A000",
		"CREATE SOURCE s FROM FILE 'c.txt' FORMAT TEXT FOR ALL TABLES":         "0A000",
		"CREATE SOURCE s (a, b) FROM FILE 'c.txt' FORMAT TEXT":                 "42601",
	} {
		if _, err := cl.run(t.Context(), statement); err == nil || err.Code != code {
			t.Errorf("%s: %v, want %s", statement, err, code)
		}
	}
	cl.must("CREATE SOURCE out FROM FILE 'way-*' FORMAT TEXT")
	comesTo(t, cl, "SELECT status || ' ' || (error LIKE '%escapes%') FROM mz_internal.mz_source_statuses WHERE name = 'out'", "stalled true")
	bare := connect(t, start(t, Options{}))
	if _, err := bare.run(t.Context(), "CREATE SOURCE s FROM FILE 'a.csv' FORMAT TEXT"); err == nil || err.Code != "42501" || !strings.Contains(err.Hint, "--file-sources") {
		t.Errorf("without folders: %v", err)
	}
}

// TestFileMetadata: where records stand is in columns, also of packed files, of records of several lines, and behind a crash.
func TestFileMetadata(t *testing.T) {
	t.Parallel()
	f := newFileShelf(t)
	cl := connect(t, f.c)
	f.write("a.csv", "id,name\n1,\"x\ny\"\n2,z\nbad\n3,w\n")
	cl.must("CREATE SOURCE a FROM FILE '*.csv*' FORMAT CSV WITH HEADER INCLUDE FILE, LINE, OFFSET AS at, TIMESTAMP AS changed")
	same(t, "places", cl.must("SELECT id, file, line, at, changed > now()::timestamp - INTERVAL '1 day' FROM a ORDER BY 1"), "1|a.csv|2|8|t", "2|a.csv|4|16|t", "3|a.csv|6|24|t")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte("id,name\n4,packed\n")) // a buffer takes all
	_ = w.Close()
	f.write("b.csv.gz", packed.String())
	comesTo(t, cl, "SELECT file, line FROM a WHERE id = '4'", "b.csv.gz|2")
	f.write("x.log", "one\ntwo\n")
	cl.must("CREATE SOURCE log FROM FILE 'x.log' WITH (tail = true, compression = none) FORMAT TEXT INCLUDE LINE AS n")
	comesTo(t, cl, "SELECT string_agg(n || text, ' ' ORDER BY n) FROM log", "1one 2two")
	f.crash()
	cl = connect(t, f.c)
	f.add("x.log", "three\n")
	comesTo(t, cl, "SELECT string_agg(n || text, ' ' ORDER BY n) FROM log", "1one 2two 3three")
	if err := os.Rename(filepath.Join(f.dir, "x.log"), filepath.Join(f.dir, "x.log.1")); err != nil {
		t.Fatal(err)
	}
	f.add("x.log.1", "four\n")
	f.write("x.log", "1st\n")
	comesTo(t, cl, "SELECT string_agg(n || text, ' ' ORDER BY n, text DESC) FROM log", "1one 11st 2two 3three 4four")
	for statement, code := range map[string]string{
		"CREATE SOURCE s FROM FILE 'x.log' WITH (compression = 'rar') FORMAT TEXT":           "22023",
		"CREATE SOURCE s FROM FILE 'x.log' FORMAT TEXT INCLUDE PARTITION":                    "0A000",
		"CREATE SOURCE s FROM FILE 'x.log' FORMAT TEXT INCLUDE LINE AS text":                 "42701",
		"CREATE SOURCE s FROM FILE 'x.log' WITH (compression = gzip) FORMAT PARQUET":         "22023",
		"CREATE SOURCE s FROM FILE 'x.log' WITH (compression = gzip) FORMAT CSV WITH HEADER": "22P02",
	} {
		if _, err := cl.run(t.Context(), statement); err == nil || err.Code != code {
			t.Errorf("%s: %v, want %s", statement, err, code)
		}
	}
}

// TestFileInfers: the columns of JSON are those of the first records, packed or not; fields that come later are kept, and become columns of all
// records, also behind a crash.
func TestFileInfers(t *testing.T) {
	t.Parallel()
	f := newFileShelf(t)
	cl := connect(t, f.c)
	f.write("a.json", "{\"id\": 1, \"name\": \"x\"}\n\n[1]\n{\"id\": 2.5}\n")
	cl.must("CREATE SOURCE s FROM FILE '*.json*' WITH (tail = true) FORMAT JSON (INFER) INCLUDE LINE")
	comesTo(t, cl, "SELECT string_agg(id || coalesce(name, '-') || line, ' ' ORDER BY line), (SELECT count(*) FROM s_errors) FROM s", "1x1 2.5-4|1")
	cl.must("CREATE MATERIALIZED VIEW before AS SELECT * FROM s")
	f.add("a.json", "{\"id\": 3, \"price\": 7, \"tags\": [1]}\n")
	comesTo(t, cl, "SELECT hint LIKE '%price, tags; ALTER SOURCE%' FROM mz_internal.mz_source_statuses WHERE name = 's'", "t")
	cl.must("ALTER SOURCE s ADD MISSING COLUMNS")
	comesTo(t, cl, "SELECT id, price, tags FROM s WHERE price IS NOT NULL", "3|7|[1]")
	f.crash()
	cl = connect(t, f.c)
	f.add("a.json", "{\"id\": 4, \"price\": \"dear\"}\n{\"id\": 5, \"price\": 8}\n")
	comesTo(t, cl, "SELECT string_agg(id || '=' || coalesce(price::text, ''), ' ' ORDER BY id) FROM s", "1= 2.5= 3=7 5=8")
	comesTo(t, cl, "SELECT hint IS NULL, (SELECT count(*) FROM s_errors), (SELECT count(*) FROM before) FROM mz_internal.mz_source_statuses WHERE name = 's'", "t|2|4")
}

// TestBadLines: a source that is told to fails in front of a bad line, also behind a crash, and reads on when it is told otherwise.
func TestBadLines(t *testing.T) {
	t.Parallel()
	f := newFileShelf(t)
	cl := connect(t, f.c)
	f.write("a.json", "1\n2\n{\n4\n")
	cl.must("CREATE SOURCE a FROM FILE 'a.json' WITH (tail = true) FORMAT JSON WITH (ON ERROR = fail)")
	status := "SELECT status || ' ' || (error LIKE '%invalid input syntax for type json%') FROM mz_internal.mz_source_statuses WHERE name = 'a'"
	comesTo(t, cl, status, "failed true")
	f.crash()
	cl = connect(t, f.c)
	comesTo(t, cl, status, "failed true")
	cl.must("ALTER SOURCE a SET (ON ERROR = quarantine)")
	comesTo(t, cl, "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM a_errors)", "3|1")
	f.add("a.json", "5\n[\n")
	comesTo(t, cl, "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM a_errors)", "4|2")
	if _, err := cl.run(t.Context(), "CREATE SOURCE b FROM FILE 'a.json' FORMAT JSON WITH (DEAD LETTER TOPIC = 'x')"); err == nil || err.Code != "22023" || !strings.Contains(err.Hint, "DEAD LETTER CONNECTION = k") {
		t.Error(err)
	}
}

// TestFilesThroughCrashes: new files and new lines of files that are followed come once each, whatever happens between.
func TestFilesThroughCrashes(t *testing.T) {
	t.Parallel()
	f := newFileShelf(t)
	cl := connect(t, f.c)
	cl.must("CREATE SOURCE logs FROM FILE 'log-*.txt' WITH (tail = true) FORMAT TEXT")
	cl.must("CREATE SOURCE once (n int) FROM FILE 'log-*.txt' FORMAT JSON")
	cl.must("CREATE MATERIALIZED VIEW counts AS SELECT count(*), count(DISTINCT text) AS others FROM logs")
	same(t, "no file yet", cl.must("SELECT * FROM counts"), "0|0")
	const lines = 5_000
	n := 0
	more := func(lines int) string {
		var b strings.Builder
		for range lines {
			n++
			fmt.Fprintf(&b, "{\"n\": %d}\n", n)
		}
		return b.String()
	}
	for round := range 4 {
		f.write(fmt.Sprintf("log-%d.txt", round), more(lines))
		comesTo(t, cl, "SELECT * FROM counts", fmt.Sprintf("%d|%d", n, n))
		half := more(1)
		f.add("log-0.txt", more(100)+half[:4])
		comesTo(t, cl, "SELECT * FROM counts", fmt.Sprintf("%d|%d", n-1, n-1))
		if round%2 == 0 {
			f.crash()
			cl = connect(t, f.c)
		}
		f.add("log-0.txt", half[4:])
		comesTo(t, cl, "SELECT * FROM counts", fmt.Sprintf("%d|%d", n, n))
	}
	comesTo(t, cl, "SELECT count(*) >= 20000, count(*) = count(DISTINCT n) FROM once", "t|t")
	f.add("log-1.txt", "{\"n\":") // behind the end of what is not followed
	if err := os.Truncate(filepath.Join(f.dir, "log-2.txt"), 100); err != nil {
		t.Fatal(err)
	}
	status := "SELECT status || ': ' || error FROM mz_internal.mz_source_statuses WHERE name = 'logs'"
	comesTo(t, cl, status, "stalled: file \""+f.dir+"/log-2.txt\" was truncated: it has 100 bytes, and "+fmt.Sprint(fileLength(lines, 2*lines+203))+" were read")
	f.crash()
	cl = connect(t, f.c)
	comesTo(t, cl, status, "stalled: file \""+f.dir+"/log-2.txt\" was truncated: it has 100 bytes, and "+fmt.Sprint(fileLength(lines, 2*lines+203))+" were read")
	f.write("log-2.txt", strings.Repeat("another text\n", 100_000))
	comesTo(t, cl, status, "stalled: file \""+f.dir+"/log-2.txt\" was replaced: its beginning is not the one that was read")
	f.add("log-3.txt", more(10)) // others are read on
	comesTo(t, cl, "SELECT * FROM counts", fmt.Sprintf("%d|%d", n, n))
}

// fileLength is how many bytes so many lines from a number on have.
func fileLength(lines, from int) int {
	sum := 0
	for i := range lines {
		sum += len(fmt.Sprintf("{\"n\": %d}\n", from+i))
	}
	return sum
}
