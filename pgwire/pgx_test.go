package pgwire

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"millrace/coord"
)

// code is the SQLSTATE of an error; "" when it has none.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// valuesOfTypes has a value of each type that a driver may send and read: its text, and the Go value where pgx has one.
var valuesOfTypes = []struct{ typ, text string }{
	{"bool", "t"}, {"bool", "f"},
	{"int2", "-32768"}, {"int4", "2147483647"}, {"int8", "-9223372036854775808"},
	{"oid", "4294967295"},
	{"float4", "1.5"}, {"float8", "-2.5e-100"}, {"float8", "NaN"}, {"float8", "Infinity"},
	{"numeric", "0"}, {"numeric", "-12345678901234567890.123456789"}, {"numeric", "NaN"}, {"numeric", "10000"}, {"numeric", "0.00001"},
	{"text", ""}, {"text", "größer 🙂"}, {"varchar", "abc"}, {"bytea", `\x00ff10`},
	{"date", "2024-02-29"}, {"date", "0001-01-01"}, {"date", "infinity"},
	{"time", "23:59:59.999999"},
	{"timestamp", "2024-02-29 12:34:56.789012"}, {"timestamp", "1999-12-31 00:00:00"},
	{"timestamptz", "2024-02-29 12:34:56.789012+00"},
	{"interval", "1 year 2 mons 3 days 04:05:06.000007"}, {"interval", "-00:00:01"},
	{"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	{"json", `{"a": [1, null]}`}, {"jsonb", `{"a": [1, null]}`},
	{"int4[]", "{1,NULL,3}"}, {"text[]", `{a,"b c",NULL}`},
}

// Each value goes in and out in both formats and comes back as it was.
func TestTypesBothWays(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.connect("").PgConn()
	for _, v := range valuesOfTypes {
		sql := "SELECT $1::" + v.typ + " AS a"
		text := c.ExecParams(t.Context(), sql, [][]byte{[]byte(v.text)}, nil, []int16{0}, []int16{0}).Read()
		if text.Err != nil {
			t.Errorf("%s %q: %v", v.typ, v.text, text.Err)
			continue
		}
		if got := string(text.Rows[0][0]); got != v.text {
			t.Errorf("%s %q came back as %q", v.typ, v.text, got)
		}
		binary := c.ExecParams(t.Context(), sql, [][]byte{[]byte(v.text)}, nil, []int16{0}, []int16{1}).Read()
		if binary.Err != nil {
			t.Errorf("%s %q in binary: %v", v.typ, v.text, binary.Err)
			continue
		}
		again := c.ExecParams(t.Context(), sql, [][]byte{binary.Rows[0][0]}, nil, []int16{1}, []int16{0}).Read()
		if again.Err != nil || string(again.Rows[0][0]) != v.text {
			t.Errorf("%s %q as a binary parameter % x: %v", v.typ, v.text, binary.Rows[0][0], again.Err)
		}
		simple, err := c.Exec(t.Context(), "SELECT '"+v.text+"'::"+v.typ).ReadAll()
		if err != nil || string(simple[0].Rows[0][0]) != v.text {
			t.Errorf("%s %q in a simple query: %v", v.typ, v.text, err)
		}
	}
}

// pgx's own codecs read and write what we do, in its default mode, which is binary where it can.
func TestTypesWithCodecs(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		c := h.connect("&default_query_exec_mode=" + mode)
		for _, v := range []struct {
			typ string
			val any
		}{
			{"bool", true}, {"int2", int16(-3)}, {"int4", int32(7)}, {"int8", int64(1) << 40}, {"float4", float32(0.5)}, {"float8", 1e300},
			{"text", "größer"}, {"bytea", []byte{0, 255}}, {"timestamptz", time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC)},
			{"date", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
			{"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		} {
			out := reflect.New(reflect.TypeOf(v.val))
			if err := c.QueryRow(t.Context(), "SELECT $1::"+v.typ, v.val).Scan(out.Interface()); err != nil {
				t.Errorf("%s: %s: %v", mode, v.typ, err)
				continue
			}
			got := out.Elem().Interface()
			if tm, ok := got.(time.Time); ok && tm.Equal(v.val.(time.Time)) {
				continue
			}
			if !reflect.DeepEqual(got, v.val) {
				t.Errorf("%s: %s: got %v, want %v", mode, v.typ, got, v.val)
			}
		}
		var n pgtype.Numeric
		if err := c.QueryRow(t.Context(), "SELECT $1::numeric", "12.50").Scan(&n); err != nil {
			t.Errorf("%s: numeric: %v", mode, err)
		} else if text, err := n.Value(); err != nil || text != "12.50" {
			t.Errorf("%s: numeric: %v, %v", mode, text, err)
		}
		var null *string
		if err := c.QueryRow(t.Context(), "SELECT $1::text", nil).Scan(&null); err != nil || null != nil {
			t.Errorf("%s: NULL: %v, %v", mode, null, err)
		}
	}
}

func TestPgxBatch(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).connect("")
	if _, err := c.Exec(t.Context(), "CREATE TABLE t (a int, b text)"); err != nil {
		t.Fatal(err)
	}
	var b pgx.Batch
	for i := range 10 {
		b.Queue("INSERT INTO t VALUES ($1, $2)", i, "x")
	}
	if err := c.SendBatch(t.Context(), &b).Close(); err != nil {
		t.Fatal(err)
	}
	var bad pgx.Batch
	bad.Queue("INSERT INTO t VALUES ($1, $2)", 100, "x")
	bad.Queue("SELECT 1 / $1::int", 0)
	if err := c.SendBatch(t.Context(), &bad).Close(); code(err) != "22012" {
		t.Fatalf("the batch ended with %v", err)
	}
	rows, err := c.Query(t.Context(), "SELECT a FROM t ORDER BY a")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil || len(got) != 10 || got[9] != 9 {
		t.Errorf("the table holds %v, %v", got, err)
	}
}

func TestPgxCopyOut(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, coord.Options{}).connect("")
	var out bytes.Buffer
	tag, err := c.PgConn().CopyTo(t.Context(), &out, "COPY (SELECT n, 'row ' || n FROM generate_series(1, 20000) AS g(n)) TO STDOUT (FORMAT csv)")
	if err != nil || tag.RowsAffected() != 20000 || strings.Count(out.String(), "\n") != 20000 {
		t.Errorf("tag %v, %d bytes, %v", tag, out.Len(), err)
	}
	if _, err := c.PgConn().CopyTo(t.Context(), &out, "COPY (SELECT 1/(n-500) FROM generate_series(1, 1000) AS g(n)) TO STDOUT"); code(err) != "22012" {
		t.Errorf("a COPY that fails: %v", err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// A cancelled context of pgx is a cancel request on another connection.
func TestPgxCancel(t *testing.T) {
	t.Parallel()
	h := serve(t, Options{}, coord.Options{})
	c := h.connect("")
	if _, err := c.Exec(t.Context(), "CREATE TABLE t (a int)"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(t.Context(), "SUBSCRIBE t")
		done <- err
	}()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		// A request that comes before the statement runs is in vain, as in PostgreSQL: it is sent again.
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := c.PgConn().CancelRequest(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		select {
		case err := <-done:
			if code(err) != "57014" {
				t.Fatalf("the statement ended with %v", err)
			}
			if err := c.Ping(t.Context()); err != nil {
				t.Errorf("the session is gone: %v", err)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("the statement was not cancelled")
}
