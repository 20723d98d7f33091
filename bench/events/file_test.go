package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/bench/generate"
	"millrace/repr"
)

func write(t testing.TB, name string, make func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := make(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// each calls see for every record of a file, read in batches of n; those of one table come in order.
func each(t testing.TB, f *File, n int, see func(table string, row []repr.Datum, diff repr.Diff)) {
	t.Helper()
	var b Batch
	var row []repr.Datum
	for {
		err := f.Read(&b, n)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for t, builder := range b.Tables {
			rows := builder.View()
			for i := range rows.Len() {
				row = repr.DecodeRow(row[:0], rows.Row(i))
				see(f.Tables()[t].Name, row, rows.Diff(i))
			}
		}
	}
}

func TestNexmarkRows(t *testing.T) {
	t.Parallel()
	path := write(t, "nexmark.bin", func(w io.Writer) error { return generate.Nexmark(w, 20000) })
	f := open(t, path)
	count := map[string]int{}
	var stamps []int64
	each(t, f, 1, func(table string, row []repr.Datum, diff repr.Diff) {
		var columns repr.RowDesc
		for _, tb := range f.Tables() {
			if tb.Name == table {
				columns = tb.Columns
			}
		}
		if len(row) != len(columns) || diff != 1 {
			t.Fatalf("%s: %d columns of %d, diff %d", table, len(row), len(columns), diff)
		}
		for i, c := range columns {
			if row[i].Kind() != c.Type.Kind {
				t.Fatalf("%s.%s is a %v, want %v", table, c.Name, row[i].Kind(), c.Type.Kind)
			}
		}
		count[table]++
		stamps = append(stamps, row[columns.Index("ts")].Int())
	})
	if count["person"] != 400 || count["auction"] != 1200 || count["bid"] != 18400 {
		t.Errorf("got %v, want 400 people, 1200 auctions, 18400 bids", count)
	}
	for n, got := range stamps {
		want := (1_700_000_000_000 + int64(n)/10 - millis2000) * 1000
		if got != want {
			t.Fatalf("event %d is at %d, want %d", n, got, want)
		}
	}
}

// The tables of an update file never hold a row a negative number of times, and never two rows of a unique key.
func TestUpdatesAreOfRowsThatAreThere(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		make func(io.Writer) error
		left map[string]int64 // rows at the end
	}{
		{"kv.bin", func(w io.Writer) error { return generate.KV(w, 20000, 100) }, nil},
		{"join2.bin", func(w io.Writer) error {
			return generate.Join2(w, generate.Join2Sizes{Left: 300, Right: 1500, LeftUpdates: 500, RightUpdates: 900})
		},
			map[string]int64{"l": 300, "r": 1500}},
		{"q3.bin", func(w io.Writer) error { return generate.Q3(w, 2, 100) }, map[string]int64{"c": 300, "o": 3000}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, write(t, tc.name, tc.make))
			held, sizes, records := map[string]int64{}, map[string]int64{}, int64(0)
			each(t, f, 1000, func(table string, row []repr.Datum, diff repr.Diff) {
				key := table + string(repr.AppendRow(nil, row))
				held[key] += diff
				sizes[table] += diff
				records++
				if held[key] < 0 || held[key] > 1 {
					t.Fatalf("record %d: %s %v is there %d times", records-1, table, row, held[key])
				}
			})
			if records != f.Len() {
				t.Errorf("got %d records, the header says %d", records, f.Len())
			}
			for table, want := range tc.left {
				if sizes[table] != want {
					t.Errorf("%s holds %d rows at the end, want %d", table, sizes[table], want)
				}
			}
		})
	}
}

func TestLoadEndsWhereTheHeaderSays(t *testing.T) {
	t.Parallel()
	f := open(t, write(t, "q3.bin", func(w io.Writer) error { return generate.Q3(w, 2, 3) }))
	if f.Len() != 15279 || f.LoadLen() != 15201 {
		t.Fatalf("got %d records, %d of the load; want 15279, 15201", f.Len(), f.LoadLen())
	}
	n := int64(0)
	each(t, f, 100, func(_ string, _ []repr.Datum, diff repr.Diff) {
		if diff < 0 && n < f.LoadLen() {
			t.Fatalf("record %d of the load is a retraction", n)
		}
		n++
	})
}

func TestBatchSizeDoesNotMatter(t *testing.T) {
	t.Parallel()
	path := write(t, "join2.bin", func(w io.Writer) error {
		return generate.Join2(w, generate.Join2Sizes{Left: 100, Right: 500, LeftUpdates: 50, RightUpdates: 70})
	})
	sums := map[int]string{}
	for _, n := range []int{1, 7, 1000} {
		var c Check
		each(t, open(t, path), n, func(_ string, row []repr.Datum, diff repr.Diff) { c.Add(repr.AppendRow(nil, row), diff) })
		sums[n] = c.String()
	}
	if sums[1] != sums[7] || sums[1] != sums[1000] {
		t.Errorf("got %v, want one sum", sums)
	}
}

// Tables that are not wanted are stepped over; what is left is the same.
func TestWant(t *testing.T) {
	t.Parallel()
	path := write(t, "nexmark.bin", func(w io.Writer) error { return generate.Nexmark(w, 5000) })
	for want := range 3 {
		var all, some Check
		f := open(t, path)
		name := f.Tables()[want].Name
		each(t, f, 100, func(table string, row []repr.Datum, diff repr.Diff) {
			if table == name {
				all.Add(repr.AppendRow(nil, row), diff)
			}
		})
		g := open(t, path)
		g.Want(func(i int) bool { return i == want })
		each(t, g, 100, func(_ string, row []repr.Datum, diff repr.Diff) { some.Add(repr.AppendRow(nil, row), diff) })
		if all != some || all.Out == 0 {
			t.Errorf("%s: got %v, want %v", name, some.String(), all.String())
		}
	}
}

// Records longer than the buffer are read whole, and texts of any bytes are judged as they are everywhere.
func TestTextsOfAnyKind(t *testing.T) {
	t.Parallel()
	texts := []string{"", "a", "ascii of more than eight bytes", "größer als acht Bytes", "日本語", "12345678é", strings.Repeat("x", 65535), strings.Repeat("€", 20000)}
	data := binary.LittleEndian.AppendUint64(nil, uint64(len(texts)))
	for _, text := range texts {
		data = append(data, 0)
		data = append(data, make([]byte, 16)...)
		for range 6 {
			data = binary.LittleEndian.AppendUint16(data, uint16(len(text)))
			data = append(data, text...)
		}
	}
	path := write(t, "nexmark.bin", func(w io.Writer) error { _, err := w.Write(data); return err })
	n := 0
	each(t, open(t, path), 3, func(_ string, row []repr.Datum, _ repr.Diff) {
		for _, d := range row[2:] {
			if d.Str() != texts[n] {
				t.Fatalf("record %d holds %d bytes, want %d", n, len(d.Bytes()), len(texts[n]))
			}
		}
		n++
	})
	if n != len(texts) {
		t.Errorf("got %d records of %d", n, len(texts))
	}
	for _, bad := range []string{"\x00", "1234567\x00", "12345678\x00", "\xff", "1234567\xff", "12345678é\x00", "12345678\xc3"} {
		if plainText([]byte(bad)) {
			t.Errorf("%q is taken for a text", bad)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	one := func(kind byte, text string) []byte {
		b := binary.LittleEndian.AppendUint64(nil, 1)
		b = append(b, kind)
		b = append(b, make([]byte, 24)...)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
		return append(b, text...)
	}
	for _, tc := range []struct {
		name, file, want string
		data             []byte
	}{
		{"no header", "kv.bin", "header", []byte{1, 2}},
		{"negative count", "kv.bin", "cannot be", bytes.Repeat([]byte{0xff}, 8)},
		{"load beyond all", "join2.bin", "cannot be", append(binary.LittleEndian.AppendUint64(nil, 1), 2, 0, 0, 0, 0, 0, 0, 0)},
		{"unknown table", "nexmark.bin", "no table 9", one(9, "")},
		{"short record", "nexmark.bin", "ends early", one(2, "a")},
		{"long text", "nexmark.bin", "ends early", append(one(2, ""), 0xff, 0xff)},
		{"NUL", "nexmark.bin", "NUL", one(2, "a\x00b")},
		{"bad UTF-8", "nexmark.bin", "UTF-8", one(2, "a\xffb")},
		{"missing diff", "kv.bin", "record 0", append(binary.LittleEndian.AppendUint64(nil, 1), make([]byte, 16)...)},
		{"other name", "x.bin", "must begin with", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tc.file, func(w io.Writer) error { _, err := w.Write(tc.data); return err })
			var b Batch
			f, err := Open(path)
			if err == nil {
				defer func() { _ = f.Close() }()
				err = f.Read(&b, 10)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want an error with %q that names the file", err, tc.want)
			}
			if b.Len() != 0 || b.Bytes() != 0 {
				t.Errorf("the batch holds %d records of %d bytes", b.Len(), b.Bytes())
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, bc := range []struct {
		name string
		make func(io.Writer) error
	}{
		{"nexmark.bin", func(w io.Writer) error { return generate.Nexmark(w, 200_000) }},
		{"kv.bin", func(w io.Writer) error { return generate.KV(w, 500_000, 100_000) }},
		{"join2.bin", func(w io.Writer) error {
			return generate.Join2(w, generate.Join2Sizes{Left: 50_000, Right: 250_000, LeftUpdates: 10_000, RightUpdates: 50_000})
		}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			path := write(b, bc.name, bc.make)
			var batch Batch
			var records, size int64
			for b.Loop() {
				f := open(b, path)
				records = f.Len()
				size = 0
				for f.Read(&batch, 10_000) == nil {
					size += int64(batch.Bytes())
				}
			}
			per := float64(b.Elapsed().Nanoseconds()) / float64(int64(b.N)*records)
			b.ReportMetric(per, "ns/event")
			b.ReportMetric(float64(size)/float64(records), "B/row")
		})
	}
}
