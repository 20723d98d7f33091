package journal

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/disk"
	"millrace/internal/sim"
)

// TestBackupThatFails: a backup that finds no space, or any other obstacle, leaves nothing behind, and the next one succeeds.
func TestBackupThatFails(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	j := open(t, d)
	m := fill(t, j, newModel(), 60, rand.New(rand.NewPCG(6, 6)))
	before := d.Bytes()
	d.SetLimit(before + 5000)
	if _, err := j.Backup("copy"); !disk.IsFull(err) {
		t.Fatalf("a backup without space: %v", err)
	}
	for _, dir := range []string{"copy", "copy" + partial} {
		if left, err := d.List(dir); err == nil {
			t.Errorf("%s is left with %v", dir, left)
		}
	}
	if d.Bytes() != before {
		t.Errorf("%d bytes are left of it", d.Bytes()-before)
	}
	d.SetLimit(1 << 40)
	if _, err := d.Create("copy" + partial + "/log-0000000000000099"); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	if _, err := j.Backup("copy"); err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{FS: d, Dir: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, c); got.String() != m.String() {
		t.Error("the copy holds something else")
	}
}

// TestBackupLeavesNoFolder: on a real disk the folder of a backup that failed is gone too.
func TestBackupLeavesNoFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := os.Mkdir(filepath.Join(dir, "copy"+partial), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "data", segmentName(1)), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Backup(filepath.Join(dir, "copy")); err == nil {
		t.Error("a backup without the log succeeded")
	}
	left, err := filepath.Glob(filepath.Join(dir, "copy*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

// TestFoldSaysItOnce: a log that cannot be folded is said once, and once that it can again, however often it is tried.
func TestFoldSaysItOnce(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	var said bytes.Buffer // no one folds but this test
	j := &Journal{opts: Options{FS: d, Dir: "data", Log: slog.New(slog.NewTextHandler(&said, nil))}}
	for range 3 {
		j.noteFold(false, ErrFull)
	}
	j.noteFold(false, nil) // there was nothing to fold
	j.noteFold(false, ErrFull)
	j.noteFold(false, ErrClosed)
	j.noteFold(true, nil)
	j.noteFold(true, nil)
	if n := strings.Count(said.String(), "\n"); n != 2 || !strings.Contains(said.String(), "failed=4") {
		t.Errorf("it says\n%s", said.String())
	}
}
