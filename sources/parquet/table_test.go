package parquet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sources/file"
)

// leaf is a column of a file that a test writes: each row has a value, of which every fifth is NULL.
type leaf struct {
	name    string
	logical schema.LogicalType
	typ     pq.Type
	length  int
	write   func(w pqfile.ColumnChunkWriter, levels []int16, from, n int) error
	want    func(i int) string // the value of row i
}

func ints32(of func(i int) int32) func(pqfile.ColumnChunkWriter, []int16, int, int) error {
	return func(w pqfile.ColumnChunkWriter, levels []int16, from, n int) error {
		_, err := w.(*pqfile.Int32ColumnChunkWriter).WriteBatch(present(of, levels, from), levels, nil)
		return err
	}
}

func ints64(of func(i int) int64) func(pqfile.ColumnChunkWriter, []int16, int, int) error {
	return func(w pqfile.ColumnChunkWriter, levels []int16, from, n int) error {
		_, err := w.(*pqfile.Int64ColumnChunkWriter).WriteBatch(present(of, levels, from), levels, nil)
		return err
	}
}

func byteses(of func(i int) pq.ByteArray) func(pqfile.ColumnChunkWriter, []int16, int, int) error {
	return func(w pqfile.ColumnChunkWriter, levels []int16, from, n int) error {
		_, err := w.(*pqfile.ByteArrayColumnChunkWriter).WriteBatch(present(of, levels, from), levels, nil)
		return err
	}
}

func fixed(of func(i int) pq.FixedLenByteArray) func(pqfile.ColumnChunkWriter, []int16, int, int) error {
	return func(w pqfile.ColumnChunkWriter, levels []int16, from, n int) error {
		_, err := w.(*pqfile.FixedLenByteArrayColumnChunkWriter).WriteBatch(present(of, levels, from), levels, nil)
		return err
	}
}

// present are the values of the rows that are not NULL.
func present[T any](of func(int) T, levels []int16, from int) []T {
	var out []T
	for i, level := range levels {
		if level > 0 {
			out = append(out, of(from+i))
		}
	}
	return out
}

var leaves = []leaf{
	{"i16", schema.NewIntLogicalType(16, true), pq.Types.Int32, -1, ints32(func(i int) int32 { return int32(-i) }), func(i int) string { return fmt.Sprint(-i) }},
	{"u32", schema.NewIntLogicalType(32, false), pq.Types.Int32, -1, ints32(func(i int) int32 { return int32(-1 - i) }), func(i int) string { return fmt.Sprint(uint32(int32(-1 - i))) }},
	{"u64", schema.NewIntLogicalType(64, false), pq.Types.Int64, -1, ints64(func(i int) int64 { return int64(-1 - i) }), func(i int) string { return fmt.Sprint(uint64(int64(-1 - i))) }},
	{"plain", schema.NoLogicalType{}, pq.Types.Int64, -1, ints64(func(i int) int64 { return int64(i) << 40 }), func(i int) string { return fmt.Sprint(int64(i) << 40) }},
	{"day", schema.DateLogicalType{}, pq.Types.Int32, -1, ints32(func(i int) int32 { return int32(i % 28) }), func(i int) string { return fmt.Sprintf("1970-01-%02d", 1+i%28) }},
	{"millis", schema.NewTimestampLogicalType(true, schema.TimeUnitMillis), pq.Types.Int64, -1, ints64(func(i int) int64 { return int64(i) }),
		func(i int) string {
			return strings.TrimRight(strings.TrimRight(fmt.Sprintf("1970-01-01 00:00:%02d.%03d", i/1000, i%1000), "0"), ".") + "+00"
		}},
	{"nanos", schema.NewTimestampLogicalType(false, schema.TimeUnitNanos), pq.Types.Int64, -1, ints64(func(int) int64 { return -1 }), func(int) string { return "1969-12-31 23:59:59.999999" }},
	{"price", schema.NewDecimalLogicalType(9, 2), pq.Types.Int32, -1, ints32(func(i int) int32 { return int32(-i) }), func(i int) string { return cents(-i) }},
	{"big", schema.NewDecimalLogicalType(30, 2), pq.Types.FixedLenByteArray, 16, fixed(func(i int) pq.FixedLenByteArray {
		b := make([]byte, 16)
		for j := range 12 {
			b[j] = 0xff
		}
		n := uint32(-(i + 1))
		b[12], b[13], b[14], b[15] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
		return b
	}), func(i int) string { return cents(-(i + 1)) }},
	{"name", schema.StringLogicalType{}, pq.Types.ByteArray, -1, byteses(func(i int) pq.ByteArray { return pq.ByteArray(fmt.Sprintf("näme %d", i%50)) }), func(i int) string { return fmt.Sprintf("näme %d", i%50) }},
	{"doc", schema.JSONLogicalType{}, pq.Types.ByteArray, -1, byteses(func(i int) pq.ByteArray { return pq.ByteArray(fmt.Sprintf(`{"b":%d,"a":[]}`, i)) }), func(i int) string { return fmt.Sprintf(`{"a": [], "b": %d}`, i) }},
	{"raw", schema.NoLogicalType{}, pq.Types.ByteArray, -1, byteses(func(i int) pq.ByteArray { return pq.ByteArray{byte(i), 0} }), func(i int) string { return fmt.Sprintf(`\x%02x00`, byte(i)) }},
	{"id", schema.UUIDLogicalType{}, pq.Types.FixedLenByteArray, 16, fixed(func(i int) pq.FixedLenByteArray { return append(make([]byte, 15), byte(i)) }),
		func(i int) string { return fmt.Sprintf("00000000-0000-0000-0000-0000000000%02x", byte(i)) }},
}

func cents(n int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// write makes a file of row groups, and gives its path.
func write(t testing.TB, cols []leaf, groups ...int) string {
	t.Helper()
	var fields schema.FieldList
	for _, c := range cols {
		n, err := schema.NewPrimitiveNodeLogical(c.name, pq.Repetitions.Optional, c.logical, c.typ, c.length, -1)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, n)
	}
	root, err := schema.NewGroupNode("schema", pq.Repetitions.Required, fields, -1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.parquet")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := pqfile.NewParquetWriter(out, root, pqfile.WithWriterProps(pq.NewWriterProperties(pq.WithCompression(compress.Codecs.Snappy))))
	from := 0
	for _, n := range groups {
		group := w.AppendRowGroup()
		levels := make([]int16, n)
		for i := range levels {
			if (from+i)%5 != 4 {
				levels[i] = 1
			}
		}
		for _, c := range cols {
			cw, err := group.NextColumn()
			if err == nil {
				err = c.write(cw, levels, from, n)
			}
			if err == nil {
				err = cw.Close()
			}
			if err != nil {
				t.Fatal(c.name, err)
			}
		}
		if err := group.Close(); err != nil {
			t.Fatal(err)
		}
		from += n
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// read reads a file from a row on, as text.
func read(path string, want repr.RowDesc, row int64, most int) ([]string, repr.RowDesc, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = in.Close() }() // it was only read
	t, err := Open(in, want, row)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = t.Close() }() // it was only read
	var out []string
	for {
		var records []file.Record
		if records, err = t.Next(most); err != nil || len(records) == 0 {
			return out, t.Columns(), err
		}
		for _, rec := range records {
			if rec.Err != nil {
				out = append(out, rec.Err.Error())
				continue
			}
			var values []string
			for i, d := range repr.DecodeRow(nil, rec.Row) {
				values = append(values, text(t.Columns()[i].Type, d))
			}
			out = append(out, strings.Join(values, "|"))
		}
	}
}

func text(t repr.Type, d repr.Datum) string {
	if d.IsNull() {
		return "∅"
	}
	return string(pgfmt.AppendText(nil, t, d, nil))
}

// TestRead: every type, NULL, several row groups, from any row on, in steps of any size.
func TestRead(t *testing.T) {
	t.Parallel()
	const rows = 3_000
	path := write(t, leaves, 1_000, 1, 1_999)
	got, cols, err := read(path, nil, 0, 4096)
	if err != nil || len(got) != rows {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	var types []string
	for _, c := range cols {
		types = append(types, c.Type.String())
	}
	if s := strings.Join(types, ", "); s != "smallint, bigint, numeric, bigint, date, timestamp with time zone, timestamp without time zone, numeric(9,2), numeric(30,2), text, jsonb, bytea, uuid" {
		t.Errorf("types %s", s)
	}
	for i, line := range got {
		var want []string
		for _, c := range leaves {
			if i%5 == 4 {
				want = append(want, "∅")
				continue
			}
			want = append(want, c.want(i))
		}
		if line != strings.Join(want, "|") {
			t.Fatalf("row %d is\n%s, want\n%s", i, line, strings.Join(want, "|"))
		}
	}
	for _, from := range []int64{1, 999, 1_000, 1_001, 2_999, 3_000, 5_000} {
		part, _, err := read(path, cols, from, 333)
		if err != nil || !slices.Equal(part, got[min(from, rows):]) {
			t.Errorf("from row %d: %d rows, %v", from, len(part), err)
		}
	}
}

// TestColumns: files are read by the names of columns; another type is an error, and so is what nests.
func TestColumns(t *testing.T) {
	t.Parallel()
	path := write(t, leaves[3:5], 3)
	want := repr.RowDesc{{Name: "day", Type: repr.TypeOf(repr.KindDate)}, {Name: "none", Type: repr.TypeOf(repr.KindText)}}
	if got, _, err := read(path, want, 0, 10); err != nil || !slices.Equal(got, []string{"1970-01-01|∅", "1970-01-02|∅", "1970-01-03|∅"}) {
		t.Errorf("%q, %v", got, err)
	}
	want[0].Type = repr.TypeOf(repr.KindText)
	if _, _, err := read(path, want, 0, 10); err == nil || !strings.Contains(err.Error(), `column "day" is of type date, and not text`) {
		t.Error(err)
	}
	bad := leaf{"t", schema.StringLogicalType{}, pq.Types.ByteArray, -1, byteses(func(i int) pq.ByteArray { return pq.ByteArray{'a', byte(0x7e + i)} }), nil}
	if got, _, err := read(write(t, []leaf{bad}, 3), nil, 0, 10); err != nil || len(got) != 3 || got[0] != "a~" || !strings.Contains(got[2], `column "t": invalid byte sequence`) {
		t.Errorf("%q, %v", got, err)
	}
	node, err := schema.NewPrimitiveNodeLogical("e", pq.Repetitions.Repeated, schema.NoLogicalType{}, pq.Types.Int32, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	root, err := schema.NewGroupNode("schema", pq.Repetitions.Required, schema.FieldList{node}, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := columnOf(schema.NewSchema(root).Column(0)); err == nil || err.Code != repr.CodeFeatureNotSupported {
		t.Error(err)
	}
}

// TestDamage: a file in which bytes are others, or that ends early, is an error or other rows, and nothing worse.
func TestDamage(t *testing.T) {
	t.Parallel()
	path := write(t, leaves, 50, 50)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for i := range 500 {
		b := slices.Clone(whole)
		if i%5 == 0 {
			b = b[:rng.IntN(len(b))]
		}
		for range 1 + rng.IntN(4) {
			if len(b) > 0 {
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := read(path, nil, 0, 30); err != nil {
			refused++
		}
	}
	if refused < 100 {
		t.Errorf("%d of 500 damaged files were refused", refused)
	}
}
