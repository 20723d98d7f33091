package coord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// outcome is what a statement did: the rows it is to write, sorted, or its error.
func outcome(s *Session, err *repr.Error) string {
	if err != nil {
		return fmt.Sprintf("%s %s at %d, detail %q, hint %q", err.Code, err.Message, err.Position, err.Detail, err.Hint)
	}
	var rows []string
	for _, w := range s.tx.writes {
		for range w.diff {
			rows = append(rows, fmt.Sprintf("%d: %x", w.table, w.row))
		}
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// byQuery runs a statement by its query, whatever else there is.
func byQuery(s *Session, p *Prepared, args []repr.Datum) string {
	var b boundWrite
	var err *repr.Error
	b.w, b.env, err = s.bindModify(p.Stmt, slices.Clone(p.explicitP))
	if err == nil {
		var q *modification
		if q, err = s.planModify(p.Stmt, &b, args); err == nil {
			_, err = q.run(context.Background())
		}
	}
	return outcome(s, err)
}

// short runs a statement as sessions do, and says whether its rows were there at once, and whether they came of expressions.
func short(s *Session, text string, stmt ast.Statement) (did string, constants, straight bool) {
	p := &Prepared{Text: text, Stmt: stmt}
	ctx := context.Background()
	if err := s.describe(ctx, p); err != nil {
		return outcome(s, err), false, false
	}
	constants, straight = p.bound.rows != nil, p.bound.straight != nil && p.bound.rowsWith(nil) != nil
	_, err := s.modify(ctx, p, nil)
	return outcome(s, err), constants, straight
}

// inBlock runs f in a transaction block that is rolled back.
func inBlock(cl *client, f func()) {
	cl.must("BEGIN")
	f()
	cl.must("ROLLBACK")
}

// sameEveryWay checks that an INSERT does the same as constants, as expressions and by its query. It says in which of the
// first two it needed no dataflow.
func sameEveryWay(cl *client, text string) (constants, straight bool) {
	cl.t.Helper()
	parsed, err := parse.Parse(text)
	if err != nil {
		cl.t.Fatalf("%s: %v", text, err)
	}
	ins := parsed[0].Stmt.(*ast.Insert)
	var want, got, got2 string
	inBlock(cl, func() { // of which there is one, so that now() is the same
		want = byQuery(cl.s, &Prepared{Stmt: ins.Plain()}, nil)
		cl.s.tx.writes = nil
		got, constants, _ = short(cl.s, text, ins)
		cl.s.tx.writes = nil
		got2, _, straight = short(cl.s, text, ins.Plain())
	})
	if got != want || got2 != want {
		cl.t.Fatalf("%s: by its query\n%s\nas constants (%v)\n%s\nas expressions (%v)\n%s", text, want, constants, got, straight, got2)
	}
	return constants, straight
}

// insertTables have a column of many types, with and without defaults; one has a default that is no constant.
var insertTables = insertTable("t", "DEFAULT now()") + ";" + insertTable("u", "")

func insertTable(name, tz string) string {
	return "CREATE TABLE " + name + ` (i2 smallint, i4 integer NOT NULL DEFAULT 7, i8 bigint, f4 real, f8 double precision, n numeric, n2 numeric(5,2) DEFAULT 1.5,
	s text DEFAULT 'none', v varchar(3), c char(4), b boolean DEFAULT false, d date, ts timestamp, tz timestamptz ` + tz + `, iv interval,
	u uuid, j jsonb, x bytea, a integer[], o oid)`
}

var insertColumnNames = strings.Fields("i2 i4 i8 f4 f8 n n2 s v c b d ts tz iv u j x a o")

// insertItems are constants, good for some types and bad for others.
var insertItems = []string{"0", "1", "-1", "42", "-32768", "32768", "2147483647", "-2147483649", "9223372036854775807", "-9223372036854775808",
	"9223372036854775808", "1.5", "-0.125", "1e3", "1e400", "123456.789", ".5", "NULL", "NULL", "TRUE", "false", "''", "'a'", "'abc'", "'abcdef'", "'x  '", "'12'", "' 12 '",
	"'-3.5'", "'NaN'", "'t'", "'2020-02-29'", "'2020-02-30'", "'2020-01-01 12:30:00+02'", "'1 day 2 hours'", "'now'", "'infinity'",
	"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'{\"a\": [1, null]}'", "'{1,2,NULL}'", "E'\\\\x00ff'", "'é'", "007", "-0", "'pg_class'"}

// fittingItems are good for their columns.
var fittingItems = map[string]string{"i2": "-7", "i4": "70000", "i8": "5000000000", "f4": "1.5", "f8": "2", "n": "-12.50", "n2": "3.14159", "s": "'it''s'",
	"v": "'abc'", "c": "'ab'", "b": "TRUE", "d": "'2020-02-29'", "ts": "'2020-01-01 12:30:00'", "tz": "'now'", "iv": "'1 day'",
	"u": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "j": "'{\"b\":1,\"a\":2}'", "x": "'\\x00ff'", "a": "'{1,2}'", "o": "17"}

// randomRows is a random INSERT of constants. Some statements stick to items that fit.
func randomRows(r *rand.Rand) string {
	columns := slices.Clone(insertColumnNames)
	list := ""
	if r.IntN(3) > 0 {
		r.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
		columns = columns[:1+r.IntN(4)]
		list = " (" + strings.Join(columns, ", ") + ")"
	} else {
		columns = columns[:1+r.IntN(5)]
	}
	width := len(columns)
	if r.IntN(20) == 0 {
		width = 1 + r.IntN(5)
	}
	few := make([]string, width)
	for i := range few {
		if few[i] = insertItems[r.IntN(len(insertItems))]; i < len(columns) && r.IntN(3) > 0 {
			few[i] = fittingItems[columns[i]]
		}
	}
	var rows []string
	for range 1 + r.IntN(4) {
		items := make([]string, width)
		for i := range items {
			if items[i] = few[i]; r.IntN(8) == 0 {
				items[i] = insertItems[r.IntN(len(insertItems))]
			}
		}
		rows = append(rows, "("+strings.Join(items, ", ")+")")
	}
	return "INSERT INTO " + []string{"t", "u"}[r.IntN(2)] + list + " VALUES " + strings.Join(rows, ", ")
}

func TestInsertIsTheSameEveryWay(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must(insertTables)
	cl.must("CREATE VIEW w AS SELECT 1 AS a")
	for _, text := range []string{"INSERT INTO nothing VALUES (1)", "INSERT INTO w VALUES (1)", "INSERT INTO t (i2, i2) VALUES (1, 2)",
		"INSERT INTO t (nothing) VALUES (1)", "INSERT INTO t (i2) VALUES (1, 2)", "INSERT INTO t (i2, i8) VALUES (1)", "INSERT INTO pg_class VALUES (1)"} {
		sameEveryWay(cl, text)
	}
	r := rand.New(rand.NewPCG(5, 6))
	constants, straight := 0, 0
	for range 1500 {
		a, b := sameEveryWay(cl, randomRows(r))
		if a {
			constants++
		}
		if b {
			straight++
		}
	}
	if constants < 150 || straight < 150 {
		t.Errorf("of 1500 statements %d needed no dataflow as constants, and %d as expressions", constants, straight)
	}
}

// TestPreparedInsertIsTheSame runs INSERTs with parameters many times, as sessions do and by their query.
func TestPreparedInsertIsTheSame(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must(insertTables)
	r := rand.New(rand.NewPCG(7, 8))
	texts := []repr.Datum{repr.Null, repr.Text("abc"), repr.Text("abcdef"), repr.Text("12"), repr.Text("")}
	numbers := []repr.Datum{repr.Null, repr.Int8(0), repr.Int8(-5), repr.Int8(70000)}
	short := 0
	for _, text := range []string{"INSERT INTO t (i8, s) VALUES ($1, $2)", "INSERT INTO t (v, i4) VALUES ($2, $1::bigint)", "INSERT INTO t (c, i2) VALUES (upper($2), 3 + $1::bigint), ('x', 1)",
		"INSERT INTO t (ts, n2, s) VALUES (now(), $1::bigint / 2, $2), ('2020-01-01', DEFAULT, DEFAULT)", "INSERT INTO t (i4, s) SELECT $1::bigint, $2::text",
		"INSERT INTO t (i8, s) VALUES ($1, $2) RETURNING i4, s", "INSERT INTO t (i8, s) VALUES ($1, (SELECT max(s) FROM t WHERE s > $2))"} {
		parsed, err := parse.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		p, failure := cl.s.Prepare(ctx, parsed[0], nil)
		if failure != nil {
			t.Fatal(failure)
		}
		for range 40 {
			args := []repr.Datum{numbers[r.IntN(len(numbers))], texts[r.IntN(len(texts))]}
			var got, want string
			inBlock(cl, func() {
				_, err := cl.s.modify(ctx, p, args)
				got = outcome(cl.s, err)
				// The times that now() gives must agree, so this is in the same block.
				cl.s.tx.writes = nil
				want = byQuery(cl.s, p, args)
			})
			if got != want {
				t.Fatalf("%s with %v: got\n%s\nwant\n%s", text, args, got, want)
			}
			if p.bound != nil {
				short++
			}
		}
	}
	if short < 4*40 {
		t.Errorf("%d executions needed nothing but the bound statement, want at least 160", short)
	}
}

// A statement that stays prepared sees new columns, defaults and settings.
func TestPreparedInsertSeesChanges(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must(`CREATE TABLE t (a integer, ts timestamptz);
		PREPARE p AS INSERT INTO t VALUES ($1, '2020-01-01 00:00:00');
		PREPARE c AS INSERT INTO t VALUES (2, '2020-01-01 00:00:00');
		SET timezone = 'UTC';
		EXECUTE p (1); EXECUTE p (1); EXECUTE c;
		SET timezone = 'Asia/Tokyo';
		EXECUTE p (3); EXECUTE c;
		SET timezone = 'UTC'`)
	if got, want := strings.Join(cl.must("SELECT a, ts, count(*) FROM t GROUP BY a, ts ORDER BY ts, a"), "\n"),
		"2|2019-12-31 15:00:00+00|1\n3|2019-12-31 15:00:00+00|1\n1|2020-01-01 00:00:00+00|2\n2|2020-01-01 00:00:00+00|1"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	cl.must("DROP TABLE t; CREATE TABLE t (a integer, ts timestamptz, more text DEFAULT 'm'); EXECUTE p (5); EXECUTE c")
	if got := strings.Join(cl.must("SELECT a, more FROM t ORDER BY a"), "\n"); got != "2|m\n5|m" {
		t.Errorf("after the table was made anew: %s", got)
	}
}
