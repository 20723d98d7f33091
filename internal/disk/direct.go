package disk

import (
	"os"
	"sync"
	"unsafe"
)

// Block is the unit in which files are best read and written: what lies at a multiple of it in the file and in memory, and is as
// long as a multiple of it, goes between memory and disk directly where the system can. That costs a fraction of the processor
// time that copies to pages of the system's take, and leaves these to others.
const Block = 4096

// Buffer is n zero bytes at a multiple of Block.
func Buffer(n int) []byte {
	b := make([]byte, n+Block)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % Block
	return b[skip : skip+uintptr(n) : skip+uintptr(n)]
}

// whole says whether b at an offset is made of whole blocks.
func whole(b []byte, at int64) bool {
	return len(b) > 0 && len(b)%Block == 0 && at%Block == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(b)))%Block == 0
}

// systemFile is a file of the machine.
type systemFile struct {
	*os.File
	flags  int
	once   sync.Once
	direct *os.File // the same, past the pages of the system; nil: it cannot be had
}

// past is the file to use for b.
func (f *systemFile) past(b []byte, at int64) *os.File {
	if !whole(b, at) {
		return f.File
	}
	f.once.Do(f.openDirect)
	if f.direct == nil {
		return f.File
	}
	return f.direct
}

// ReadAt reads at an offset.
func (f *systemFile) ReadAt(b []byte, at int64) (int, error) {
	d := f.past(b, at)
	n, err := d.ReadAt(b, at)
	if refused(err) && d != f.File {
		return f.File.ReadAt(b, at)
	}
	return n, err
}

// WriteAt writes at an offset.
func (f *systemFile) WriteAt(b []byte, at int64) (int, error) {
	d := f.past(b, at)
	n, err := d.WriteAt(b, at)
	if refused(err) && d != f.File {
		return f.File.WriteAt(b, at)
	}
	return n, err
}

// Close closes the file.
func (f *systemFile) Close() error {
	f.once.Do(func() {}) // from now on it is not opened
	err := f.File.Close()
	if f.direct != nil {
		if derr := f.direct.Close(); err == nil {
			err = derr
		}
	}
	return err
}

// Size is the length of the file.
func (f *systemFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// zeros is what Allocate writes.
var zeros = sync.OnceValue(func() []byte { return Buffer(1 << 20) })

// Allocate writes zeros up to size. Space that was only reserved would cost more each time that it is first written: the file
// system then notes for each part that it is no longer empty.
func (f *systemFile) Allocate(size int64) error {
	from, err := f.Size()
	for at := from; at < size && err == nil; {
		n := min(size-at, int64(len(zeros())))
		if part := at % Block; part > 0 {
			n = min(n, Block-part)
		}
		_, err = f.WriteAt(zeros()[:n], at)
		at += n
	}
	if err != nil {
		_ = f.Truncate(from) // what cannot be used is given back if it can
	}
	return err
}
