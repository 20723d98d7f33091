package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func opened(t *testing.T) (f *Folder, at string) {
	t.Helper()
	at = filepath.Join(t.TempDir(), "lake")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	return New(at), at
}

// TestFolder: what is put is there as it is, in folders that come as they are needed, until it is replaced or deleted.
func TestFolder(t *testing.T) {
	t.Parallel()
	f, at := opened(t)
	for _, put := range []struct{ name, body string }{{"a", "1"}, {"day=1/b", "2"}, {"day=1/c/d", "3"}, {"a", "4"}} {
		if err := f.Put(t.Context(), put.name, []byte(put.body)); err != nil {
			t.Fatal(err)
		}
	}
	if body, err := f.Get(t.Context(), "a"); err != nil || string(body) != "4" {
		t.Errorf("a holds %q: %v", body, err)
	}
	if body, err := os.ReadFile(filepath.Join(at, "day=1", "c", "d")); err != nil || string(body) != "3" {
		t.Errorf("the file holds %q: %v", body, err)
	}
	if err := os.WriteFile(filepath.Join(at, "day=1", "x"+coming), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{"": {"a", "day=1/b", "day=1/c/d"}, "day=1/": {"day=1/b", "day=1/c/d"}, "z": nil} {
		if got, err := f.List(t.Context(), prefix, 10); err != nil || !slices.Equal(got, want) {
			t.Errorf("with %q there is %q: %v", prefix, got, err)
		}
	}
	if got, err := f.List(t.Context(), "", 2); err != nil || len(got) != 2 {
		t.Errorf("two of them are %q: %v", got, err)
	}
	for range 2 {
		if err := os.WriteFile(filepath.Join(at, "day=1", "b"+coming), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Delete(t.Context(), "day=1/b"); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(at, "day=1")); err != nil || len(left) != 2 {
		t.Errorf("%v is left: %v", left, err)
	}
	if _, err := f.Get(t.Context(), "day=1/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was deleted gives %v", err)
	}
}

// TestMissingFolder: that the folder is not there is not taken for a folder that is empty.
func TestMissingFolder(t *testing.T) {
	t.Parallel()
	f := New(filepath.Join(t.TempDir(), "not-mounted"))
	var failed *fs.PathError
	if _, err := f.Get(t.Context(), "a"); errors.Is(err, fs.ErrNotExist) || !errors.As(err, &failed) {
		t.Errorf("reading gives %v", err)
	}
	if err := f.Put(t.Context(), "a", nil); err == nil {
		t.Error("it was written")
	}
}

// TestNothingLeadsOut: neither dots nor links lead to files beside the folder.
func TestNothingLeadsOut(t *testing.T) {
	t.Parallel()
	f, at := opened(t)
	outside := filepath.Join(filepath.Dir(at), "secret")
	if err := os.WriteFile(outside, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(at, "up")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(at, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", "up/secret", "/secret", "a/../../secret"} {
		if err := f.Put(t.Context(), name, []byte("lost")); err == nil {
			t.Errorf("%s was written", name)
		}
		if body, err := f.Get(t.Context(), name); err == nil {
			t.Errorf("%s was read: %q", name, body)
		}
		if err := f.Delete(t.Context(), name); err == nil {
			t.Errorf("%s was deleted", name)
		}
	}
	if body, err := os.ReadFile(outside); err != nil || string(body) != "kept" {
		t.Errorf("the file beside the folder holds %q: %v", body, err)
	}
}
