package coord

import (
	"fmt"
	"testing"

	"millrace/repr"
)

// TestEncodingsAgeWhileAChangeWaits: changes that one reader has read and another has not are kept once, not in the encoding of the
// first as well, and the second gets the same bytes.
func TestEncodingsAgeWhileAChangeWaits(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int, b text)")
		enc := &Encoding{Key: "k", Tick: func(dst []byte, _ repr.Time, rows [][]byte) []byte {
			for _, row := range rows {
				dst = append(dst, row...)
			}
			return dst
		}}
		quick, slow := connect(t, c).open("SUBSCRIBE t"), connect(t, c).open("SUBSCRIBE t")
		for _, s := range []*stream{quick, slow} {
			if rows, err := s.there(); len(rows) > 0 || err != nil {
				t.Fatalf("an empty table has %v, %v", rows, err)
			}
		}
		read := func(s *stream, n int) (out []byte) {
			for n > 0 {
				chunk, rows := s.rows.(Encoded).PollEncoded(enc)
				if rows == 0 {
					t.Fatalf("%d rows are missing", n)
				}
				out, n = append(out, chunk...), n-rows
			}
			return out
		}
		const rounds, rows = 14, 1000 // less than what a difference would take the place of
		var shown []byte
		for i := range rounds {
			cl.must(fmt.Sprintf("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(%d, %d) AS g", i*rows, i*rows+rows-1))
			shown = append(shown, read(quick, rows)...)
		}
		waits, kept := c.encodings(t, "t")
		if waits < rounds*rows*1000 || kept == 0 || kept > 2*freshBytes {
			t.Errorf("beside changes of %d bytes their encodings have %d, which may be %d", waits, kept, 2*freshBytes)
		}
		if again := read(slow, rounds*rows); string(again) != string(shown) {
			t.Errorf("who reads later gets %d other bytes than the %d that the first got", len(again), len(shown))
		}
	})
}

// encodings are the bytes of the changes that wait for readers of a table, and of their encodings.
func (c *Coordinator) encodings(t *testing.T, table string) (waits, kept int64) {
	t.Helper()
	if err := c.do(t.Context(), func() {
		for _, col := range c.collections {
			if col.name != table {
				continue
			}
			seen := map[*change]bool{}
			for sub := range col.readers {
				for l := sub.at; l != sub.end; {
					if l = l.next; seen[l.change] {
						continue
					}
					seen[l.change] = true
					waits += l.bytes()
					for _, e := range l.encoded {
						kept += int64(len(e.bytes))
					}
				}
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return waits, kept
}
