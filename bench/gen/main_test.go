package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunWritesAWholeFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kv.bin")
	if err := run([]string{"kv", "100", "10", path}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != 8+100*24 {
		t.Fatalf("got %v, %v; want a file of %d bytes", info, err, 8+100*24)
	}
	if _, err := os.Stat(path + ".part"); err == nil {
		t.Error("the partial file is still there")
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ args, want string }{
		{"", "name the kind"},
		{"kw 1 2 x", `"kw"`},
		{"kv 1 x", "takes 2 sizes"},
		{"kv 1 ten x", "ten"},
	} {
		if err := run(strings.Fields(tc.args)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("run(%s) = %v, want %q in it", tc.args, err, tc.want)
		}
	}
}
