package main

import (
	"context"
	"flag"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"millrace/arrangement"
	"millrace/bench"
	"millrace/bench/events"
	"millrace/dataflow"
	"millrace/internal/clock"
	"millrace/repr"
)

// curveTicks is how many ticks of each size are measured, and curveChanges are the sizes.
const curveTicks = 2000

var curveChanges = []int{1, 100}

// runCurve prints what a change of a join view costs with more and more rows behind it: each side holds the same keys, and a
// change takes a row of one side away and puts another there, which is four changes of the join at most.
func runCurve(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("millrace bench curve", flag.ContinueOnError)
	sizes := fs.String("rows", "1000,100000,5000000", "rows of each side, a list")
	workers := fs.Int("workers", 1, "workers of the dataflow")
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	debug.SetGCPercent(gcPercent)
	for text := range strings.SplitSeq(*sizes, ",") {
		rows, err := strconv.ParseInt(text, 10, 64)
		if err != nil || rows < 1 {
			return errUsage
		}
		c := &curve{rows: rows, next: 1}
		if err := c.load(ctx, *workers); err != nil {
			return err
		}
		for _, n := range curveChanges {
			if err := c.measure(ctx, n); err != nil {
				return err
			}
		}
		c.run.flow.Close()
	}
	return nil
}

// curve is the join with rows behind it.
type curve struct {
	run  benchRun
	rows int64
	next uint64 // chance
}

// load fills both sides in ticks of a hundred thousand rows.
func (c *curve) load(ctx context.Context, workers int) error {
	q, _ := bench.Find("join2")
	column := func(name string) repr.Column { return repr.Column{Name: name, Type: repr.TypeOf(repr.KindInt8)} }
	tables := []events.Table{{Name: "l", Columns: repr.RowDesc{column("k"), column("v")}},
		{Name: "r", Columns: repr.RowDesc{column("k"), column("v")}}}
	c.run = benchRun{query: q}
	if err := c.run.planOver(tables, workers); err != nil {
		return err
	}
	const chunk = 100_000
	for from := int64(0); from < c.rows; from += chunk {
		left, right := arrangement.NewBuilder(), arrangement.NewBuilder()
		for k := from; k < min(from+chunk, c.rows); k++ {
			left.Add(curveRow(k, 0), 1)
			right.Add(curveRow(k, 0), 1)
		}
		if _, err := c.tick(ctx, left, right); err != nil {
			return err
		}
	}
	return nil
}

func curveRow(k, v int64) []byte {
	return repr.AppendFixed8(repr.AppendFixed8(nil, repr.KindInt8, k), repr.KindInt8, v)
}

// measure replaces n rows in each tick, and puts them back in the next.
func (c *curve) measure(ctx context.Context, n int) error {
	var total, worst time.Duration
	for i := range curveTicks {
		if i%2 == 0 {
			c.next = c.next*6364136223846793005 + 1442695040888963407
		}
		left := arrangement.NewBuilder()
		was := int64(i % 2)
		for j := range n {
			k := int64((c.next>>16 + uint64(j)*0x9E3779B97F4A7C15>>8) % uint64(c.rows))
			left.Add(curveRow(k, was), -1)
			left.Add(curveRow(k, 1-was), 1)
		}
		took, err := c.tick(ctx, left, arrangement.NewBuilder())
		if err != nil {
			return err
		}
		total, worst = total+took, max(worst, took)
	}
	each := total / curveTicks
	fmt.Printf("MILLRACE curve rows=%d changes=%d tick_us=%.1f change_us=%.2f worst_ms=%.2f\n", c.rows, n, micros(each),
		micros(each)/float64(n), 1e3*worst.Seconds())
	return nil
}

func micros(d time.Duration) float64 { return 1e6 * d.Seconds() }

// tick steps the join and says how long that took.
func (c *curve) tick(ctx context.Context, left, right *arrangement.Builder) (time.Duration, error) {
	c.run.step++
	in := map[uint64]dataflow.Delta{1: {OK: left.Seal()}, 2: {OK: right.Seal()}}
	began := clock.System{}.Now()
	out, err := c.run.flow.Step(ctx, c.run.step, in)
	if err == nil && out.Err.Len() > 0 {
		err, _ = dataflow.DecodeErr(out.Err.Row(0))
	}
	return clock.System{}.Now().Sub(began), err
}
