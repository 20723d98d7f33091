package coord

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// bare are the rows of a stream without their times.
func (s *stream) bare() []string {
	s.cl.t.Helper()
	rows, err := s.there()
	if err != nil {
		s.cl.t.Fatal(err)
	}
	for i, r := range rows {
		_, rows[i], _ = strings.Cut(r, "|")
	}
	return rows
}

// TestEnvelopes shows what happens to keys, at one time and over time.
func TestEnvelopes(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (v int, k text NOT NULL, w numeric)")
		cl.must("INSERT INTO t VALUES (2, 'b', 1.10), (1, 'a', NULL)")
		upsert := connect(t, c).open("SUBSCRIBE t ENVELOPE UPSERT (KEY (k))")
		debezium := connect(t, c).open("SUBSCRIBE (SELECT v, k FROM t) ENVELOPE DEBEZIUM (KEY (k))")
		both := connect(t, c).open("SUBSCRIBE t ENVELOPE DEBEZIUM (KEY (k, v)) WITH (PROGRESS, SNAPSHOT = false)")
		names := func(s *stream) string {
			var out []string
			for _, c := range s.cols {
				out = append(out, c.Name)
			}
			return strings.Join(out, " ")
		}
		same(t, "columns", []string{names(upsert), names(debezium), names(both)}, "mz_timestamp mz_state k v w",
			"mz_timestamp mz_state k before_v after_v", "mz_timestamp mz_progressed mz_state k v before_w after_w")
		same(t, "upsert, content", upsert.bare(), "upsert|a|1|∅", "upsert|b|2|1.10")
		same(t, "debezium, content", debezium.bare(), "insert|a|∅|1", "insert|b|∅|2")
		for _, step := range []struct{ sql, upsert, debezium string }{
			{"UPDATE t SET v = 10 WHERE k = 'a'", "upsert|a|10|∅", "upsert|a|1|10"},
			{"DELETE FROM t WHERE k = 'b'", "delete|b|∅|∅", "delete|b|2|∅"},
			{"INSERT INTO t VALUES (7, 'b', 3)", "upsert|b|7|3", "insert|b|∅|7"},
			{"INSERT INTO t VALUES (8, 'c', 3), (9, 'c', 3)", "key_violation|c|∅|∅", "key_violation|c|∅|∅"},
			{"BEGIN; DELETE FROM t WHERE k = 'c'; INSERT INTO t VALUES (1, 'd', 0); COMMIT", "key_violation|c|∅|∅ upsert|d|1|0", "key_violation|c|∅|∅ insert|d|∅|1"},
			{"UPDATE t SET v = v", "", ""},
		} {
			cl.must(step.sql)
			same(t, "upsert, "+step.sql, []string{strings.Join(upsert.bare(), " ")}, step.upsert)
			same(t, "debezium, "+step.sql, []string{strings.Join(debezium.bare(), " ")}, step.debezium)
		}
		last := both.bare()
		same(t, "a progress message", last[len(last)-1:], "t|∅|∅|∅|∅|∅")
		_ = cl.fails("42703", "SUBSCRIBE t ENVELOPE UPSERT (KEY (nope))")
		_ = cl.fails("42701", "SUBSCRIBE t ENVELOPE UPSERT (KEY (k, k))")
		_ = cl.fails("42601", "SUBSCRIBE t ENVELOPE UPSERT")
		_ = cl.fails("0A000", "SUBSCRIBE t ENVELOPE DEBEZIUM UPSERT")
		_ = cl.fails("0A000", "SUBSCRIBE t ENVELOPE UPSERT (KEY (k)) WITHIN TIMESTAMP ORDER BY v")
	})
}

// TestWithinTimestampOrderBy sorts the changes of a time, and of the content.
func TestWithinTimestampOrderBy(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int, b text)")
		cl.must("INSERT INTO t VALUES (1, 'x'), (2, NULL), (3, 'w')")
		byB := connect(t, c).open("SUBSCRIBE t WITHIN TIMESTAMP ORDER BY b DESC, a")
		byDiff := connect(t, c).open("SUBSCRIBE t WITHIN TIMESTAMP ORDER BY mz_diff DESC, a DESC NULLS LAST")
		same(t, "content", byB.bare(), "1|2|∅", "1|1|x", "1|3|w")
		same(t, "content", byDiff.bare(), "1|3|w", "1|2|∅", "1|1|x")
		cl.must("UPDATE t SET a = a + 10")
		same(t, "changes", byB.bare(), "-1|2|∅", "1|12|∅", "-1|1|x", "1|11|x", "-1|3|w", "1|13|w")
		same(t, "changes", byDiff.bare(), "1|13|w", "1|12|∅", "1|11|x", "-1|3|w", "-1|2|∅", "-1|1|x")
		_ = cl.fails("42703", "SUBSCRIBE t WITHIN TIMESTAMP ORDER BY c")
		_ = cl.fails("0A000", "SUBSCRIBE t WITHIN TIMESTAMP ORDER BY a + 1")
		_ = cl.fails("42702", "SUBSCRIBE (SELECT a, b AS a FROM t) WITHIN TIMESTAMP ORDER BY a")
		_ = cl.fails("22023", "SUBSCRIBE t AS OF 10 UP TO 9")
	})
}

// TestEnvelopesAddUp folds streams of random changes: at every time they hold what the view does.
func TestEnvelopesAddUp(t *testing.T) {
	for _, workers := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			bubble(t, Options{TickInterval: time.Hour, Workers: workers}, func(t *testing.T, c *Coordinator) { envelopesAddUp(t, c) })
		})
	}
}

func envelopesAddUp(t *testing.T, c *Coordinator) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	cl := connect(t, c)
	cl.must("CREATE TABLE t (k int, v int)")
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT k, sum(v) AS s, count(*) AS n FROM t GROUP BY k")
	upsert := connect(t, c).open("SUBSCRIBE m ENVELOPE UPSERT (KEY (k))")
	debezium := connect(t, c).open("SUBSCRIBE m ENVELOPE DEBEZIUM (KEY (k))")
	ups, debs := map[string]string{}, map[string]string{}
	for range 200 {
		switch rng.IntN(3) {
		case 0:
			cl.must(fmt.Sprintf("DELETE FROM t WHERE k = %d", rng.IntN(6)))
		case 1:
			cl.must(fmt.Sprintf("UPDATE t SET v = v + 1, k = (k + %d) %% 6 WHERE v %% 3 = %d", rng.IntN(6), rng.IntN(3)))
		default:
			cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d, %d), (%d, NULL)", rng.IntN(6), rng.IntN(9), rng.IntN(6)))
		}
		for _, row := range upsert.bare() {
			f := strings.Split(row, "|")
			if f[0] == "delete" {
				delete(ups, f[1])
				continue
			}
			ups[f[1]] = f[2] + "|" + f[3]
		}
		for _, row := range debezium.bare() {
			f := strings.Split(row, "|")
			before, known := debs[f[1]]
			if known != (f[0] != "insert") || known && before != f[2]+"|"+f[3] {
				t.Fatalf("%s comes where %q was", row, before)
			}
			if debs[f[1]] = f[4] + "|" + f[5]; f[0] == "delete" {
				delete(debs, f[1])
			}
		}
		want := map[string]string{}
		for _, row := range cl.must("SELECT * FROM m") {
			k, rest, _ := strings.Cut(row, "|")
			want[k] = rest
		}
		if !maps.Equal(ups, want) || !maps.Equal(debs, want) {
			t.Fatalf("upserts add up to %v, the others to %v, the view is %v", ups, debs, want)
		}
	}
}
