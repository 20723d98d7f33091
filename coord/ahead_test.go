package coord

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

// TestAsOfAhead: a time that is near is waited for, by SELECT and SUBSCRIBE of a relation or a query; one that is not is refused.
func TestAsOfAhead(t *testing.T) {
	bubble(t, Options{TickInterval: 500 * time.Millisecond, RetainHistory: 5 * time.Minute}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("INSERT INTO t VALUES (1)")
		newest := func() int64 {
			var at repr.Time
			_ = c.do(t.Context(), func() { at = c.oracle.complete })
			return int64(at)
		}
		for _, q := range []string{"SELECT a FROM t AS OF %d", "SUBSCRIBE t AS OF %d UP TO %[1]d + 1", "SUBSCRIBE (SELECT a + 0 AS a FROM t) AS OF %d UP TO %[1]d + 1"} {
			for _, ahead := range []int64{300, 20_000, 59_000} {
				at := newest() + ahead
				if rows := cl.must(fmt.Sprintf(q, at)); len(rows) != 1 || newest() < at {
					t.Errorf("%s, %d ahead: %v at %d", q, ahead, rows, newest())
				}
			}
			for _, ahead := range []int64{62_000, 1 << 40, 1<<62 - newest()} {
				began := newest()
				err := cl.fails(repr.CodeInvalidParameter, fmt.Sprintf(q, began+ahead))
				if !strings.Contains(err.Detail, fmt.Sprint("The newest time is ", began/1000)) || !strings.Contains(err.Detail, "1m0s ahead") || newest() > began+1000 {
					t.Errorf("%s, %d ahead: %+v, after %d ms", q, ahead, err, newest()-began)
				}
			}
		}
		_ = cl.fails(repr.CodeInvalidParameter, "SELECT a FROM t AS OF now() + interval '1 hour'")
	})
}
