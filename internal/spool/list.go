package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"

	"millrace/internal/disk"
)

// A list is blocks, and behind them records that are no block yet. A block is stored as the length of what follows its head and the
// CRC-32C of that, four bytes each with the least first, and then, compressed with S2, records: the length of each as a varint, and
// its bytes.
const (
	blockBytes = 256 << 10
	blockHead  = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// List is records in the order in which they came.
type List struct {
	p      *Pool
	open   []byte   // records that are no block yet
	blocks [][]byte // stored ones that are not in the file
	held   int64
	number int // of the list among those that have a file
	file   disk.File
	name   string
	end    int64
	buf    []byte // of who reads
}

// Append adds a record, which is copied. An error leaves the list to be dropped.
func (l *List) Append(parts ...[]byte) error {
	n := 0
	for _, b := range parts {
		n += len(b)
	}
	was := cap(l.open)
	l.open = binary.AppendUvarint(l.open, uint64(n))
	for _, b := range parts {
		l.open = append(l.open, b...)
	}
	l.hold(int64(cap(l.open) - was))
	if len(l.open) >= blockBytes {
		l.seal()
	}
	if l.p.held.Load() > l.p.opts.Memory {
		return l.p.relieve()
	}
	return nil
}

// hold counts memory.
func (l *List) hold(n int64) {
	l.held += n
	l.p.held.Add(n)
}

// seal makes a block of the records that are none yet.
func (l *List) seal() {
	if len(l.open) == 0 {
		return
	}
	l.p.packed = s2.Encode(l.p.packed[:cap(l.p.packed)], l.open)
	stored := append(make([]byte, blockHead, blockHead+len(l.p.packed)), l.p.packed...)
	binary.LittleEndian.PutUint32(stored, uint32(len(stored)-blockHead))
	binary.LittleEndian.PutUint32(stored[4:], crc32.Checksum(stored[blockHead:], castagnoli))
	l.blocks = append(l.blocks, stored)
	l.hold(int64(cap(stored) - cap(l.open)))
	l.open = nil
}

// write moves what is in memory to the file.
func (l *List) write() error {
	l.seal()
	n := int64(0)
	for _, b := range l.blocks {
		n += int64(len(b))
	}
	if err := l.p.Room(n); err != nil {
		return err
	}
	if l.file == nil {
		var err error
		if l.file, l.name, err = l.p.create(); err != nil {
			return spaceError(err)
		}
		l.number = l.p.number
	}
	for _, b := range l.blocks {
		if _, err := l.file.WriteAt(b, l.end); err != nil {
			return spaceError(err)
		}
		l.end += int64(len(b))
		l.p.written.Add(int64(len(b)))
	}
	l.blocks = nil
	l.hold(-l.held)
	return nil
}

func spaceError(err error) error {
	if disk.IsFull(err) {
		return ErrFull
	}
	return fmt.Errorf("write what does not fit in memory: %w", err)
}

// errDamaged says that a block is not what was written.
var errDamaged = errors.New("what was written beside the memory is damaged")

// All gives the records, each until the next.
func (l *List) All(f func(record []byte) error) error {
	for at := int64(0); at < l.end; {
		head := make([]byte, blockHead)
		if _, err := l.file.ReadAt(head, at); err != nil {
			return fmt.Errorf("read %s: %w", l.name, err)
		}
		n := int64(binary.LittleEndian.Uint32(head))
		if at+blockHead+n > l.end {
			return fmt.Errorf("read %s at %d: %w", l.name, at, errDamaged)
		}
		stored := make([]byte, blockHead+n)
		if _, err := l.file.ReadAt(stored, at); err != nil {
			return fmt.Errorf("read %s: %w", l.name, err)
		}
		if err := l.block(stored, f); err != nil {
			return fmt.Errorf("read %s at %d: %w", l.name, at, err)
		}
		at += blockHead + n
	}
	for _, b := range l.blocks {
		if err := l.block(b, f); err != nil {
			return err
		}
	}
	return each(l.open, f)
}

// block gives the records of a stored block.
func (l *List) block(stored []byte, f func([]byte) error) error {
	if crc32.Checksum(stored[blockHead:], castagnoli) != binary.LittleEndian.Uint32(stored[4:]) {
		return errDamaged
	}
	var err error
	if l.buf, err = s2.Decode(l.buf[:cap(l.buf)], stored[blockHead:]); err != nil {
		return errDamaged
	}
	return each(l.buf, f)
}

func each(b []byte, f func([]byte) error) error {
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return errDamaged
		}
		if err := f(b[size : size+int(n)]); err != nil {
			return err
		}
		b = b[size+int(n):]
	}
	return nil
}

// Drop forgets the list and removes its file.
func (l *List) Drop() {
	if l.file != nil {
		_ = l.file.Close()             // nothing of it is needed
		_ = l.p.opts.FS.Remove(l.name) // what stays is removed at the next start
		l.p.written.Add(-l.end)
	}
	l.hold(-l.held)
	delete(l.p.lists, l)
	l.file, l.end, l.open, l.blocks = nil, 0, nil, nil
}
