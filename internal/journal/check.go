package journal

import (
	"fmt"
	"maps"
	"path/filepath"

	"millrace/internal/disk"
)

// Report is what Check has found in a folder.
type Report struct {
	Format   uint32
	Folded   uint64 // the time up to which all is folded
	Last     uint64 // of the last record
	Files    []FileReport
	Notes    map[string][]byte // as of Last
	Rows     int64             // in runs
	Records  int64             // that a start replays one by one
	Recorded int64             // rows in them
	Torn     bool              // the last record is half there, as a crash leaves it: a start cuts it off
}

// FileReport is a file and what is wrong with it.
type FileReport struct {
	Name    string
	Bytes   int64
	Content string // in words
	Err     error
}

// Bad is how many files are not as they were written.
func (r *Report) Bad() int {
	n := 0
	for _, f := range r.Files {
		if f.Err != nil {
			n++
		}
	}
	return n
}

// Check reads all files of a journal that nobody has open, and changes nothing. It compares every checksum; row, if given, is
// shown every row of the runs and records. The error is one of the folder; what is wrong with files is in the report.
func Check(fs disk.FS, dir string, row func(collection uint64, row []byte, diff int64) error) (*Report, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	m, err := readManifest(fs, dir, names)
	if err != nil {
		return nil, err
	}
	c := &checking{fs: fs, dir: dir, row: row, r: &Report{Format: m.Format, Folded: m.Folded, Last: m.Folded, Notes: maps.Clone(m.Notes)}}
	if m.Number > 0 {
		c.file(manifestName(m.Number), fmt.Sprintf("%d runs, %d notes", len(m.Runs), len(m.Notes)), nil)
	}
	for _, r := range m.Runs {
		c.run(r)
	}
	c.segments(m, names)
	return c.r, nil
}

// checking is a check on its way.
type checking struct {
	fs  disk.FS
	dir string
	row func(collection uint64, row []byte, diff int64) error
	r   *Report
}

func (c *checking) file(name, content string, err error) {
	f := FileReport{Name: name, Content: content, Err: err}
	if file, oerr := c.fs.Open(filepath.Join(c.dir, name)); oerr == nil {
		f.Bytes, _ = file.Size()
		_ = file.Close() // it was only read
	} else if err == nil {
		f.Err = oerr
	}
	c.r.Files = append(c.r.Files, f)
}

// run reads a run to its end.
func (c *checking) run(r run) {
	rd, err := openRun(c.fs, filepath.Join(c.dir, r.File), r.Collection)
	if err != nil {
		c.file(r.File, "", err)
		return
	}
	defer rd.close()
	rows, err := c.blocks(rd)
	if err == nil && (rd.rows != rows || r.Rows != rows) {
		err = damage(r.File, 0, "the manifest says %d rows, the footer %d, there are %d", r.Rows, rd.rows, rows)
	}
	c.r.Rows += rows
	c.file(r.File, fmt.Sprintf("collection %d, %d rows", r.Collection, rows), err)
}

// blocks reads the blocks of a run.
func (c *checking) blocks(rd *runReader) (rows int64, err error) {
	for {
		b, err := rd.next()
		if err != nil || len(b.body) == 0 {
			return rows, err
		}
		if !b.look() {
			return rows, rd.damaged()
		}
		rows += int64(b.rows)
		if c.row == nil {
			continue
		}
		show := func(row []byte, diff int64) error { return c.row(rd.collection, row, diff) }
		if err := eachRow(show).block(&b); err != nil {
			return rows, err
		}
	}
}

// rows shows rows to who wants to see them.
func (c *checking) rows(collection uint64, b Batch) error {
	for i := 0; c.row != nil && i < b.Len(); i++ {
		if err := c.row(collection, b.Row(i), b.Diff(i)); err != nil {
			return err
		}
	}
	return nil
}

// segments reads those that are not folded.
func (c *checking) segments(m *manifest, names []string) {
	n := int64(0)
	all := &chain{fs: c.fs, dir: c.dir, see: func(f found) error { n++; return c.record(f) }}
	all.done = func(name string, torn bool, err error) {
		content := fmt.Sprintf("%d records", n)
		if torn {
			content += ", and one half written"
		}
		c.file(name, content, err)
		c.r.Torn, c.r.Records = torn, c.r.Records+n
		n = 0
	}
	_ = all.read(m, names) // it is in the report
	for _, s := range all.segments {
		c.r.Last = max(c.r.Last, s.last)
	}
}

func (c *checking) record(f found) error {
	rec, err := f.record()
	if err != nil {
		return err
	}
	set(c.r.Notes, rec.Notes)
	for _, ch := range rec.Changes {
		c.r.Recorded += int64(ch.Rows.Len())
		if err := c.rows(ch.Collection, ch.Rows); err != nil {
			return err
		}
	}
	return nil
}
