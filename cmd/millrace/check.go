package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"millrace/coord"
	"millrace/internal/disk"
	"millrace/internal/journal"
	"millrace/repr"
)

// checkup is what a check has found.
type checkup struct {
	c    *config
	disk disk.System
	bad  int
}

// okay and problem write a line each; a problem makes the check fail.
func (u *checkup) okay(format string, args ...any) { fmt.Printf("ok       "+format+"\n", args...) }
func (u *checkup) note(format string, args ...any) { fmt.Printf("note     "+format+"\n", args...) }
func (u *checkup) problem(format string, args ...any) {
	u.bad++
	fmt.Printf("PROBLEM  "+format+"\n", args...)
}

// checkAll looks at a data directory that no server has open, at the machine, and at what the catalog leads to. It changes
// nothing.
func checkAll(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("millrace check", flag.ContinueOnError)
	var c config
	c.flags(fs)
	deep := fs.Bool("deep", false, "decode every row")
	reach := fs.Bool("connect", true, "try whether brokers and registries answer")
	if err := load(fs, &c, args); err != nil {
		return err
	}
	u := &checkup{c: &c, disk: disk.System{ReadOnly: true}}
	u.machine()
	if err := u.data(ctx, *deep, *reach); err != nil {
		return err
	}
	if u.bad > 0 {
		return fmt.Errorf("the check has found problems: %d", u.bad)
	}
	return nil
}

// The least that a server should have.
const (
	fewFiles  = 1024
	littleMem = 256 << 20
	littleGap = 1 << 30 // bytes on the disk
)

// machine looks at limits.
func (u *checkup) machine() {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		if files.Cur < fewFiles {
			u.problem("open files: %d are allowed, a server should have %d (ulimit -n)", files.Cur, fewFiles)
		} else {
			u.okay("open files: %d are allowed", files.Cur)
		}
	}
	memory, err := u.c.memoryBytes()
	switch {
	case err != nil:
		u.problem("memory: %v", err)
	case memory < littleMem:
		u.problem("memory: the limit is %d MiB", memory>>20)
	default:
		u.okay("memory: the limit is %d MiB (--memory-limit %s)", memory>>20, u.c.MemoryLimit)
	}
	if free, err := u.disk.Free(u.c.DataDir); err == nil {
		if free < littleGap {
			u.problem("disk: %d MiB are free", free>>20)
		} else {
			u.okay("disk: %d MiB are free", free>>20)
		}
	}
}

// data looks at the files of the data directory and at the catalog in them.
func (u *checkup) data(ctx context.Context, deep, reach bool) error {
	if _, err := os.Stat(u.c.DataDir); errors.Is(err, os.ErrNotExist) {
		u.note("%s is not there: a start makes it", u.c.DataDir)
		return nil
	}
	lock, err := u.disk.Lock(filepath.Join(u.c.DataDir, "LOCK"))
	if errors.Is(err, disk.ErrLocked) {
		u.note("%s is %v; its files are not looked at: millrace backup makes a copy that can be checked", u.c.DataDir, err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	widths := map[uint64]int{}
	rep, err := u.files(nil)
	if err != nil {
		return err
	}
	objects, err := coord.Inspect(ctx, coord.Options{Log: slog.New(slog.DiscardHandler), Version: version}, rep.Notes, reach)
	if err != nil {
		u.problem("catalog: %v", err)
		return nil
	}
	u.catalog(objects, reach, widths)
	if deep && u.bad == 0 {
		return u.rows(widths)
	}
	return nil
}

// files looks at every file, and says what a start would read.
func (u *checkup) files(row func(collection uint64, row []byte, diff int64) error) (*journal.Report, error) {
	rep, err := journal.Check(u.disk, u.c.DataDir, row)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, f := range rep.Files {
		total += f.Bytes
		if f.Err != nil {
			u.problem("%s: %v", f.Name, f.Err)
		} else {
			u.okay("%s: %d bytes, %s", f.Name, f.Bytes, f.Content)
		}
	}
	u.okay("data directory %s: format %d, %d files, %d bytes", u.c.DataDir, rep.Format, len(rep.Files), total)
	if rep.Torn {
		u.note("the last record is half written, as a crash leaves it; a start cuts it off")
	}
	u.note("a start reads %d rows, %d of them from %d records of the log, about %.1f s, and then fills the views", rep.Rows+rep.Recorded,
		rep.Recorded, rep.Records, float64(rep.Rows+rep.Recorded)/rowsASecond+float64(rep.Records)/recordsASecond)
	return rep, nil
}

// How fast a start reads, roughly: the estimate is there to tell seconds from minutes.
const (
	rowsASecond    = 2e6
	recordsASecond = 2e5
)

// catalog says what is there, and what does not come back or answer.
func (u *checkup) catalog(objects []coord.Inspected, reach bool, widths map[uint64]int) {
	failed := 0
	for _, x := range objects {
		if x.Width > 0 {
			widths[x.ID] = x.Width
		}
		if x.Err != nil {
			failed++
			u.problem("%s %s cannot be made again: %v", x.Kind, x.Name, x.Err)
		}
		switch {
		case !x.Leads || !reach:
		case x.Reach != nil:
			u.problem("%s %s: %v", x.Kind, x.Name, x.Reach)
		default:
			u.okay("%s %s: answers", x.Kind, x.Name)
		}
	}
	if failed == 0 {
		u.okay("catalog: %d objects can be made again", len(objects))
	}
}

// rows decodes every row.
func (u *checkup) rows(widths map[uint64]int) error {
	n, bad := 0, 0
	var values []repr.Datum
	_, err := journal.Check(u.disk, u.c.DataDir, func(collection uint64, row []byte, _ int64) error {
		if !coord.HoldsRows(collection) {
			return nil
		}
		n++
		ok := decodes(&values, row)
		if width, known := widths[collection]; !ok || known && len(values) != width {
			bad++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if bad > 0 {
		u.problem("rows: %d of %d do not decode", bad, n)
	} else {
		u.okay("rows: all %d decode", n)
	}
	return nil
}

// decodes says whether a row decodes.
func decodes(values *[]repr.Datum, row []byte) (ok bool) {
	defer func() { ok = recover() == nil }()
	*values = repr.DecodeRow((*values)[:0], row)
	return true
}
