package generate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

// The sums are of the files that the other engines' generator writes for the same sizes.
func TestFilesAreTheAgreedBytes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		write func(io.Writer) error
		size  int
		sum   string
	}{
		{"nexmark 5000", func(w io.Writer) error { return Nexmark(w, 5000) }, 659458,
			"e4afe3e24369ba565c2514ce5a6b5c5aa802d878bdade697bbadbeef14ae8446"},
		{"nexmark 20000", func(w io.Writer) error { return Nexmark(w, 20000) }, 2643142,
			"2b6af08af805b2ea719481c0477509b8f60a742af3d3d2b0c59fd5f1499d2ce5"},
		{"kv 5000 500", func(w io.Writer) error { return KV(w, 5000, 500) }, 120008,
			"f4cc03893fe7305a0187a7a18709761e7105e962723f5b1497513044cca7ba11"},
		{"join2 300 1500 100 400", func(w io.Writer) error { return Join2(w, Join2Sizes{300, 1500, 100, 400}) }, 89616,
			"9255cf1ac270c557e5725b18766d9bbee75b2b61dcec7eaaa40ded021caa9632"},
		{"q3 2 3", func(w io.Writer) error { return Q3(w, 2, 3) }, 855640,
			"50ea0a15ab7a79b60e56abf41ef6e5db73a9b3a4ebf40a40628f0edde5b8c6c3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := tc.write(&b); err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b.Bytes())
			if got := hex.EncodeToString(sum[:]); b.Len() != tc.size || got != tc.sum {
				t.Errorf("got %d bytes, sum %s; want %d, %s", b.Len(), got, tc.size, tc.sum)
			}
		})
	}
}

func TestWrongSizesAreRefused(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"no events":      Nexmark(io.Discard, 0),
		"no keys":        KV(io.Discard, 10, 0),
		"uneven join":    Join2(io.Discard, Join2Sizes{100, 450, 1, 1}),
		"no scale":       Q3(io.Discard, 0, 1),
		"negative pairs": Q3(io.Discard, 1, -1),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWriteErrorsComeOut(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	if err := KV(brokenWriter{full}, 10, 10); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}
