package coord

import (
	"context"
	"strings"
	"testing"

	"millrace/repr"
)

// TestCopyInMemory: the rows of a COPY count towards its transaction while they come, and are refused when there is no room for them.
func TestCopyInMemory(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	cl := connect(t, c)
	cl.must("CREATE TABLE t (a text)")
	pad := []repr.Datum{repr.Text(strings.Repeat("x", 1000))}
	begin := func() *CopyIn {
		stmts, err := cl.s.Split("COPY t FROM STDIN")
		if err != nil {
			t.Fatal(err)
		}
		p, err := cl.s.Prepare(t.Context(), stmts[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := cl.s.Execute(t.Context(), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		return res.CopyIn
	}
	in := begin()
	var err *repr.Error
	rows := 0
	for ; err == nil && rows < 100_000; rows++ {
		err = in.Add(pad)
	}
	if err == nil || err.Code != repr.CodeOutOfMemory || err.Hint == "" {
		t.Fatalf("after %d rows: %v", rows, err)
	}
	cl.s.Fail()
	if n := c.memory.statements.Held(); n != 0 {
		t.Errorf("%d bytes are held after it", n)
	}
	in = begin()
	for range 1000 {
		if err := in.Add(pad); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.memory.statements.Held(); n < 900<<10 {
		t.Errorf("a megabyte of rows counts as %d bytes", n)
	}
	if tag, err := in.Finish(context.Background()); err != nil || tag != "COPY 1000" {
		t.Errorf("got %s, %v", tag, err)
	}
	if n := c.memory.statements.Held(); n != 0 {
		t.Errorf("%d bytes are held at the end", n)
	}
	same(t, "what is there", cl.must("SELECT count(*) FROM t"), "1000")
}
