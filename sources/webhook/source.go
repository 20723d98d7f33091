package webhook

import (
	"context"
	"sync"

	"millrace/repr"
	"millrace/sources"
)

// Config says what requests become.
type Config struct {
	Format    Format
	Headers   bool     // a column headers
	Only      []string // the headers in it, in small letters; nil: all
	Without   []string // those that are not in it
	Include   []Header // columns for some of them
	MostBytes int64    // what may wait at a time; 0: 16 MiB
}

// Format is what a body is.
type Format uint8

// The formats.
const (
	FormatJSON      Format = iota // a value, or one on each line
	FormatJSONArray               // a list of values
	FormatText
	FormatBytes
)

// Header is a header that is a column.
type Header struct {
	Name  string // in small letters
	As    string
	Bytes bool
}

const (
	defaultMost = 16 << 20
	// mostRequests may wait at a time.
	mostRequests = 1_000
	// batchRows is about how many rows a batch has.
	batchRows = 10_000
)

// Source takes requests.
type Source struct {
	cfg Config

	mu      sync.Mutex // guards the fields below
	running bool
	waiting []*request // that are not handed over
	open    []*request // that are not durable, in their order
	bytes   int64      // of these
	taken   int64      // rows that were ever taken in; the offset of the next
	handed  int64      // rows that are with the coordinator, or were
	durable int64
	moved   chan struct{} // closed when durable grows, or the source stops
	more    chan struct{} // has something in it when requests wait
	failed  *repr.Error   // nothing will be durable any more
}

// request waits for its rows to be durable.
type request struct {
	rows []sources.Update
	size int64
	last int64 // the offset behind them
}

// New makes a source.
func New(cfg Config) *Source {
	if cfg.MostBytes == 0 {
		cfg.MostBytes = defaultMost
	}
	return &Source{cfg: cfg, moved: make(chan struct{}), more: make(chan struct{}, 1)}
}

// bodyTypes are the types of the column body.
var bodyTypes = map[Format]repr.Kind{
	FormatJSON: repr.KindJSONB, FormatJSONArray: repr.KindJSONB, FormatText: repr.KindText, FormatBytes: repr.KindBytea,
}

// Describe gives the columns: body, and what is included of the headers.
func (s *Source) Describe(context.Context) (repr.RowDesc, [][]int, error) {
	cols := repr.RowDesc{{Name: "body", Type: repr.TypeOf(bodyTypes[s.cfg.Format]), NotNull: true}}
	if s.cfg.Headers {
		cols = append(cols, repr.Column{Name: "headers", Type: repr.TypeOf(repr.KindJSONB), NotNull: true})
	}
	for _, h := range s.cfg.Include {
		kind := repr.KindText
		if h.Bytes {
			kind = repr.KindBytea
		}
		cols = append(cols, repr.Column{Name: h.As, Type: repr.TypeOf(kind)})
	}
	return cols, nil, nil
}

// Grows says that nothing is taken back.
func (*Source) Grows() bool { return true }

// Schemas are none.
func (*Source) Schemas() (value, key string) { return "", "" }

// Held gives the bytes that wait.
func (s *Source) Held() (remembered, fetched int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 0, s.bytes
}

// Durable is told that rows are safe.
func (s *Source) Durable(_ int32, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable = max(s.durable, next)
	for len(s.open) > 0 && s.open[0].last <= s.durable {
		s.bytes -= s.open[0].size
		s.open[0] = nil
		s.open = s.open[1:]
	}
	s.tell()
}

// tell wakes those who wait for an answer.
func (s *Source) tell() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// Fail says that nothing will be durable any more until the server starts again: who waits is told.
func (s *Source) Fail(err *repr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
	s.tell()
}

// Run hands over what comes in until ctx ends.
func (s *Source) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	s.mu.Lock()
	if s.taken == 0 {
		s.taken, s.handed, s.durable = from[0], from[0], from[0]
	}
	s.running = true
	s.mu.Unlock()
	defer s.stop()
	out.Report(sources.State{Status: "running"})
	for first := true; ; first = false {
		b := s.batch()
		if b.Records > 0 || first { // the first says that nothing has to be waited for
			if err := out.Push(ctx, b); err != nil {
				return err
			}
			continue
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Source) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	s.tell()
}

// batch takes what waits, whole requests of it.
func (s *Source) batch() *sources.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &sources.Batch{}
	n := 0
	for n < len(s.waiting) && len(b.Updates) < batchRows {
		r := s.waiting[n]
		b.Updates = append(b.Updates, r.rows...)
		b.Bytes += r.size
		n++
	}
	s.waiting = append(s.waiting[:0:0], s.waiting[n:]...)
	b.Records = int64(len(b.Updates))
	s.handed += b.Records
	b.Progress = []sources.Progress{{Partition: 0, Next: s.handed, High: s.handed}}
	return b
}

// ErrBusy says that there is no room for a request now.
var ErrBusy = repr.NewError("53400", "too many requests wait to be written").WithHint("send it again in a second")

// errAway says that nothing can be taken now.
func errAway() *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, "the source does not run at the moment").WithHint("send it again in a second")
}

// errUnsure says that what became of a request is not known.
func errUnsure() *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, "the source stopped before the request was durable").
		WithHint("its rows may be there; send it again if they may be there twice")
}

// Take takes the rows of a request, and returns when they are durable.
func (s *Source) Take(ctx context.Context, rows []sources.Update) *repr.Error {
	r := &request{rows: rows}
	for _, u := range rows {
		r.size += int64(len(u.Row))
	}
	if err := s.enter(r); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		done, running, failed, moved := s.durable >= r.last, s.running, s.failed, s.moved
		s.mu.Unlock()
		switch {
		case done:
			return nil
		case failed != nil:
			return failed
		case !running:
			return errUnsure()
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return repr.NewError(repr.CodeQueryCanceled, "the request was given up before it was durable")
		}
	}
}

// enter lets a request wait.
func (s *Source) enter(r *request) *repr.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failed != nil:
		return s.failed
	case !s.running:
		return errAway()
	case len(s.open) >= mostRequests || s.bytes > 0 && s.bytes+r.size > s.cfg.MostBytes:
		return ErrBusy
	case len(r.rows) == 0:
		return nil
	}
	s.taken += int64(len(r.rows))
	r.last = s.taken
	s.bytes += r.size
	s.waiting, s.open = append(s.waiting, r), append(s.open, r)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}
