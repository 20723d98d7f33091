package coord

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/sources/postgres"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), part)
}

// TestLeftSlot: a start that leaves out a source of a block that did not commit knows what it has on the other side, says so when that
// cannot be taken away, without the password, and knows it at the next start as well.
func TestLeftSlot(t *testing.T) {
	t.Parallel()
	said := &lines{}
	opts := quiet()
	opts.Log = slog.New(slog.NewTextHandler(said, nil))
	m := newMachine(t, opts)
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (a int)")
	spec := &postgresSource{address: postgres.Address{Host: "127.0.0.1", Port: 1, Database: "shop", User: "u", Password: "a password"}}
	spec.value = "millrace_of_a_block"
	_ = m.c.do(t.Context(), func() {
		m.c.notes = append(m.c.notes, openMark(&catalog.Item{ID: 1 << 40, Schema: "public", Name: "src", Def: spec}))
	})
	cl.must("INSERT INTO t VALUES (1)")
	marked := func() (kept []string) {
		for k, v := range m.c.opts.Journal.State().Notes {
			if strings.HasPrefix(k, openNotes) || strings.HasPrefix(k, leaveNotes) {
				kept = append(kept, k[:strings.Index(k, "/")]+" "+string(v))
			}
		}
		return kept
	}
	if kept := marked(); len(kept) != 1 || !strings.HasPrefix(kept[0], "open ") || !strings.Contains(kept[0], spec.value) {
		t.Fatalf("the mark is %v", kept)
	}
	for range 2 {
		m.crash()
		cl = connect(t, m.c)
		cl.must("INSERT INTO t VALUES (1)")
		if kept := marked(); len(kept) != 1 || !strings.HasPrefix(kept[0], "leave ") || !strings.Contains(kept[0], spec.value) {
			t.Fatalf("after a start there is %v", kept)
		}
		hint := "SELECT pg_drop_replication_slot('millrace_of_a_block')"
		for end := time.Now().Add(time.Minute); !said.has(hint); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the slot is not told of")
			}
		}
		if said.has("a password") || !said.has("source=src ") {
			t.Error("the log has the password, or not the name of the source")
		}
		said.mu.Lock()
		said.buf.Reset()
		said.mu.Unlock()
	}
	for key, value := range map[string][]byte{openNote(1): {1}, openSchemaNote("x"): {1}, itemNote(2): []byte(`{"slot": ""}`)} {
		if l := leftIn(value); l != nil {
			t.Errorf("%s tells of %v", key, journal.Note{Key: key, Value: value})
		}
	}
}
