package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/parse"
	"millrace/sql/rel"
)

// timedConditions are conditions on time over the columns of the table e; exact says that the bound needs no search.
var timedConditions = []struct {
	text  string
	exact bool
}{
	{"at > now() - interval '5 minutes'", true},
	{"now() - interval '5 minutes' >= at", true},
	{"at + interval '1 day 3 hours' < current_timestamp", true},
	{"interval '1 day' + local <= now() + '2 hours'::interval", true},
	{"local = now()", true},
	{"d > now()", true},
	{"now() BETWEEN at AND at + interval '10 seconds'", true},
	{"NOT (at < now())", true},
	{"now()::timestamp > local", true},
	{"localtimestamp < at", true},
	{"now() - at < interval '1 hour'", true},
	{"at - now() > interval '2 days'", true},
	{"interval '90 seconds' <= now() - local::timestamptz", true},
	{"mz_now() >= ms", true},
	{"mz_now() < small", true},
	{"mz_now() <= n", true},
	{"mz_now() > f", false},
	{"mz_now() < at", true},
	{"mz_now() >= local + interval '1 second'", true},
	{"mz_now() BETWEEN ms AND ms + 5000", true},
	{"mz_now() <= extract(epoch from at) * 1000 + 5000", true},
	{"mz_now() = ms", true},
	{"now() > timestamptz '2023-11-14 22:13:20.0005+00'", true},
	{"at > now() - interval '1 month'", false},
	{"now() < at + life", true},
	{"now() - life >= local", false},
	{"now() - life - interval '1 hour' < local", false},
	{"now() - at < life", false},
	{"date_trunc('hour', now()) = date_trunc('hour', at)", false},
	{"date_trunc('month', now()) > local", false},
	{"current_date = d", false},
	{"now()::date - d <= 7", false},
	{"d + 1 > current_date", false},
	{"extract(epoch from now()) > ms / 1000", false},
	{"extract(epoch from now())::int > small", false},
	{"extract(epoch from now() - at) < 30.5", false},
	{"extract(year from now()) = extract(year from local)", false},
	{"mz_now() - 5000 < ms", false},
	{"0 - mz_now() > -ms", false},
	{"mz_now()::bigint / 1000 = ms / 1000", false},
	{"mz_now() * -2 <= ms * -2", false},
	{"date_bin('15 minutes', now(), timestamptz '2001-01-01+00') >= at", false},
	{"now() AT TIME ZONE 'UTC' < local", false},
	{"to_timestamp(mz_now() / 1000.0) > at", false},
	{"now() > at + (ms || ' ms')::interval", true},
}

// timedTable has a column of each type that is compared with the time.
const timedTable = `CREATE TABLE e (at timestamptz, local timestamp, d date, ms bigint, small int, n numeric, f float8, life interval)`

// TestTimeBounds holds the bounds of conditions to the conditions themselves, over random rows, around the times at which
// they turn and at others.
func TestTimeBounds(t *testing.T) {
	t.Parallel()
	c := &memCatalog{path: []string{"public"}}
	addAll(t, c, timedTable)
	for i, tc := range timedConditions {
		plain, bounded := filtersOf(t, c, tc.text, false), filtersOf(t, c, tc.text, true)
		searched := false
		for _, e := range bounded {
			bound, _, ok := rel.AsTimeBound(e)
			if !ok {
				t.Fatalf("%s: %s is no bound", tc.text, rel.FormatScalar(e, nil))
			}
			call, is := bound.(*expr.Call)
			searched = searched || is && call.Fn.Name[0] == 'b'
		}
		if searched == tc.exact {
			t.Errorf("%s: bounds are searched: %v", tc.text, searched)
		}
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		for range 60 {
			compareBounds(t, rng, tc.text, plain, bounded)
		}
	}
}

func addAll(t testing.TB, c *memCatalog, text string) {
	t.Helper()
	for _, st := range parsed(t, text) {
		if err := c.add(st); err != nil {
			t.Fatal(err)
		}
	}
}

func parsed(t testing.TB, text string) []ast.Statement {
	t.Helper()
	list, err := parse.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var out []ast.Statement
	for _, p := range list {
		out = append(out, p.Stmt)
	}
	return out
}

// filtersOf are the conditions of the filter that a WHERE clause becomes.
func filtersOf(t testing.TB, c *memCatalog, where string, maintained bool) []expr.Scalar {
	t.Helper()
	q := parsed(t, "SELECT * FROM e WHERE "+where)[0].(*ast.Query)
	bound, err := QueryAsView(c.env(), q, nil, maintained)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	var preds []expr.Scalar
	rel.Walk(bound.Rel, func(r rel.Rel) bool {
		if f, ok := r.(*rel.Filter); ok {
			preds = append(preds, f.Preds...)
		}
		return true
	})
	return preds
}

// timedRow is a row of the table, its times around the usual one, some values at the ends of their ranges, some NULL.
func timedRow(rng *rand.Rand) []repr.Datum {
	ms := int64(usualTime) + rng.Int64N(4e6) - 2e6
	if rng.IntN(4) == 0 {
		ms = rng.Int64N(4e12) - 1e12
	}
	micros := ms*1000 + rng.Int64N(3)*500 - pgfmt.EpochSeconds*1e6
	row := []repr.Datum{
		repr.TimestampTZ(micros), repr.Timestamp(micros + rng.Int64N(1000)), repr.Date(int32(micros / repr.MicrosPerDay)),
		repr.Int8(ms), repr.Int4(int32(ms / 1000)), repr.Numeric(ms*10+rng.Int64N(3)*5, 1), repr.Float8(float64(ms) + float64(rng.IntN(3))/2),
		repr.Interval(int32(rng.IntN(5)-2), int32(rng.IntN(60)-30), rng.Int64N(1e10)-5e9),
	}
	if rng.IntN(10) == 0 {
		row[0], row[1], row[2] = repr.TimestampTZ(repr.PosInfinity64), repr.Timestamp(repr.NegInfinity64), repr.Date(repr.PosInfinity32)
	}
	if rng.IntN(8) == 0 {
		row[rng.IntN(len(row))] = repr.Null
	}
	return row
}

func compareBounds(t *testing.T, rng *rand.Rand, text string, plain, bounded []expr.Scalar) {
	t.Helper()
	row := timedRow(rng)
	var times []int64
	for _, e := range bounded {
		bound, _, _ := rel.AsTimeBound(e)
		var r expr.Row
		r.SetDatums(row)
		d, err := expr.Compile(bound, &expr.Env{})(&r)
		if err != nil {
			return
		}
		times = append(times, d.Int()-1, d.Int(), d.Int()+1)
	}
	for range 6 {
		times = append(times, usualTime+rng.Int64N(8e6)-4e6, rng.Int64N(4e12))
	}
	for _, at := range times {
		if at < 0 || at > rel.LastTime {
			continue
		}
		want, err := holdsAt(plain, row, at)
		if err != nil {
			continue // PostgreSQL would fail here; what the bounds say does not matter
		}
		got, err := holdsAt(bounded, row, at)
		if err != nil || got != want {
			t.Fatalf("%s at %d over %s: bounds say %v (error %v), the condition %v", text, at, rowText(row), got, err, want)
		}
	}
}

func holdsAt(preds []expr.Scalar, row []repr.Datum, at int64) (bool, *repr.Error) {
	env := &expr.Env{Now: time.UnixMilli(at).UTC(), LogicalNow: repr.Time(at)}
	var r expr.Row
	r.SetDatums(row)
	return expr.CompilePredicate(preds, env)(&r)
}

func rowText(row []repr.Datum) string {
	out := ""
	for _, d := range row {
		if d.IsNull() {
			out += " NULL"
			continue
		}
		out += fmt.Sprintf(" %s", pgfmt.AppendText(nil, repr.TypeOf(d.Kind()), d, nil))
	}
	return out
}

// TestTimeRefused are conditions on time that a maintained view can't have.
func TestTimeRefused(t *testing.T) {
	t.Parallel()
	c := &memCatalog{path: []string{"public"}}
	addAll(t, c, timedTable)
	for _, where := range []string{
		"at > now() OR ms IN (SELECT 1)", "at > now() OR age(now(), at) < life", "NOT (at > now() IS TRUE)", "age(now(), at) < life", "extract(hour from now()) > 5", "at > clock_timestamp()",
		"CASE WHEN ms > 5 THEN at > now() END", "now() > now() - life", "(at > now()) IS NOT FALSE",
		"now() AT TIME ZONE 'Europe/Berlin' > local", "localtime > time '12:00'", "mz_now() * ms > 5", "now()::text > 'x'",
	} {
		q := parsed(t, "SELECT * FROM e WHERE "+where)[0].(*ast.Query)
		_, err := QueryAsView(c.env(), q, nil, true)
		if err == nil || err.Code != repr.CodeFeatureNotSupported || err.Hint == "" || err.Position == 0 {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// timedOrs are conditions with the time under OR.
var timedOrs = []string{
	"at > now() OR ms > 1700000000000", "at <> now()", "NOT (at = now() AND local > now())", "at < now() OR local > now() + interval '1 hour'",
	"(at > now() OR small % 2 = 0) AND (local < now() OR n > 5)", "at BETWEEN now() - life AND now() OR mz_now() BETWEEN ms AND ms + 5000",
	"NOT (at > now() OR ms > 1700000000000)", "at > now() AND local < now() OR d = current_date", "small > 0 AND at > now() OR small <= 0 AND local < now()",
	"at < now() OR at > now() - interval '1 hour'", "at IN (now(), local)", "mz_now() < ms OR mz_now() >= ms", "at > now() OR NULL",
}

// TestTimeOrs holds the ranges of conditions under OR to the conditions, as TestTimeBounds does.
func TestTimeOrs(t *testing.T) {
	t.Parallel()
	c := &memCatalog{path: []string{"public"}}
	addAll(t, c, timedTable)
	for i, text := range timedOrs {
		plain := filtersOf(t, c, text, false)
		bound, err := QueryAsView(c.env(), parsed(t, "SELECT * FROM e WHERE "+text)[0].(*ast.Query), nil, true)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var ranges []*rel.FlatMap
		rel.Walk(bound.Rel, func(r rel.Rel) bool {
			if f, ok := r.(*rel.FlatMap); ok {
				ranges = append(ranges, f)
			}
			return true
		})
		rng := rand.New(rand.NewPCG(uint64(i), 6))
		for range 60 {
			compareRanges(t, rng, text, plain, ranges)
		}
	}
}

func compareRanges(t *testing.T, rng *rand.Rand, text string, plain []expr.Scalar, ranges []*rel.FlatMap) {
	t.Helper()
	row := timedRow(rng)
	inside := make([]func(at int64) int, len(ranges))
	times := []int64{0, usualTime, rel.LastTime}
	for i, f := range ranges {
		spans, err := spansOf(f, row)
		if err != nil {
			return
		}
		inside[i] = func(at int64) (n int) {
			for _, s := range spans {
				if s[0] <= at && at < s[1] {
					n++
				}
			}
			return n
		}
		for _, s := range spans {
			times = append(times, s[0]-1, s[0], s[0]+1, s[1]-1, s[1], s[1]+1)
		}
	}
	for range 6 {
		times = append(times, usualTime+rng.Int64N(8e6)-4e6, rng.Int64N(4e12))
	}
	for _, at := range times {
		want, err := holdsAt(plain, row, at)
		if at < 0 || at > rel.LastTime || err != nil {
			continue
		}
		copies := 1
		for _, n := range inside {
			copies *= n(at)
		}
		if (copies == 1) != want || copies > 1 {
			t.Fatalf("%s at %d over %s: %d copies, the condition is %v", text, at, rowText(row), copies, want)
		}
	}
}

// spansOf are the ranges that a function gives for a row.
func spansOf(f *rel.FlatMap, row []repr.Datum) (spans [][2]int64, err *repr.Error) {
	var r expr.Row
	r.SetDatums(row)
	args := make([]repr.Datum, len(f.Args))
	for i, a := range f.Args {
		d, err := expr.Compile(a, &expr.Env{})(&r)
		if err != nil {
			return nil, err
		}
		args[i] = d
	}
	err = f.Fn.Eval(&expr.Env{}, args, func(out []repr.Datum) bool {
		spans = append(spans, [2]int64{out[0].Int(), out[1].Int()})
		return true
	})
	return spans, err
}

// BenchmarkTimeBounds computes the bound of a row: one that needs no search, and one that does.
func BenchmarkTimeBounds(b *testing.B) {
	c := &memCatalog{path: []string{"public"}}
	addAll(b, c, timedTable)
	row := timedRow(rand.New(rand.NewPCG(1, 5)))
	row[0] = repr.TimestampTZ((usualTime+12345)*1000 - pgfmt.EpochSeconds*1e6)
	for _, where := range []string{"at > now() - interval '5 minutes'", "at > now() - interval '1 month'",
		"date_trunc('hour', now()) <= date_trunc('hour', at)", "extract(epoch from now()) < extract(epoch from at)"} {
		bound, _, _ := rel.AsTimeBound(filtersOf(b, c, where, true)[0])
		eval := expr.Compile(bound, &expr.Env{})
		b.Run(where, func(b *testing.B) {
			b.ReportAllocs()
			var r expr.Row
			for b.Loop() {
				r.SetDatums(row)
				if _, err := eval(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
