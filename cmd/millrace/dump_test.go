package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dumped are statements that a dump has to keep the meaning of.
const dumped = `
CREATE SCHEMA "select"; CREATE SCHEMA "Two Words";
CREATE TABLE everything (b bool, i2 int2, i4 int NOT NULL DEFAULT 7, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(10,2), t text DEFAULT 'it''s', v varchar(5), c char(3),
	y bytea, d date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid, j jsonb, ia int[], ta text[], o oid);
INSERT INTO everything VALUES (true, -32768, 1, 9223372036854775807, 'NaN', '-Infinity', 'NaN', -0.50, E'tab\t nl\n cr\r back\\slash \\N', 'é', 'ab',
	'\x00ff5c', 'infinity', '23:59:59.999999', '-infinity', '2024-02-29 12:00:00.5+02', '1 year 2 mons -3 days -04:05:06.7', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
	'{"a": [1, 2.50, null, "x\\y"], "": {}}', '{1,NULL,-3}', ARRAY['a,b', NULL, '', 'NULL', '"q"', E'\\'], 42);
INSERT INTO everything VALUES (false, 0, 2, -9223372036854775808, '1e-40', 1.0000000000000002, 123456789012345678901234567890.123456789, 99999999.99, '', '', '',
	'', '0044-03-15 BC', '00:00', '9999-12-31 23:59:59.999999', 'infinity', '0', '00000000-0000-0000-0000-000000000000', 'null', '{}', '{}', 0);
INSERT INTO everything (i4) VALUES (3), (3), (3);
CREATE TABLE "select"."from" ("order" int, "Group By" text, "quote""d" int);
INSERT INTO "select"."from" VALUES (1, E'\\.', 2), (NULL, 'COPY x FROM stdin;', NULL);
CREATE TABLE empty (a int) WITH (RETAIN HISTORY FOR '1 hour');
CREATE VIEW v AS SELECT i4, t FROM everything WHERE t <> ';' AND t <> '-- no comment';
SET search_path = "select", "Two Words", public;
CREATE MATERIALIZED VIEW "Two Words"."M V" AS SELECT "order", count(*) AS n FROM "from" GROUP BY "order";
CREATE INDEX "an index" ON "from" ("Group By");
SET search_path = public;
CREATE MATERIALIZED VIEW over AS SELECT m.n, v.t FROM "Two Words"."M V" AS m, v WHERE m.n = v.i4;
COMMENT ON TABLE everything IS 'all; of
it''s "types" -- and \ more';
COMMENT ON COLUMN everything.i4 IS 'a number';
COMMENT ON MATERIALIZED VIEW "Two Words"."M V" IS 'é;';
CREATE CONNECTION kafka TO KAFKA (BROKER 'localhost:9092') WITH (VALIDATE = false);
CREATE TABLE before (a int); ALTER TABLE before RENAME TO "after";
INSERT INTO "after" VALUES (1);
CREATE VIEW replaced AS SELECT 1 AS a; CREATE TABLE younger (a int); CREATE OR REPLACE VIEW replaced AS SELECT a FROM younger;
CREATE INDEX after_a ON "after" (a)`

// run runs a command of the binary in its own process and gives what it prints.
func run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := millrace(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("millrace %s: %v\n%s%s", strings.Join(args, " "), err, errs.String(), out.String())
	}
	return out.String()
}

// TestDumpOfARestore: the dump of what was restored from a dump is that dump, whether a server or a data directory is asked.
func TestDumpOfARestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, filepath.Join(dir, "first"))
	c := p.connect().PgConn()
	for _, sql := range strings.Split(dumped, ";\n") {
		if _, err := c.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	first := run(t, "dump", "--sql-listen", p.sql)
	for _, want := range []string{"CREATE TABLE public.after ", "{\"\": {}, \"a\": [1, 2.50, null, \"x\\\\\\\\y\"]}", "infinity", "SET search_path = \"select\", \"Two Words\", public"} {
		if !strings.Contains(first, want) {
			t.Errorf("the dump has no %s:\n%s", want, first)
		}
	}
	file := filepath.Join(dir, "dump.sql")
	if err := os.WriteFile(file, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	q := startProcess(t, filepath.Join(dir, "second"))
	run(t, "restore", file, "--sql-listen", q.sql)
	sameDump(t, "of the second server", run(t, "dump", "--sql-listen", q.sql), first)
	var n int64
	if err := q.connect().QueryRow(t.Context(), `SELECT count(*) FROM "over"`).Scan(&n); err != nil || n != 2 {
		t.Errorf("the view has %d rows, %v", n, err)
	}
	if code, _ := q.end(os.Interrupt, waitForEnd); code != 0 {
		t.Errorf("exit code %d", code)
	}
	sameDump(t, "of the data directory", run(t, "dump", "--offline", "--data-dir", filepath.Join(dir, "second")), first)
	run(t, "restore", file, "--offline", "--data-dir", filepath.Join(dir, "third"))
	sameDump(t, "of the third", run(t, "dump", "--offline", "--data-dir", filepath.Join(dir, "third")), first)
	missing := filepath.Join(dir, "typo")
	if out, err := millrace("dump", "--offline", "--data-dir", missing).CombinedOutput(); err == nil || !strings.Contains(string(out), "there is no data directory "+missing) {
		t.Errorf("of a folder that is not there: %v\n%s", err, out)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a dump made a data directory")
	}
	schema, data := run(t, "dump", "--schema-only", "--sql-listen", p.sql), run(t, "dump", "--data-only", "--sql-listen", p.sql)
	if strings.Contains(schema, "FROM stdin") || strings.Contains(data, "CREATE") || len(schema)+len(data) < len(first) {
		t.Errorf("parts:\n%s\nand\n%s", schema, data)
	}
}

// TestRestoreGoesOn: a restore that ended at an error says where, and goes on there with what was set before; nothing is run twice.
func TestRestoreGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, filepath.Join(dir, "data"))
	file := filepath.Join(dir, "dump.sql")
	const text = "CREATE SCHEMA s;\nCREATE TABLE s.t (a int);\nSET search_path = s;\nCOPY t FROM stdin;\n1\n2\n\\.\nCREATE VIEW v AS\n  SELECT a FROM later;\nCOPY t FROM stdin;\n3\n\\.\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := millrace("restore", file, "--sql-listen", p.sql).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the statement at line 8: ") || !strings.Contains(string(out), "--from-line 8 goes on there") {
		t.Fatalf("it says %v: %s", err, out)
	}
	c := p.connect()
	if _, err := c.Exec(t.Context(), "CREATE TABLE s.later (a int)"); err != nil {
		t.Fatal(err)
	}
	run(t, "restore", file, "--from-line", "8", "--sql-listen", p.sql)
	var sum, views int64
	err = c.QueryRow(t.Context(), "SELECT (SELECT sum(a) FROM s.t), (SELECT count(*) FROM s.v)").Scan(&sum, &views)
	if err != nil || sum != 6 || views != 0 {
		t.Errorf("the rows add up to %d, the view has %d, %v", sum, views, err)
	}
}

func sameDump(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("the dump %s differs in line %d:\n%s\nwant\n%s", what, i+1, g[i], w[i])
			return
		}
	}
	t.Errorf("the dump %s has %d lines, want %d", what, len(g), len(w))
}

// TestScript cuts a text as psql does.
func TestScript(t *testing.T) {
	t.Parallel()
	s := newScript(strings.NewReader("-- nothing; here\nSELECT ';', \"a;b\", E'\\';', 'it''s;' -- ; \n, 1;\n\n  COPY t FROM stdin;\n1\n;\n\\.\nSELECT 2 - 1;"))
	next := func(want string) {
		t.Helper()
		if got, err := s.statement(); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	next("SELECT ';', \"a;b\", E'\\';', 'it''s;' , 1")
	next("COPY t FROM stdin")
	var rows bytes.Buffer
	if _, err := rows.ReadFrom(&copyLines{s: s}); err != nil || rows.String() != "1\n;\n" {
		t.Errorf("rows %q, %v", rows.String(), err)
	}
	next("SELECT 2 - 1")
	for _, text := range []string{"SELECT 1", "SELECT 'x;", "COPY"} {
		if got, err := newScript(strings.NewReader(text)).statement(); err == nil {
			t.Errorf("%s: got %q", text, got)
		}
	}
}
