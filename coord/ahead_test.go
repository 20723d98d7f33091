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
		then := time.UnixMilli(newest()).UTC()
		for _, text := range []string{then.Format("2006-01-02 15:04:05.000Z07:00"), then.Add(2*time.Hour).Format("2006-01-02 15:04:05.000") + "+02"} {
			same(t, "as of "+text, cl.must("SELECT a FROM t AS OF '"+text+"'"), "1")
			cl.must("SUBSCRIBE t AS OF '" + text + "' UP TO '" + text + "'")
		}
		cl.must("SET TimeZone = 'America/New_York'") // where that hour is still to come
		_ = cl.fails(repr.CodeInvalidParameter, "SELECT a FROM t AS OF '"+then.Format("2006-01-02 15:04:05")+"'")
		for _, text := range []string{"x", "2026-01-01 midnight"} {
			if err := cl.fails("22007", "SELECT a FROM t AS OF '"+text+"'"); err.Position == 0 {
				t.Errorf("%s: %+v", text, err)
			}
		}
		for _, q := range []string{"CREATE VIEW v AS SELECT a FROM t AS OF 5", "CREATE OR REPLACE VIEW v AS SELECT a FROM t AS OF now()", "CREATE MATERIALIZED VIEW v AS SELECT a FROM t AS OF 5"} {
			if err := cl.fails(repr.CodeFeatureNotSupported, q); err.Position != strings.Index(q, "AS OF")+1 {
				t.Errorf("%s: %+v", q, err)
			}
		}
	})
}
