package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// reading gives the values of a column chunk, as many as the group has rows.
type reading func(r file.ColumnChunkReader, c *column, rows int) ([]repr.Datum, error)

var (
	errShort = errors.New("it ends before its rows do")
	errOther = errors.New("it is not of the type that it was written with")
)

// readAs reads values of a type of the format, each as of makes one of them.
func readAs[T any, R interface {
	ReadBatch(n int64, values []T, levels, repeated []int16) (int64, int, error)
}](of func(c *column, v T) (repr.Datum, error)) reading {
	return func(r file.ColumnChunkReader, c *column, rows int) ([]repr.Datum, error) {
		in, ok := r.(R)
		if !ok {
			return nil, errOther
		}
		most := r.Descriptor().MaxDefinitionLevel()
		out := make([]repr.Datum, 0, rows)
		buf, levels := make([]T, rows), make([]int16, rows)
		for len(out) < rows {
			n, filled, err := in.ReadBatch(int64(rows-len(out)), buf, levels, nil)
			if err != nil {
				return nil, err
			}
			if n <= 0 {
				return nil, errShort
			}
			if out, err = appendValues(out, levels[:n], most, buf[:filled], func(v T) (repr.Datum, error) { return of(c, v) }); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

// appendValues appends a value for each level; of those below the most there is none, which is NULL.
func appendValues[T any](dst []repr.Datum, levels []int16, most int16, values []T, of func(T) (repr.Datum, error)) ([]repr.Datum, error) {
	for _, level := range levels {
		if most > 0 && level < most {
			dst = append(dst, repr.Null)
			continue
		}
		if len(values) == 0 {
			return nil, errShort
		}
		d, err := of(values[0])
		if err != nil {
			return nil, err
		}
		dst, values = append(dst, d), values[1:]
	}
	return dst, nil
}

var (
	readBools   = readAs[bool, *file.BooleanColumnChunkReader](func(_ *column, v bool) (repr.Datum, error) { return repr.Bool(v), nil })
	readFloats  = readAs[float32, *file.Float32ColumnChunkReader](func(_ *column, v float32) (repr.Datum, error) { return repr.Float4(v), nil })
	readDoubles = readAs[float64, *file.Float64ColumnChunkReader](func(_ *column, v float64) (repr.Datum, error) { return repr.Float8(v), nil })
	readInt32   = readAs[int32, *file.Int32ColumnChunkReader](func(c *column, v int32) (repr.Datum, error) {
		n := int64(v)
		if c.typ.Kind == repr.KindDate {
			n -= unixDays
		}
		return repr.IntOf(c.typ.Kind, n), nil
	})
	readInt64 = readAs[int64, *file.Int64ColumnChunkReader](func(c *column, v int64) (repr.Datum, error) {
		if c.typ.Kind == repr.KindTimestamp || c.typ.Kind == repr.KindTimestampTZ {
			v -= unixMicros
		}
		return repr.IntOf(c.typ.Kind, v), nil
	})
	readDecimals = readAs[int64, *file.Int64ColumnChunkReader](func(c *column, v int64) (repr.Datum, error) {
		_, scale := precision(c.typ)
		return repr.Numeric(v, scale), nil
	})
	readBytes = readAs[parquet.ByteArray, *file.ByteArrayColumnChunkReader](func(c *column, v parquet.ByteArray) (repr.Datum, error) {
		return repr.StringOf(c.typ.Kind, slices.Clone(v)), nil
	})
	readTexts = readAs[parquet.ByteArray, *file.ByteArrayColumnChunkReader](func(c *column, v parquet.ByteArray) (repr.Datum, error) {
		return parse(c.typ, string(v))
	})
)

// parse reads a value that was written as its text.
func parse(t repr.Type, text string) (repr.Datum, error) {
	d, err := pgfmt.ParseText(t, text, nil)
	if err != nil {
		return repr.Null, err
	}
	return d, nil
}

// read gives the rows of a file in a folder, packed with all columns of the view, and how often each is there by it. A row is valid until
// the next.
func (t *target) read(folder string, body []byte, each func(row []byte, diff int64)) (err error) {
	defer func() {
		if p := recover(); p != nil { // of the library, over a file that is damaged
			err = fmt.Errorf("it is damaged: %v", p)
		}
	}()
	row := make([]repr.Datum, len(t.cfg.Cols))
	if err := t.parted(row, folder); err != nil {
		return err
	}
	r, err := file.NewParquetReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	columns := t.written()
	if found := r.MetaData().Schema; found.NumColumns() != len(columns) {
		return fmt.Errorf("it has %d columns, and not %d", found.NumColumns(), len(columns))
	}
	for g := range r.NumRowGroups() {
		if err := readGroup(r.RowGroup(g), columns, row, each); err != nil {
			return err
		}
	}
	return r.Close()
}

// readGroup reads a row group column by column. The columns that are in no file are set in row.
func readGroup(group *file.RowGroupReader, columns []column, row []repr.Datum, each func(row []byte, diff int64)) error {
	values := make([][]repr.Datum, len(columns))
	for i := range columns {
		var err error
		if values[i], err = readColumn(group, i, &columns[i]); err != nil {
			return fmt.Errorf("column %q: %w", columns[i].name, err)
		}
	}
	var packed []byte
	for n := range int(group.NumRows()) {
		diff := int64(1)
		for i := range columns {
			switch from := columns[i].from; from {
			case timeColumn:
			case diffColumn:
				diff = values[i][n].Int()
			default:
				row[from] = values[i][n]
			}
		}
		packed = repr.AppendRow(packed[:0], row)
		each(packed, diff)
	}
	return nil
}

func readColumn(group *file.RowGroupReader, i int, c *column) ([]repr.Datum, error) {
	in, err := group.Column(i)
	if err != nil {
		return nil, err
	}
	if name := in.Descriptor().Name(); name != c.name {
		return nil, fmt.Errorf("%q stands in its place", name)
	}
	return c.how.read(in, c, int(group.NumRows()))
}

// parted sets the columns that files are parted by to what a folder says: the inverse of folderOf.
func (t *target) parted(row []repr.Datum, folder string) error {
	parts := strings.Split(folder, "/")
	if len(t.cfg.Partition) == 0 {
		parts = nil
	}
	if len(parts) != len(t.cfg.Partition) {
		return fmt.Errorf("folder %q is not one of this sink", folder)
	}
	for i, k := range t.cfg.Partition {
		_, escaped, _ := strings.Cut(parts[i], "=")
		if escaped == noValue {
			row[k] = repr.Null
			continue
		}
		text, err := url.QueryUnescape(escaped)
		if err == nil {
			row[k], err = parse(t.cfg.Cols[k].Type, text)
		}
		if err != nil {
			return fmt.Errorf("folder %q: %w", folder, err)
		}
	}
	return nil
}
