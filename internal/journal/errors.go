package journal

import (
	"errors"
	"fmt"
)

// ErrFull says that the disk is full: nothing of the record was written, and a later one may succeed.
var ErrFull = errors.New("the disk is full")

// ErrClosed says that the journal was closed.
var ErrClosed = errors.New("the journal is closed")

// DamageError says that a file does not hold what was written to it.
type DamageError struct {
	File   string
	Offset int64
	Why    string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s", e.File, e.Offset, e.Why)
}

// VersionError says that the data was written by a release with another format.
type VersionError struct {
	File      string
	Found     uint32
	Supported uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has format %d; this release reads formats up to %d: run the release that wrote it, or a newer one",
		e.File, e.Found, e.Supported)
}

func damage(file string, offset int64, format string, args ...any) error {
	return &DamageError{File: file, Offset: offset, Why: fmt.Sprintf(format, args...)}
}
