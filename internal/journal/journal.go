package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/internal/disk"
)

// Options is how a journal keeps its files. Zero values mean the default.
type Options struct {
	FS           disk.FS // default the machine's
	Dir          string
	SegmentBytes int64 // when a segment of the log ends; default 32 MiB
	Compress     bool  // costs processor time, and saves space on the disk
	Log          *slog.Logger
}

func (o *Options) defaults() {
	if o.FS == nil {
		o.FS = disk.System{}
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 32 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Journal is an open journal. One goroutine appends; the other methods may be called from any.
type Journal struct {
	opts Options
	lock io.Closer
	syn  chan *Commit
	wake chan struct{} // has room for one: there may be something to fold
	stop chan struct{}
	turn chan struct{} // who folds holds it
	wait sync.WaitGroup

	file   disk.File // of the newest segment; with what follows it belongs to the goroutine that appends
	space  int64     // reserved in it
	tail   tail
	commit *Commit // the last one

	buffers atomic.Int64 // the room of the tail

	room      foldRoom // who has the turn has it
	roomBytes atomic.Int64

	mu        sync.Mutex // guards all below
	newest    *segment
	older     []*segment // not folded yet, oldest first
	notes     map[string][]byte
	manifest  *manifest
	hold      uint64            // segments are folded up to this time
	general   uint64            // and changes in them up to this one
	each      map[uint64]uint64 // but of some collections up to times of their own; hold is the least of all
	pins      int               // while there is one, no file goes
	garbage   []string
	broken    error
	foldErr   error // of the last fold; nil when it succeeded
	foldTries int   // how many have failed since one did
}

// Commit is a record on its way to the disk.
type Commit struct {
	file disk.File
	done chan struct{}
	err  error
}

// Wait returns when the record would survive a crash, or cannot be made to.
func (c *Commit) Wait() error {
	<-c.done
	return c.err
}

// Open opens the journal in a folder, makes one where there is none, and cuts off the tail that a crash left half written.
func Open(opts Options) (*Journal, error) {
	opts.defaults()
	if err := opts.FS.MkdirAll(opts.Dir); err != nil {
		return nil, fmt.Errorf("make %s: %w", opts.Dir, err)
	}
	lock, err := opts.FS.Lock(filepath.Join(opts.Dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", opts.Dir, err)
	}
	j := &Journal{opts: opts, lock: lock, syn: make(chan *Commit, 1), wake: make(chan struct{}, 1), stop: make(chan struct{}),
		turn: make(chan struct{}, 1)}
	if err := j.open(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	j.wait.Add(2)
	go j.syncLoop()
	go j.foldLoop()
	return j, nil
}

func (j *Journal) open() error {
	names, err := j.opts.FS.List(j.opts.Dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", j.opts.Dir, err)
	}
	if j.manifest, err = readManifest(j.opts.FS, j.opts.Dir, names); err != nil {
		return err
	}
	j.notes = maps.Clone(j.manifest.Notes)
	c := &chain{fs: j.opts.FS, dir: j.opts.Dir, see: j.seeNotes}
	if err := c.read(j.manifest, names); err != nil {
		return err
	}
	if err := j.sweep(names, c.left); err != nil {
		return err
	}
	j.older = c.segments
	if n := len(j.older); n > 0 {
		j.newest, j.older = j.older[n-1], j.older[:n-1]
		return j.reopen(c.torn)
	}
	err = j.begin(j.manifest.Next)
	if disk.IsFull(err) {
		return fmt.Errorf("start a journal in %s: %w", j.opts.Dir, ErrFull)
	}
	return err
}

// seeNotes takes the notes of a record that is not folded.
func (j *Journal) seeNotes(f found) error {
	r, err := f.record()
	if err != nil {
		return err
	}
	set(j.notes, r.Notes)
	return nil
}

// sweep removes what a crash left over: files that the manifest does not name, and the segments in left. All that counts has
// been found by then, so that nothing goes from a folder that is damaged.
func (j *Journal) sweep(names, left []string) error {
	keep := map[string]bool{manifestName(j.manifest.Number): j.manifest.Number > 0}
	for _, r := range j.manifest.Runs {
		keep[r.File] = true
	}
	for _, t := range j.manifest.Thin {
		keep[t.File] = true
	}
	for _, name := range names {
		first, isLog := numbered(name, segmentPrefix)
		_, isRun := numbered(name, runPrefix)
		_, isThin := numbered(name, thinPrefix)
		_, isManifest := numbered(strings.TrimSuffix(name, temporary), manifestPrefix)
		if isLog && first < j.manifest.Next || (isRun || isThin || isManifest) && !keep[name] {
			left = append(left, name)
		}
	}
	for _, name := range left {
		if err := j.opts.FS.Remove(filepath.Join(j.opts.Dir, name)); err != nil {
			return fmt.Errorf("remove what is left over: %w", err)
		}
	}
	return nil
}

// reopen makes the newest segment ready for more.
func (j *Journal) reopen(torn bool) error {
	s := j.newest
	f, err := j.opts.FS.Open(s.name)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.name, err)
	}
	if torn {
		j.opts.Log.Warn("cut off the end of the log that a crash left half written", "file", s.name, "offset", s.end)
	}
	s.end = max(s.end, segmentHeader)
	if _, err = f.WriteAt(appendSegmentHeader(nil, s.first), 0); err == nil { // it may not be there, or be of an older format
		err = f.Truncate(s.end)
	}
	if err == nil {
		err = again(f, s.end)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("mend the end of %s: %w", s.name, err), f.Close())
	}
	return j.goOnWith(f, s.end, s.end)
}

// goOnWith makes a file with records up to end the one that is written.
func (j *Journal) goOnWith(f disk.File, end, space int64) error {
	if err := j.tail.load(f, end); err != nil {
		return errors.Join(fmt.Errorf("read the end of the log: %w", err), f.Close())
	}
	j.file, j.space = f, space
	return nil
}

// again writes what a file holds up to end once more. What a sync that failed was to make durable can be read, but no later
// sync makes it so unless it is written anew.
func again(f disk.File, end int64) error {
	b := make([]byte, min(end, 1<<20))
	for at := int64(0); at < end; at += int64(len(b)) {
		b = b[:min(int64(len(b)), end-at)]
		if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a segment. The error is that of the file system.
func (j *Journal) begin(first uint64) error {
	s := &segment{name: filepath.Join(j.opts.Dir, segmentName(first)), first: first, next: first, end: segmentHeader}
	f, err := j.opts.FS.Create(s.name)
	if err != nil {
		return err
	}
	space := blocks(min(j.opts.SegmentBytes, leastAhead))
	err = f.Allocate(space)
	if err == nil {
		_, err = f.WriteAt(appendSegmentHeader(nil, first), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.opts.FS.SyncDir(j.opts.Dir)
	}
	if err != nil {
		// The next record may still fit into the segment before: then this one must not come back after a crash.
		if cerr := errors.Join(f.Close(), j.opts.FS.Remove(s.name), j.opts.FS.SyncDir(j.opts.Dir)); cerr != nil {
			return fmt.Errorf("take back %s, which cannot be started (%v): %w", s.name, err, cerr)
		}
		return err
	}
	if err := j.goOnWith(f, segmentHeader, space); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.newest != nil { // at one moment: no record may be out of sight
		j.newest.open = true
		j.older = append(j.older, j.newest)
	}
	j.newest = s
	return nil
}

// keepBuffer is the size of buffer that is kept for the next record.
const keepBuffer = 64 << 20

// Append writes a record and starts to make it durable. Times only grow. It fails with ErrFull when there is no space for
// the record, which is then not there; after any other error nothing can be appended any more.
func (j *Journal) Append(r *Record) (*Commit, error) {
	if err := j.err(); err != nil {
		return nil, err
	}
	s := j.newest
	size := j.tail.record(s.next, r, j.opts.Compress)
	j.buffers.Store(int64(cap(j.tail.body) + cap(j.tail.b)))
	if size > maxStored {
		return nil, fmt.Errorf("a tick of %d bytes is too large for the log", size)
	}
	if err := j.makeRoom(size); err != nil {
		return nil, err
	}
	if j.newest != s { // what stands before the record is another
		size = j.tail.record(s.next, r, j.opts.Compress)
	}
	if err := j.tail.write(j.file, j.newest.end); err != nil {
		return nil, j.notWritten(err)
	}
	j.tail.wrote(size)
	if cap(j.tail.b) > keepBuffer { // a record of that size comes seldom
		j.tail.shrink()
	}
	c := &Commit{file: j.file, done: make(chan struct{})}
	j.commit = c
	j.mu.Lock()
	j.newest.end += size
	j.newest.next++
	j.newest.last = r.Time
	set(j.notes, r.Notes)
	j.mu.Unlock()
	j.syn <- c
	return c, nil
}

// err is why nothing can be appended.
func (j *Journal) err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.broken
}

// breakDown notes the first error after which nothing can be appended.
func (j *Journal) breakDown(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken == nil {
		j.broken = err
	}
	return j.broken
}

// notWritten decides what a failed write means: on a full disk the record is not there. It may have come to the disk all the same,
// and is refused only once a crash cannot bring it back.
func (j *Journal) notWritten(err error) error {
	if disk.IsFull(err) {
		terr := j.file.Truncate(j.newest.end)
		if terr == nil {
			terr = j.file.Sync()
		}
		if terr == nil {
			j.space = j.newest.end
			return ErrFull
		}
	}
	return j.breakDown(fmt.Errorf("write %s: %w", j.newest.name, err))
}

// A segment grows as it is written: by some records of the size that there is, within these bounds.
const (
	aheadRecords = 4
	leastAhead   = 256 << 10
	mostAhead    = 4 << 20
)

// makeRoom makes space for n bytes, and a seal behind them: in the segment, or in a new one when it has come to its end.
func (j *Journal) makeRoom(n int64) error {
	s := j.newest
	end := s.end + n + sealSize
	if end <= j.space {
		return nil
	}
	if s.end+n > j.opts.SegmentBytes && s.end >= j.opts.SegmentBytes/2 && s.next > s.first {
		return j.roll(n)
	}
	want := blocks(max(min(end+max(leastAhead, min(mostAhead, aheadRecords*n)), j.opts.SegmentBytes), end))
	if err := j.file.Allocate(want); err != nil {
		if !disk.IsFull(err) {
			return j.breakDown(fmt.Errorf("reserve space in %s: %w", s.name, err))
		}
		if want = blocks(end); j.file.Allocate(want) != nil {
			return ErrFull
		}
	}
	j.space = want
	return nil
}

// roll ends the newest segment and starts another, and takes a record of n bytes that did not fit to it.
func (j *Journal) roll(n int64) error {
	if j.commit != nil {
		if err := j.commit.Wait(); err != nil {
			return err
		}
	}
	old, file := j.newest, j.file
	if err := j.begin(old.next); err != nil {
		if disk.IsFull(err) {
			return ErrFull
		}
		return j.breakDown(fmt.Errorf("start a segment: %w", err))
	}
	sealed, err := seal(file, old)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return j.breakDown(fmt.Errorf("end %s: %w", old.name, err))
	}
	j.mu.Lock()
	old.open, old.sealed = false, sealed
	j.mu.Unlock()
	j.nudge()
	return j.makeRoom(n)
}

// seal ends a segment for good, now that the next one is durable. Where there is no space for the seal there is none, as when a
// crash comes before it.
func seal(file disk.File, s *segment) (sealed bool, err error) {
	end := s.end + sealSize
	if _, err = file.WriteAt(appendSeal(nil, s.next), s.end); disk.IsFull(err) {
		end, err = s.end, nil
	}
	if err == nil {
		err = file.Truncate(end)
	}
	if err == nil {
		err = file.Sync()
	}
	return end > s.end, err
}

// nudge lets the goroutine that folds look.
func (j *Journal) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// syncLoop makes records durable, one after the other.
func (j *Journal) syncLoop() {
	defer j.wait.Done()
	for c := range j.syn {
		if c.err = j.err(); c.err == nil {
			if err := c.file.Sync(); err != nil {
				c.err = j.breakDown(fmt.Errorf("sync the log: %w", err))
			}
		}
		close(c.done)
	}
}

// Close waits for what is on its way and lets go of the folder. The goroutine that appends calls it, once it is done.
func (j *Journal) Close() error {
	if j.isStopped() {
		return nil
	}
	if j.commit != nil {
		_ = j.commit.Wait() // who appended it was told
	}
	_ = j.breakDown(ErrClosed)
	close(j.stop)
	close(j.syn)
	j.wait.Wait()
	return errors.Join(j.file.Close(), j.lock.Close())
}

func (j *Journal) isStopped() bool {
	select {
	case <-j.stop:
		return true
	default:
		return false
	}
}

// Folder is where a folder of that name beside the files of the journal is, which leaves it alone.
func (j *Journal) Folder(name string) (on disk.FS, dir string) {
	return j.opts.FS, filepath.Join(j.opts.Dir, name)
}

// Hold says that nothing after t is to be folded: records after t can still be read one by one.
func (j *Journal) Hold(t uint64) { j.HoldEach(t, nil) }

// Stats is the size of a journal.
type Stats struct {
	LogBytes int64 // of segments
	RunBytes int64
	Segments int
	Runs     int
	Folded   uint64 // the time up to which all is folded
	Last     uint64 // the time of the last record
	FoldErr  error  // why the last fold failed; it is tried again

	BufferBytes int64 // memory of what is being written and folded
}

// Stats is the size of the journal.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{Segments: len(j.older) + 1, Runs: len(j.manifest.Runs), Folded: j.manifest.Folded, Last: j.last(), FoldErr: j.foldErr,
		BufferBytes: j.buffers.Load() + j.roomBytes.Load()}
	for _, seg := range append(j.older[:len(j.older):len(j.older)], j.newest) {
		s.LogBytes += seg.end
	}
	for _, r := range j.manifest.Runs {
		s.RunBytes += r.Bytes
	}
	return s
}

// last is the time of the last record.
func (j *Journal) last() uint64 {
	t := j.manifest.Folded
	for _, s := range j.older {
		t = max(t, s.last)
	}
	return max(t, j.newest.last)
}
