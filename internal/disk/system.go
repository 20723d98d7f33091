package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// System is the file system of the machine.
type System struct {
	ReadOnly bool // files are opened for reading alone, and a lock that is not there is not made
}

// Create makes a new file that only its owner can read.
func (System) Create(name string) (File, error) { return open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL) }

// Open opens a file.
func (s System) Open(name string) (File, error) {
	if s.ReadOnly {
		return open(name, os.O_RDONLY)
	}
	return open(name, os.O_RDWR)
}

func open(name string, flags int) (File, error) {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &systemFile{File: f, flags: flags &^ (os.O_CREATE | os.O_EXCL)}, nil
}

// Rename gives a file another name.
func (System) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file.
func (System) Remove(name string) error { return os.Remove(name) }

// List is the names in a folder.
func (System) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names, nil
}

// MkdirAll makes a folder that only its owner can enter.
func (System) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// SyncDir makes the names in a folder durable.
func (System) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Lock takes a lock file; its content is the number of the process, for people.
func (s System) Lock(name string) (io.Closer, error) {
	flags := os.O_RDWR | os.O_CREATE
	if s.ReadOnly {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if s.ReadOnly && errors.Is(err, os.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(f, 20))
		_ = f.Close()
		if pid := strings.TrimSpace(string(owner)); pid != "" && errors.Is(err, ErrLocked) {
			err = fmt.Errorf("%w: process %s", err, pid)
		}
		return nil, err
	}
	if s.ReadOnly {
		return f, nil
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return f, nil
}
