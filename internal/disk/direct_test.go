package disk

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// TestWholeBlocks: what is written by whole blocks and what is not lies where it belongs, however it is read back.
func TestWholeBlocks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		f, err := System{}.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for range 30 {
			at, n := r.IntN(40)*Block, (1+r.IntN(20))*Block
			if r.IntN(2) == 0 {
				at, n = r.IntN(40*Block), 1+r.IntN(20*Block)
			}
			b := Buffer(n)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if r.IntN(5) == 0 {
				clear(b)
				at, n = len(want), max(0, at+n-len(want))
				b = b[:0]
				for range n {
					b = append(b, 0)
				}
				err = f.Allocate(int64(at + n))
			} else {
				_, err = f.WriteAt(b, int64(at))
			}
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, make([]byte, max(0, at+len(b)-len(want)))...)
			copy(want[at:], b)
			checkPart(t, f, want, r.IntN(len(want))/Block*Block, Buffer(8*Block))
			checkPart(t, f, want, r.IntN(len(want)), make([]byte, 1+r.IntN(8*Block)))
		}
		if size, err := f.Size(); err != nil || size != int64(len(want)) {
			t.Errorf("size %d, want %d: %v", size, len(want), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// checkPart reads into b what a file has at an offset.
func checkPart(t *testing.T, f File, want []byte, at int, b []byte) {
	t.Helper()
	n, _ := f.ReadAt(b, int64(at)) // the error of the end
	if n != min(len(b), len(want)-at) || !bytes.Equal(b[:n], want[at:at+n]) {
		t.Fatalf("%d bytes at %d of %d: %d are read, or others", len(b), at, len(want), n)
	}
}

// TestBuffer: buffers begin at a block.
func TestBuffer(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 100, Block, 5*Block + 1} {
		b := Buffer(n)
		if len(b) != n || cap(b) != n || !whole(Buffer(n * Block)[:Block], 2*Block) {
			t.Errorf("a buffer of %d: %d of %d", n, len(b), cap(b))
		}
	}
}
