package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("golden.update", false, "rewrite golden files with what the tests got")

// Updating tells whether golden files are rewritten instead of compared.
func Updating() bool { return *update || os.Getenv("GOLDEN") == "update" }

// Run reads the cases of the file at path and compares what answer says to each with what the file says.
// Every case is a subtest named after its line, so `-run 'Test/line_12'` runs one; cases run in order.
// The state that answer closes over is shared by all cases of the file.
func Run(t *testing.T, path string, answer func(t *testing.T, c Case) string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file: %v", err)
	}
	file, err := parse(path, string(text))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if len(file.cases) == 0 {
		t.Fatalf("%s holds no case", path)
	}
	for i := range file.cases {
		c := &file.cases[i]
		t.Run(c.name(), func(t *testing.T) {
			t.Helper()
			got := normalize(answer(t, *c))
			if Updating() {
				c.Want = got
				return
			}
			if got != c.Want {
				t.Errorf("%s\n%s", c.Pos(), Diff(c.Want, got))
			}
		})
	}
	if Updating() && !t.Failed() {
		write(t, path, file.format())
	}
}

// RunDir calls Run for every file in dir, each as a parallel subtest named after the file. The answer function
// is made anew for each file by start, so that files do not share state.
func RunDir(t *testing.T, dir string, start func(t *testing.T) func(t *testing.T, c Case) string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden file in %s (%v)", dir, err)
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			Run(t, path, start(t))
		})
	}
}

// File compares got with the whole text of the file at path.
func File(t testing.TB, path, got string) {
	t.Helper()
	if Updating() {
		write(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file: %v (write it with GOLDEN=update)", err)
	}
	if got != string(want) {
		t.Errorf("%s\n%s", path, Diff(string(want), got))
	}
}

// write replaces the file at path unless it says the same already.
func write(t testing.TB, path, text string) {
	t.Helper()
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("make folder of golden file: %v", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatalf("write golden file: %v", err)
	}
	t.Logf("wrote %s", path)
}

// normalize ends a text that is not empty with exactly one line feed.
func normalize(text string) string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return ""
	}
	return text + "\n"
}
