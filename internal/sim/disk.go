package sim

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"millrace/internal/disk"
)

// Disk is a file system in memory that forgets at a Crash what was not synced: of the writes to a file since its last sync a
// random part survives, by sectors; of the creations, renames and removals in a folder since it was synced, a random first part.
type Disk struct {
	mu    sync.Mutex // guards all below
	rng   *rand.Rand
	names map[string]*inode
	sure  map[string]*inode // names that a crash leaves
	ops   []nameOp          // since the folders were synced
	dirs  map[string]bool   // folders; a crash leaves them
	locks map[string]bool
	epoch int // counts crashes: files opened before one are dead
	limit int64
	fail  int // syncs until one fails; negative: none does
	reads int // reads until one is short; negative: none is
	short int // the same of writes
	steps int // writes and syncs until a crash; negative: none comes
	down  bool
	pause func(op Op, name string) // called before each operation
}

type nameOp struct {
	remove string
	add    string
	node   *inode
}

// inode is a file: what was written, and of that what is durable.
type inode struct {
	data    []byte
	sure    []byte
	pending []write
}

type write struct {
	at   int64
	data []byte
	cut  bool // a truncation to at
}

const sector = 512

// into does the write to b.
func (w write) into(b []byte) []byte {
	if w.cut {
		return resized(b, w.at)
	}
	return put(b, w.at, w.data)
}

// ErrCrashed is the error of everything after a crash, until Restart.
var ErrCrashed = errors.New("the machine is down")

// NewDisk makes an empty disk.
func NewDisk(seed uint64) *Disk {
	return &Disk{rng: rand.New(rand.NewPCG(seed, 1)), names: map[string]*inode{}, sure: map[string]*inode{},
		dirs: map[string]bool{}, locks: map[string]bool{}, limit: 1 << 62, fail: -1, reads: -1, short: -1, steps: -1}
}

// Op is a kind of operation.
type Op int

// The operations that take time.
const (
	OpCreate Op = iota
	OpOpen
	OpRename
	OpRemove
	OpSyncDir
	OpRead
	OpWrite
	OpTruncate
	OpAllocate
	OpSync
)

// Pause lets f be called before each operation that reads or changes a file, with the file's name, so that it takes time. It is
// to be said before the disk is used.
func (d *Disk) Pause(f func(op Op, name string)) { d.pause = f }

func (d *Disk) wait(op Op, name string) {
	if d.pause != nil {
		d.pause(op, name)
	}
}

// SetLimit bounds the bytes of all files together; what goes beyond fails with ENOSPC.
func (d *Disk) SetLimit(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = bytes
}

// FailSync lets the sync after n others fail; what it was to make durable never becomes so.
func (d *Disk) FailSync(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = n
}

// FailRead lets the read after n others give a part of what it is to, and an error.
func (d *Disk) FailRead(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads = n
}

// FailWrite lets the write after n others write a part, and give an error.
func (d *Disk) FailWrite(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.short = n
}

// due counts down to a failure.
func due(left *int) bool {
	if *left < 0 {
		return false
	}
	*left--
	return *left < 0
}

// CrashAfter lets the machine crash at the write or sync after n others.
func (d *Disk) CrashAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = n
}

// Down says whether the machine has crashed.
func (d *Disk) Down() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down
}

// Flip turns a bit of a file around.
func (d *Disk) Flip(name string, at int64, bit uint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	n.data[at] ^= 1 << bit
	n.sure = slices.Clone(n.data)
}

// Bytes is the size of all files together.
func (d *Disk) Bytes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used()
}

func (d *Disk) used() int64 {
	sum := int64(0)
	for _, n := range d.names {
		sum += int64(len(n.data))
	}
	return sum
}

// Crash stops the machine at once.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crash()
}

func (d *Disk) crash() {
	if d.down {
		return
	}
	d.down, d.steps, d.fail, d.reads, d.short = true, -1, -1, -1, -1
	d.epoch++
	for _, op := range d.ops[:d.rng.IntN(len(d.ops)+1)] {
		op.apply(d.sure)
	}
	d.ops, d.names, d.locks = nil, map[string]*inode{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.sure)) { // chance goes from one to the next
		n := d.sure[name]
		n.crash(d.rng)
		d.names[name] = n
	}
}

func (op nameOp) apply(names map[string]*inode) {
	if op.remove != "" {
		delete(names, op.remove)
	}
	if op.add != "" {
		names[op.add] = op.node
	}
}

// crash leaves of the writes that were not synced what chance leaves.
func (n *inode) crash(rng *rand.Rand) {
	for _, w := range n.pending {
		if w.cut {
			if rng.IntN(2) == 0 {
				n.sure = resized(n.sure, w.at)
			}
			continue
		}
		for from := 0; from < len(w.data); {
			to := min(len(w.data), from+sector-int((w.at+int64(from))%sector))
			if rng.IntN(3) > 0 {
				n.sure = put(n.sure, w.at+int64(from), w.data[from:to])
			}
			from = to
		}
	}
	n.pending, n.data = nil, slices.Clone(n.sure)
}

// Restart brings the machine up again, with what the crash left.
func (d *Disk) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = false
}

// step counts towards the crash that was asked for.
func (d *Disk) step() error {
	if d.steps == 0 {
		d.crash()
	}
	if d.steps > 0 {
		d.steps--
	}
	if d.down {
		return ErrCrashed
	}
	return nil
}

func put(b []byte, at int64, data []byte) []byte {
	if end := at + int64(len(data)); end > int64(len(b)) {
		b = resized(b, end)
	}
	copy(b[at:], data)
	return b
}

func resized(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// Create makes a new file.
func (d *Disk) Create(name string) (disk.File, error) {
	d.wait(OpCreate, name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, pathError("create", name, fs.ErrExist)
	}
	if d.used() >= d.limit {
		return nil, pathError("create", name, syscall.ENOSPC)
	}
	n := &inode{}
	d.names[name] = n
	d.ops = append(d.ops, nameOp{add: name, node: n})
	return &file{d: d, name: name, n: n, epoch: d.epoch}, nil
}

// Open opens a file.
func (d *Disk) Open(name string) (disk.File, error) {
	d.wait(OpOpen, name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, ErrCrashed
	}
	n := d.names[name]
	if n == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return &file{d: d, name: name, n: n, epoch: d.epoch}, nil
}

// Rename gives a file another name.
func (d *Disk) Rename(from, to string) error {
	d.wait(OpRename, from)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	if d.dirs[from] {
		d.renameDir(from, to)
		return nil
	}
	n := d.names[from]
	if n == nil {
		return pathError("rename", from, fs.ErrNotExist)
	}
	op := nameOp{remove: from, add: to, node: n}
	op.apply(d.names)
	d.ops = append(d.ops, op)
	return nil
}

// renameDir gives a folder another name.
func (d *Disk) renameDir(from, to string) {
	delete(d.dirs, from)
	d.dirs[to] = true
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		if rest, ok := strings.CutPrefix(name, from+"/"); ok {
			op := nameOp{remove: name, add: to + "/" + rest, node: d.names[name]}
			op.apply(d.names)
			d.ops = append(d.ops, op)
		}
	}
}

// Remove deletes a file.
func (d *Disk) Remove(name string) error {
	d.wait(OpRemove, name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	if d.dirs[name] && len(d.in(name)) == 0 {
		delete(d.dirs, name)
		return nil
	}
	if d.names[name] == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	delete(d.names, name)
	d.ops = append(d.ops, nameOp{remove: name})
	return nil
}

// List is the names in a folder.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, ErrCrashed
	}
	out := d.in(dir)
	if len(out) == 0 && !d.dirs[filepath.Clean(dir)] {
		return nil, pathError("list", dir, fs.ErrNotExist)
	}
	return out, nil
}

// in is the names in a folder.
func (d *Disk) in(dir string) []string {
	var out []string
	for name := range d.names {
		if rest, ok := strings.CutPrefix(name, filepath.Clean(dir)+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out
}

// MkdirAll makes a folder. Files can be made without one, but only one that was made can be empty.
func (d *Disk) MkdirAll(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dirs[filepath.Clean(dir)] = true
	return nil
}

// SyncDir makes all names durable.
func (d *Disk) SyncDir(dir string) error {
	d.wait(OpSyncDir, dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	for _, op := range d.ops {
		op.apply(d.sure)
	}
	d.ops = nil
	return nil
}

// Lock takes a lock, which a crash frees.
func (d *Disk) Lock(name string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.down:
		return nil, ErrCrashed
	case d.locks[name]:
		return nil, disk.ErrLocked
	}
	d.locks[name] = true
	return &lock{d: d, name: name, epoch: d.epoch}, nil
}

// Free is what is left below the limit.
func (d *Disk) Free(string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return uint64(max(d.limit-d.used(), 0)), nil
}

type lock struct {
	d     *Disk
	name  string
	epoch int
}

// Close frees the lock.
func (l *lock) Close() error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if l.epoch == l.d.epoch {
		delete(l.d.locks, l.name)
	}
	return nil
}

// file is an open file.
type file struct {
	d     *Disk
	name  string // that it was opened by
	n     *inode
	epoch int
}

func (f *file) alive() error {
	if f.d.down || f.epoch != f.d.epoch {
		return ErrCrashed
	}
	return nil
}

// ReadAt reads what was written, durable or not.
func (f *file) ReadAt(b []byte, at int64) (int, error) {
	f.d.wait(OpRead, f.name)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.alive(); err != nil {
		return 0, err
	}
	if due(&f.d.reads) {
		return copy(b[:f.d.rng.IntN(len(b)+1)], f.n.data[min(at, int64(len(f.n.data))):]), pathError("read", f.name, syscall.EIO)
	}
	if at >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes; when the disk fills up, a part.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.d.wait(OpWrite, f.name)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(); err != nil {
		if f.epoch == f.d.epoch-1 { // the crash came in the middle of this write
			f.n.sure = tear(f.d.rng, f.n.sure, at, b)
			f.n.data = slices.Clone(f.n.sure)
		}
		return 0, err
	}
	if err := f.alive(); err != nil {
		return 0, err
	}
	n, failed := len(b), error(nil)
	if due(&f.d.short) {
		n, failed = f.d.rng.IntN(len(b)+1), pathError("write", f.name, syscall.EIO)
		b = b[:n]
	}
	if grows := at + int64(len(b)) - int64(len(f.n.data)); grows > 0 && f.d.used()+grows > f.d.limit {
		n = max(0, len(b)-int(f.d.used()+grows-f.d.limit))
	}
	f.n.data = put(f.n.data, at, b[:n])
	f.n.pending = append(f.n.pending, write{at: at, data: slices.Clone(b[:n])})
	if n < len(b) {
		return n, pathError("write", "", syscall.ENOSPC)
	}
	return n, failed
}

// tear writes a random part of the sectors.
func tear(rng *rand.Rand, b []byte, at int64, data []byte) []byte {
	n := &inode{sure: b, pending: []write{{at: at, data: data}}}
	n.crash(rng)
	return n.sure
}

// Close does nothing.
func (f *file) Close() error { return nil }

// Size is the length of the file.
func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.n.data)), f.alive()
}

// Truncate changes the length of the file.
func (f *file) Truncate(size int64) error {
	f.d.wait(OpTruncate, f.name)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(); err != nil {
		return err
	}
	return f.resize(size)
}

// Allocate makes the file as long as that, if it is not.
func (f *file) Allocate(size int64) error {
	f.d.wait(OpAllocate, f.name)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(); err != nil {
		return err
	}
	if size <= int64(len(f.n.data)) {
		return f.alive()
	}
	if f.d.used()+size-int64(len(f.n.data)) > f.d.limit {
		return pathError("allocate", "", syscall.ENOSPC)
	}
	return f.resize(size)
}

func (f *file) resize(size int64) error {
	if err := f.alive(); err != nil {
		return err
	}
	f.n.data = resized(f.n.data, size)
	f.n.pending = append(f.n.pending, write{at: size, cut: true})
	return nil
}

// Sync makes what was written durable, or fails. Then what was to become durable can be read until a crash, and never becomes
// durable, for no later sync knows of it: so do the file systems of Linux.
func (f *file) Sync() error {
	f.d.wait(OpSync, f.name)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(); err != nil {
		return err
	}
	if err := f.alive(); err != nil {
		return err
	}
	if f.d.fail == 0 {
		f.d.fail = -1
		f.n.pending = nil
		return pathError("sync", "", syscall.EIO)
	}
	if f.d.fail > 0 {
		f.d.fail--
	}
	for _, w := range f.n.pending {
		f.n.sure = w.into(f.n.sure)
	}
	f.n.pending = nil
	return nil
}
