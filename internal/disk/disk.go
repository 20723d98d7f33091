package disk

import (
	"errors"
	"io"
	"syscall"
)

// FS is a file system as far as durable data needs one. Names are paths. A file or name is sure to be there after a crash only
// once it, and the folder that it was created or renamed in, have been synced.
type FS interface {
	// Create makes a new file for reading and writing; it fails when there is one.
	Create(name string) (File, error)
	// Open opens a file for reading and writing.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// List is the names in a folder, sorted.
	List(dir string) ([]string, error)
	MkdirAll(dir string) error
	SyncDir(dir string) error
	// Lock takes a file for this process alone, until the Closer is closed or the process ends. It fails with ErrLocked
	// when another process has it.
	Lock(name string) (io.Closer, error)
	// Free is how many bytes can still be written to the file system of a folder.
	Free(dir string) (uint64, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate reserves space up to size, which reads as zeros, so that writing there does not fail for want of space.
	Allocate(size int64) error
	Sync() error
}

// ErrLocked says that another process has the lock.
var ErrLocked = errors.New("locked by another process")

// IsFull says whether an error means that the disk, or the share of it that we may use, is full.
func IsFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
