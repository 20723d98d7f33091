package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"syscall"

	"millrace/internal/s3"
	"millrace/repr"
	"millrace/sinks"
)

// Config says what to write, and where.
type Config struct {
	Store     Store
	Prefix    string // of the names of all files
	Cols      repr.RowDesc
	Partition []int // the columns that files are parted by; they are in the names of folders, not in the files
	Changes   bool  // rows come with mz_timestamp and mz_diff; else only rows that are brought are written
	Force     bool  // without Changes: rows that are taken back are left out; else they end the sink

	Name string // names this sink for ever
	Run  sinks.Options
}

// Store is where files are kept: a bucket, or a folder of the machine.
type Store interface {
	// Place is the store in words.
	Place() string
	// Put writes a file, in the place of one of that name. It is there as a whole or not at all.
	Put(ctx context.Context, name string, body []byte) error
	// Get reads a file; the error is s3.ErrNotFound or fs.ErrNotExist when there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// Delete deletes a file; it is no error when there is none.
	Delete(ctx context.Context, name string) error
	// List gives the names that begin with a prefix, in order, at most most of them.
	List(ctx context.Context, prefix string, most int) ([]string, error)
	// Close gives up what the store holds between two calls.
	Close()
}

// maxGathered is how many bytes of rows one commit gathers, whatever its interval.
const maxGathered = 64 << 20

// Sink writes one view.
type Sink struct {
	*sinks.Runner
	target *target
}

// New makes a sink; it does not connect yet.
func New(cfg Config) (*Sink, error) {
	cfg.Prefix = strings.Trim(cfg.Prefix, "/")
	if cfg.Run.Log == nil {
		cfg.Run.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Run.Place = cfg.Store.Place() + "/" + cfg.Prefix
	cfg.Run.MaxBytes = maxGathered
	t := &target{cfg: cfg, store: cfg.Store}
	for i, c := range cfg.Cols {
		if slices.Contains(cfg.Partition, i) {
			if k := c.Type.Kind; k == repr.KindTimestamp || k == repr.KindTimestampTZ {
				return nil, repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("files cannot be parted by column %q of type %s", c.Name, c.Type)).
					WithHint("Add a column of type date to the view.")
			}
			continue
		}
		t.columns = append(t.columns, columnOf(c, i))
	}
	if len(t.columns) == 0 {
		return nil, repr.NewError(repr.CodeInvalidParameter, "nothing is left to write: files are parted by all columns")
	}
	return &Sink{target: t, Runner: sinks.NewRunner(t, cfg.Run)}, nil
}

// Check finds out whether the bucket is there and lets us in.
func (s *Sink) Check(ctx context.Context) *repr.Error {
	defer s.target.store.Close()
	if _, err := s.target.store.List(ctx, s.target.folder()+"/", 1); err != nil {
		e, _ := s.target.Explain(err)
		if answer, ok := errors.AsType[*s3.Error](err); ok && answer.Status == http.StatusNotFound {
			return e.WithHint("Make the bucket, or name another.")
		}
		return e
	}
	return nil
}

// folder is where the state and the manifests are.
func (t *target) folder() string { return path.Join(t.cfg.Prefix, "_millrace", t.cfg.Name) }

// Explain puts an error into the words of a user, and says whether retrying is of no use.
func (t *target) Explain(err error) (e *repr.Error, fatal bool) {
	if errors.As(err, &e) {
		return e, true
	}
	if errors.Is(err, s3.ErrChanged) {
		return repr.NewError(repr.CodeConnectionFailure, "the state of "+t.cfg.Run.Place+" was written by another request meanwhile"), false
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return ofFolder(failed, err)
	}
	answer, ok := errors.AsType[*s3.Error](err)
	if !ok {
		return repr.NewError(repr.CodeCannotConnect, "cannot reach "+t.store.Place()).WithDetail(err.Error()).
			WithHint("Check the endpoint, and that the server runs."), false
	}
	message := t.cfg.Run.Place + ": " + answer.Error()
	switch {
	case answer.Status == http.StatusForbidden:
		return repr.NewError(repr.CodeInsufficientPrivilege, message).WithHint("Check the keys of the connection, and what they allow."), true
	case answer.Status >= 500, answer.Status == http.StatusTooManyRequests:
		return repr.NewError(repr.CodeConnectionFailure, message).WithHint("It is tried again."), false
	}
	return repr.NewError(repr.CodeInvalidParameter, message).WithHint("When that is mended, drop the sink and create it anew."), true
}

// SQLSTATEs of a folder.
const (
	codeDiskFull = "53100"
	codeIO       = "58030"
)

// ofFolder puts what the file system says into the words of a user.
func ofFolder(failed *fs.PathError, err error) (e *repr.Error, fatal bool) {
	switch {
	case errors.Is(failed, fs.ErrPermission):
		return repr.NewError(repr.CodeInsufficientPrivilege, "cannot "+err.Error()).WithHint("The server must be allowed to write there; it is tried again."), false
	case errors.Is(failed, syscall.ENOSPC), errors.Is(failed, syscall.EDQUOT):
		return repr.NewError(codeDiskFull, "cannot "+err.Error()).WithHint("Free space; it is tried again."), false
	}
	return repr.NewError(codeIO, "cannot "+err.Error()).WithHint("It is tried again."), false
}
