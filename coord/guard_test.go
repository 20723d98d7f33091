package coord

import (
	"sync/atomic"
	"testing"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// A statement that has a panic is refused, and the session goes on; its transaction has failed as with any error.
func TestPanicFailsTheStatementAlone(t *testing.T) {
	t.Parallel()
	var bugs atomic.Int32
	opts := quiet()
	opts.OnBug = func(string, any, []byte) { bugs.Add(1) }
	cl := connect(t, start(t, opts))
	var nothing *ast.Query // nobody expects a query that is none
	prepare := func() *repr.Error {
		_, err := cl.s.Prepare(t.Context(), parse.Parsed{Stmt: nothing}, nil)
		return err
	}
	execute := func() *repr.Error {
		_, err := cl.s.Execute(t.Context(), &Prepared{Stmt: nothing}, nil)
		return err
	}
	for name, ask := range map[string]func() *repr.Error{"prepare": prepare, "execute": execute} {
		before := bugs.Load()
		if err := ask(); err == nil || err.Code != repr.CodeInternal || err.Hint == "" {
			t.Errorf("%s: %v, want XX000 with a hint", name, err)
		}
		if got := bugs.Load() - before; got != 1 {
			t.Errorf("%s: %d bugs were told, want 1", name, got)
		}
		if got := cl.one("SELECT 1 + 1"); got != "2" {
			t.Errorf("%s: the session says %q afterwards, want 2", name, got)
		}
	}
	cl.must("BEGIN")
	if err := execute(); err == nil || cl.s.TxStatus() != 'E' {
		t.Errorf("in a transaction: %v, then status %c, want E", err, cl.s.TxStatus())
	}
	_ = cl.fails(repr.CodeFailedTransaction, "SELECT 1")
	cl.must("ROLLBACK")
	if got := cl.one("SELECT 1 + 1"); got != "2" {
		t.Errorf("after ROLLBACK the session says %q, want 2", got)
	}
}
