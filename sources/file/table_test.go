package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/clock"
	"millrace/repr"
)

// TestTableThatIsNone: a file that is no table is named, also when it is looked at for its columns.
func TestTableThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a.table")
	if err := os.WriteFile(name, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Config{Root: dir, Pattern: "a.table", Format: FormatTable, Clock: clock.System{}, Open: func(*os.File, repr.RowDesc, int64) (Table, error) {
		return nil, repr.NewError(repr.CodeInvalidText, "this is no table")
	}})
	if _, _, err := s.Describe(t.Context()); err == nil || !strings.Contains(err.Error(), "file \""+name+"\": this is no table") {
		t.Errorf("the error is %v", err)
	}
}
