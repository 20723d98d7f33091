package parquet

import (
	"fmt"
	"os"

	pqfile "github.com/apache/arrow-go/v18/parquet/file"

	"millrace/repr"
	"millrace/sources/file"
)

// table is a file that is open.
type table struct {
	in      *pqfile.Reader
	cols    repr.RowDesc
	how     []*column // by place among cols; nil where the file does not have it
	from    []int     // the column of the file
	group   int       // the row group that is read
	left    int64     // rows of it that were not read
	readers []next    // of its columns; nil: it was not begun
}

// Open opens a file at a row. want are the columns that are read, by their names; nil: those of the file.
func Open(in *os.File, want repr.RowDesc, row int64) (file.Table, error) {
	t := &table{cols: want}
	err := calmly(func() error { return t.open(in, row) })
	if err != nil {
		return nil, err
	}
	return t, nil
}

// calmly makes an error of a panic of the library: a file may be anything.
func calmly(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = repr.NewError(repr.CodeInvalidText, fmt.Sprintf("the file is damaged: %v", p))
		}
	}()
	return f()
}

func (t *table) open(in *os.File, row int64) error {
	var err error
	if t.in, err = pqfile.NewParquetReader(in); err != nil {
		return repr.NewError(repr.CodeInvalidText, "this is no file of Parquet: "+err.Error())
	}
	schema := t.in.MetaData().Schema
	names := map[string]int{}
	hows := make([]*column, schema.NumColumns())
	var all repr.RowDesc
	for i := range hows {
		c := schema.Column(i)
		how, err := columnOf(c)
		if err != nil {
			return err
		}
		names[c.Name()], hows[i] = i, how
		all = append(all, repr.Column{Name: c.Name(), Type: how.typ})
	}
	if t.cols == nil {
		t.cols = all
	}
	for _, c := range t.cols {
		i, ok := names[c.Name]
		if !ok {
			t.how, t.from = append(t.how, nil), append(t.from, 0)
			continue
		}
		if hows[i].typ != c.Type {
			return repr.NewError(repr.CodeDatatypeMismatch, "column \""+c.Name+"\" is of type "+hows[i].typ.String()+", and not "+c.Type.String())
		}
		t.how, t.from = append(t.how, hows[i]), append(t.from, i)
	}
	return t.seek(row)
}

// seek goes to a row.
func (t *table) seek(row int64) error {
	for t.group < t.in.NumRowGroups() {
		rows := t.in.RowGroup(t.group).NumRows()
		if row < rows {
			break
		}
		row -= rows
		t.group++
	}
	for row > 0 && t.group < t.in.NumRowGroups() {
		n := min(row, 4096)
		if _, err := t.next(int(n)); err != nil {
			return err
		}
		row -= n
	}
	return nil
}

// Columns are those that are read.
func (t *table) Columns() repr.RowDesc { return t.cols }

// Rows is how many rows there are.
func (t *table) Rows() int64 { return t.in.NumRows() }

// Close ends the reading.
func (t *table) Close() error { return calmly(t.in.Close) }

// Next gives the next rows, most at a time; none at the end.
func (t *table) Next(most int) (out []file.Record, err error) {
	err = calmly(func() error {
		var err error
		out, err = t.next(most)
		return err
	})
	return out, err
}

func (t *table) next(most int) ([]file.Record, error) {
	for t.readers == nil || t.left == 0 {
		if t.readers != nil {
			t.group, t.readers = t.group+1, nil
		}
		if t.group >= t.in.NumRowGroups() {
			return nil, nil
		}
		if err := t.begin(); err != nil {
			return nil, err
		}
	}
	n := int(min(int64(most), t.left))
	columns := make([][]value, len(t.cols))
	for i, read := range t.readers {
		if read == nil {
			continue
		}
		var err error
		if columns[i], err = read(n); err != nil {
			return nil, fmt.Errorf("column %q: %w", t.cols[i].Name, err)
		}
	}
	t.left -= int64(n)
	out := make([]file.Record, n)
	for row := range out {
		out[row] = t.record(columns, row)
	}
	return out, nil
}

// begin opens the columns of a row group.
func (t *table) begin() error {
	group := t.in.RowGroup(t.group)
	t.left = group.NumRows()
	t.readers = make([]next, len(t.cols))
	for i, how := range t.how {
		if how == nil {
			continue
		}
		r, err := group.Column(t.from[i])
		if err != nil {
			return err
		}
		if t.readers[i] = how.open(r, r.Descriptor().MaxDefinitionLevel()); t.readers[i] == nil {
			return fmt.Errorf("column %q is not of the type that the file says", t.cols[i].Name)
		}
	}
	return nil
}

// record packs a row, or gives the error of a value in it.
func (t *table) record(columns [][]value, row int) file.Record {
	var packed []byte
	for i, c := range columns {
		switch {
		case c == nil:
			packed = repr.Append(packed, repr.Null)
		case c[row].err != nil:
			e := *c[row].err
			e.Message = "column \"" + t.cols[i].Name + "\": " + e.Message
			return file.Record{Err: &e}
		default:
			packed = repr.Append(packed, c[row].datum)
		}
	}
	return file.Record{Row: packed}
}
