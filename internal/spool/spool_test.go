package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"millrace/internal/disk"
)

// small is a disk on which some bytes are free.
type small struct {
	disk.System
	free *uint64
}

func (s small) Free(string) (uint64, error) { return *s.free, nil }

func files(t *testing.T, dir string) int {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// TestLists holds random lists that grow side by side, in memory of any size, to plain ones.
func TestLists(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		p := New(Options{Dir: dir, Prefix: "s", Memory: []int64{0, 1 << 20, 1 << 30}[seed%3]})
		lists := map[*List][][]byte{}
		wrote := false
		for range 3000 {
			if len(lists) == 0 || rng.IntN(200) == 0 {
				lists[p.Open()] = nil
			}
			for l, want := range lists {
				if rng.IntN(3) > 0 {
					continue
				}
				rec := bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(3000)*rng.IntN(2))
				if err := l.Append([]byte("head"), rec); err != nil {
					t.Fatal(err)
				}
				lists[l] = append(want, append([]byte("head"), rec...))
				if rng.IntN(800) == 0 {
					check(t, l, lists[l])
					l.Drop()
					delete(lists, l)
				}
			}
			wrote = wrote || p.Written() > 0
			if p.Held() > p.opts.Memory+blockBytes+2*3000 {
				t.Fatalf("seed %d: %d bytes are held", seed, p.Held())
			}
		}
		for l, want := range lists {
			check(t, l, want)
		}
		if wrote != (p.opts.Memory < 1<<30) {
			t.Errorf("seed %d: something was written: %v", seed, wrote)
		}
		if p.Close(); files(t, dir) != 0 || p.Held() != 0 || p.Written() != 0 {
			t.Errorf("seed %d: %d files, %d and %d bytes are left", seed, files(t, dir), p.Held(), p.Written())
		}
	}
}

func check(t *testing.T, l *List, want [][]byte) {
	t.Helper()
	i := 0
	err := l.All(func(rec []byte) error {
		if i >= len(want) || !bytes.Equal(rec, want[i]) {
			return fmt.Errorf("record %d is another", i)
		}
		i++
		return nil
	})
	if err != nil || i != len(want) {
		t.Fatalf("%d of %d records, %v", i, len(want), err)
	}
}

// TestFull holds that others are left space, and that what a crash has left is cleared.
func TestFull(t *testing.T) {
	t.Parallel()
	dir, free := filepath.Join(t.TempDir(), "spill"), uint64(1<<30)
	on := small{free: &free}
	if err := Clear(on, dir); err != nil { // it is not there yet
		t.Fatal(err)
	}
	p := New(Options{FS: on, Dir: dir, Prefix: "s", Memory: 1000, Spare: 1 << 20})
	l := p.Open()
	rec := make([]byte, 2000)
	if err := l.Append(rec); err != nil || files(t, dir) != 1 {
		t.Fatalf("%v, %d files", err, files(t, dir))
	}
	free = 1 << 20
	if err := l.Append(rec); !errors.Is(err, ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
	again := New(Options{Dir: dir, Prefix: "s"}) // as after a crash that left the file
	if err := again.Open().Append(rec); err != nil || files(t, dir) != 2 {
		t.Errorf("beside what is left: %v, %d files", err, files(t, dir))
	}
	if err := Clear(on, dir); err != nil || files(t, dir) != 0 {
		t.Errorf("cleared: %v, %d files", err, files(t, dir))
	}
}

// TestDamage holds that no flipped bit of a file gives another record.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := New(Options{Dir: dir, Prefix: "s"})
	l := p.Open()
	for i := range 20 {
		if err := l.Append(fmt.Append(nil, "record ", i)); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "s-1")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := l.All(func([]byte) error { n++; return nil }); err == nil {
			t.Errorf("byte %d is damaged, and %d records were read", i, n)
		}
	}
}
