package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/repr/format"
	formatbytes "millrace/repr/format/bytes"
	"millrace/repr/format/csv"
	"millrace/repr/format/json"
	"millrace/sources"
	"millrace/sources/infer"
)

// Format is what files hold.
type Format uint8

// The formats.
const (
	FormatText Format = iota // a row of each line
	FormatBytes
	FormatJSON // a value on each line
	FormatCSV
	FormatTable // files that are tables by themselves, as those of Parquet are
)

// Table is such a file, open at a row.
type Table interface {
	// Columns are those that are read.
	Columns() repr.RowDesc
	// Rows is how many rows there are in all.
	Rows() int64
	// Next gives the next rows, most at a time; none at the end.
	Next(most int) ([]Record, error)
	Close() error
}

// Record is a row, packed, or why there is none.
type Record struct {
	Row []byte
	Err *repr.Error
}

// OpenTable opens a table at a row. want are the columns that are read, by their names, NULL where a file does not have them; nil: those
// of the file.
type OpenTable func(in *os.File, want repr.RowDesc, row int64) (Table, error)

// Config says what is read.
type Config struct {
	Root    string // the folder inside which files are read
	Pattern string // relative to it, with slashes: a name, or one with *, ? and […] for several
	Tail    bool   // files are followed as they grow, but packed ones, which are complete
	Format  Format
	// Compression is how the files are packed, where the format is not that of tables.
	Compression Compression
	Include     []Include    // columns behind the others
	Columns     repr.RowDesc // of JSON and CSV, as declared
	Infer       bool         // of JSON: the columns are what the first records have, and what no column has is kept
	Count       int          // of CSV without declared columns: how many there are; 0: as many as the header has
	Delimiter   byte         // of CSV; 0: a comma
	Header      bool         // of CSV: each file begins with the names of the columns
	Names       []string     // of the columns, when others are wanted
	Keys        [][]string   // that nobody enforces
	Open        OpenTable    // of FormatTable
	Kept        string       // what Schemas gave before a restart
	Clock       clock.Clock
	Log         *slog.Logger
}

// Source reads files.
type Source struct {
	cfg    Config
	header string       // the first record of the first file, of CSV whose columns it names; the columns of tables, as JSON
	cols   repr.RowDesc // of tables
	fields []string
	files  []*file // by number, which is that of the partition, from one on
	held   atomic.Int64
	rest   *json.Columns // of Infer: what keeps the rest
	policy atomic.Pointer[sources.ErrorPolicy]

	mu      sync.Mutex   // guards what follows
	widened repr.RowDesc // members that became columns since that was asked last
}

// Metadata is what can be told of a record beside its content.
type Metadata uint8

// What there is.
const (
	IncludeFile   Metadata = iota // its name inside the folder
	IncludeLine                   // from one on; of a table, the row
	IncludeOffset                 // the byte of the content at which it begins; of a table, the row from zero on
	IncludeTime                   // when the file was last changed
)

// Include is a column of what is told of records.
type Include struct {
	What Metadata
	As   string
}

var metadataKinds = [...]repr.Kind{IncludeFile: repr.KindText, IncludeLine: repr.KindInt8, IncludeOffset: repr.KindInt8, IncludeTime: repr.KindTimestamp}

// New makes a source.
func New(cfg Config) *Source { return &Source{cfg: cfg, header: cfg.Kept} }

// several says whether a pattern can mean more than one file.
func (s *Source) several() bool { return strings.ContainsAny(s.cfg.Pattern, `*?[`) }

// place is a file of the folder as messages name it.
func (s *Source) place(name string) string { return s.cfg.Root + "/" + name }

// within runs f with the folder.
func (s *Source) within(f func(root *os.Root) error) error {
	root, err := os.OpenRoot(s.cfg.Root)
	if err != nil {
		return problem(s.cfg.Root, err)
	}
	defer func() { _ = root.Close() }() // it was only read
	return f(root)
}

// problem is what the system says of a file, as users see it.
func problem(place string, err error) *repr.Error {
	var e *repr.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, fs.ErrNotExist):
		return repr.NewError("58P01", "file \""+place+"\" does not exist")
	case errors.Is(err, fs.ErrPermission):
		return repr.NewError(repr.CodeInsufficientPrivilege, "the server may not read file \""+place+"\"")
	default:
		return repr.NewError("58030", "file \""+place+"\" cannot be read: "+err.Error())
	}
}

// list gives the names of the files that the pattern means.
func (s *Source) list(root *os.Root) ([]string, error) {
	names, err := fs.Glob(root.FS(), s.cfg.Pattern)
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, "the pattern \""+s.cfg.Pattern+"\" does not parse")
	}
	if len(names) == 0 && !s.several() {
		return nil, problem(s.place(s.cfg.Pattern), fs.ErrNotExist)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := root.Stat(name)
		return err == nil && !info.Mode().IsRegular()
	}), nil
}

// Describe looks whether the files are there, and gives the columns.
func (s *Source) Describe(context.Context) (repr.RowDesc, [][]int, error) {
	err := s.within(func(root *os.Root) error {
		names, err := s.list(root)
		switch {
		case err != nil:
			return err
		case len(names) == 0 && !s.several():
			return repr.NewError(repr.CodeWrongObjectType, "\""+s.place(s.cfg.Pattern)+"\" is not a file").
				WithHint("for the files of a folder write " + s.cfg.Pattern + "/*")
		case s.header == "" && s.namedByHeader():
			return s.readHeader(root, names)
		case s.header == "" && s.cfg.Format == FormatTable:
			return s.readColumns(root, names)
		case s.header == "" && s.cfg.Infer:
			return s.inferColumns(root, names)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if s.cfg.Format == FormatTable {
		if err := s.recallColumns(); err != nil {
			return nil, nil, err
		}
		return s.shape(s.cols)
	}
	dec, err := s.decoder()
	if err != nil {
		return nil, nil, err
	}
	return s.shape(dec.Columns())
}

// shape gives columns the names that were asked for, and finds the keys.
func (s *Source) shape(cols repr.RowDesc) (repr.RowDesc, [][]int, error) {
	cols = slices.Clone(cols)
	for _, in := range s.cfg.Include {
		cols = append(cols, repr.Column{Name: in.As, Type: repr.TypeOf(metadataKinds[in.What]), NotNull: true})
	}
	if n := s.cfg.Names; n != nil {
		if len(n) != len(cols) {
			return nil, nil, repr.NewError(repr.CodeSyntax, fmt.Sprintf("%d names are given for %d columns", len(n), len(cols)))
		}
		for i := range n {
			cols[i].Name = n[i]
		}
	}
	var keys [][]int
	for _, key := range s.cfg.Keys {
		var at []int
		for _, name := range key {
			i := cols.Index(name)
			if i < 0 {
				return nil, nil, repr.NewError(repr.CodeUndefinedColumn, "column \""+name+"\" named in key does not exist")
			}
			at = append(at, i)
		}
		keys = append(keys, at)
	}
	for i := range cols {
		if cols[:i].Index(cols[i].Name) >= 0 {
			return nil, nil, repr.NewError(repr.CodeDuplicateColumn, "column \""+cols[i].Name+"\" specified more than once")
		}
	}
	if s.rest != nil {
		cols = append(cols, repr.Column{Name: infer.RestColumn, Type: repr.TypeOf(repr.KindJSONB)})
	}
	return cols, keys, nil
}

// Grows says that nothing is taken back.
func (*Source) Grows() bool { return true }

// Schemas are the header that names the columns.
func (s *Source) Schemas() (value, key string) { return s.header, "" }

// Held gives the bytes that were read and not handed over.
func (s *Source) Held() (remembered, fetched int64) { return 0, s.held.Load() }

// namedByHeader says whether the columns are those of the first file's header.
func (s *Source) namedByHeader() bool {
	return s.cfg.Format == FormatCSV && s.cfg.Header && len(s.cfg.Columns) == 0
}

// readHeader takes the first record of the first file.
func (s *Source) readHeader(root *os.Root, names []string) error {
	if len(names) == 0 {
		return repr.NewError(repr.CodeObjectNotReady, "there is no file \""+s.place(s.cfg.Pattern)+"\" yet whose header says the names of the columns").
			WithHint("name them: FORMAT CSV WITH HEADER (a, b)")
	}
	f, err := root.Open(names[0])
	if err != nil {
		return problem(s.place(names[0]), err)
	}
	defer func() { _ = f.Close() }() // it was only read
	c, err := s.contentOf(f, names[0])
	if err != nil {
		return problem(s.place(names[0]), err)
	}
	defer c.close()
	head, err := io.ReadAll(io.LimitReader(c, mostHeader))
	if err != nil {
		return problem(s.place(names[0]), err)
	}
	l := lines{quotes: true}
	l.add(head)
	record, ok := l.next()
	if !ok {
		record = l.rest()
	}
	s.header = string(bytes.TrimRight(bytes.TrimPrefix(record, bom), "\r\n"))
	if s.header == "" {
		return repr.NewError(repr.CodeObjectNotReady, "file \""+s.place(names[0])+"\" has no header")
	}
	return nil
}

// mostHeader is how long a header can be.
const mostHeader = 1 << 20

// decoder makes rows of records.
func (s *Source) decoder() (format.Decoder, error) {
	switch s.cfg.Format {
	case FormatText:
		return formatbytes.Text{}, nil
	case FormatBytes:
		return formatbytes.Bytes{}, nil
	case FormatJSON:
		if s.cfg.Infer {
			return s.inferred()
		}
		if len(s.cfg.Columns) == 0 {
			return &json.Decoder{}, nil
		}
		return json.NewColumns(s.cfg.Columns), nil
	case FormatCSV:
		return s.csvDecoder()
	case FormatTable:
	}
	return nil, errors.New("a table is not made of records")
}

func (s *Source) csvDecoder() (format.Decoder, error) {
	opts := csv.Options{Delimiter: s.cfg.Delimiter}
	cols := slices.Clone(s.cfg.Columns)
	text := repr.TypeOf(repr.KindText)
	for i := range s.cfg.Count {
		cols = append(cols, repr.Column{Name: fmt.Sprintf("column%d", i+1), Type: text})
	}
	if s.namedByHeader() {
		names, err := csv.Names([]byte(s.header), opts)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			cols = append(cols, repr.Column{Name: name, Type: text})
		}
	}
	if s.cfg.Header {
		s.fields = nil
		for _, c := range cols {
			s.fields = append(s.fields, c.Name)
		}
	}
	return csv.NewDecoder(cols, opts), nil
}

// checkHeader says what is wrong with the first record of a file, which names the columns.
func (s *Source) checkHeader(record []byte) error {
	names, err := csv.Names(record, csv.Options{Delimiter: s.cfg.Delimiter})
	if err == nil && !slices.Equal(names, s.fields) {
		err = fmt.Errorf("its header is %s, and the columns are %s", strings.Join(names, ", "), strings.Join(s.fields, ", "))
	}
	return err
}
