package generator

import (
	"slices"
	"testing"

	"millrace/repr"
)

func TestStatements(t *testing.T) {
	t.Parallel()
	tables := []Table{{Name: "t", Key: []int{0}, Columns: repr.RowDesc{
		Column("k", Int4), Column("c", Char(2)), {Name: "m", Type: Decimal(5, 2)},
	}}, {Name: "u", Columns: repr.RowDesc{Column("d", Date)}}}
	row := func(k int32, c string, cents int64) []repr.Datum {
		return []repr.Datum{repr.Int4(k), repr.StringOf(repr.KindBpchar, []byte(c)), repr.Numeric(cents, 2)}
	}
	got := Statements(tables, []Change{
		{New: row(1, "a ", 100)}, {New: row(2, "b'", -5)}, {New: []repr.Datum{repr.Int4(3), repr.Text("cc"), repr.Null}},
		{Table: 1, New: []repr.Datum{repr.Date(365)}},
		{Old: row(1, "a ", 100), New: row(1, "z ", 100)},
		{Old: row(2, "b'", -5)},
	}, 2)
	want := []string{
		`INSERT INTO t VALUES (1, 'a ', '1.00'), (2, 'b''', '-0.05')`,
		`INSERT INTO t VALUES (3, 'cc', NULL)`,
		`INSERT INTO u VALUES ('2000-12-31')`,
		`UPDATE t SET c = fresh.c, m = fresh.m FROM (VALUES (1::integer, 'z '::character(2), '1.00'::numeric(5,2))) AS fresh (k, c, m) WHERE t.k = fresh.k`,
		`DELETE FROM t USING (VALUES (2::integer)) AS gone (k) WHERE t.k = gone.k`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	create := CreateTable(tables[0], true)
	if want := "CREATE TABLE t (k integer NOT NULL, c character(2) NOT NULL, m numeric(5,2), PRIMARY KEY (k))"; create != want {
		t.Errorf("got %s, want %s", create, want)
	}
}
