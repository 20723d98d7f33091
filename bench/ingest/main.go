// Command ingest measures what comes in and goes out by real servers, which it starts: topics of Kafka read into a source and a view that
// groups them, the first content of a table of PostgreSQL, and a view written to a topic. Each figure is records for each second
// of the server's processor time, from the statement to the whole answer, beside what it is to be; behind it stands what the other server's
// process took. With -flink, Flink SQL reads the same topics for the same answers.
//
//	go run ./bench/ingest [-binary bin/millrace] [-only bytes,json,avro,postgres,sink] [-flink] [-times 3] [-records 1000000]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"millrace/tests/stack"
)

type options struct {
	binaries []string
	only     []string
	flink    bool
	times    int
	records  int
	profile  string
}

func main() {
	var o options
	binaries, only := "", ""
	flag.StringVar(&binaries, "binary", "bin/millrace", "the server; several with commas take turns")
	flag.StringVar(&only, "only", "", "which of bytes, json, avro, postgres and sink, with commas; all when empty")
	flag.BoolVar(&o.flink, "flink", false, "have Flink SQL read the same topics too")
	flag.IntVar(&o.times, "times", 3, "how often each is measured; the median counts")
	flag.IntVar(&o.records, "records", 1_000_000, "records of a topic, and rows of a table")
	flag.StringVar(&o.profile, "profile", "", "a file for the processor profile of the server while the last of it is measured")
	flag.Parse()
	o.binaries = strings.Split(binaries, ",")
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	if err := measure(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// part is one figure.
type part struct {
	name     string
	goal     float64         // records for each second of the processor
	services []stack.Service // the first is the one whose process is weighed
	prepare  func(b *bench, ctx context.Context) (*job, error)
}

var parts = []part{
	{"bytes", 1_000_000, []stack.Service{stack.Kafka}, (*bench).prepareBytes},
	{"json", 250_000, []stack.Service{stack.Kafka}, (*bench).prepareJSON},
	{"avro", 400_000, []stack.Service{stack.Kafka, stack.Registry}, (*bench).prepareAvro},
	{"postgres", 300_000, []stack.Service{stack.Postgres}, (*bench).preparePostgres},
	{"sink", 150_000, []stack.Service{stack.Kafka}, (*bench).prepareSink},
}

// bench is a run with its servers.
type bench struct {
	options
	stack *stack.Stack
}

func measure(ctx context.Context, o options) (err error) {
	var wanted []part
	var services []stack.Service
	for _, p := range parts {
		if o.only == nil || slices.Contains(o.only, p.name) {
			wanted = append(wanted, p)
			services = append(services, p.services...)
		}
	}
	if len(wanted) == 0 {
		return fmt.Errorf("no part is called %s", strings.Join(o.only, ","))
	}
	up, err := stack.Up(ctx, stack.Config{Fresh: true}, services...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Down()) }()
	b := &bench{o, up}
	for i := range wanted {
		if err := b.do(ctx, &wanted[i]); err != nil {
			return fmt.Errorf("%s: %w", wanted[i].name, err)
		}
	}
	return nil
}

// do measures a part by each binary in turn, and then by Flink.
func (b *bench) do(ctx context.Context, p *part) error {
	j, err := p.prepare(b, ctx)
	if err != nil {
		return err
	}
	taken := map[string][]cost{}
	for range b.times {
		for _, binary := range b.binaries {
			c, err := b.once(ctx, binary, p, j)
			if err != nil {
				return err
			}
			taken[binary] = append(taken[binary], c)
		}
	}
	for _, binary := range b.binaries {
		rate := p.print("MILLRACE", j, taken[binary])
		fmt.Printf(" goal>=%.0f reached=%t binary=%s\n", p.goal, rate >= p.goal, binary)
	}
	if !b.flink || j.flink == nil {
		return nil
	}
	costs, err := b.flinkTakes(ctx, p, j)
	if err != nil {
		return err
	}
	theirs := p.print("FLINK", j, costs)
	fmt.Printf(" ours_to_it=%.2f\n", rateOf(j, middle(taken[b.binaries[0]]))/theirs)
	return nil
}

// cost is what one measurement took.
type cost struct {
	ours, theirs, clock time.Duration
	again               time.Duration // of our processor, when the same server does the same again; 0: it did not
}

// middle is the median. The costs are sorted then.
func middle(costs []cost) cost {
	slices.SortFunc(costs, func(a, b cost) int { return int(a.ours - b.ours) })
	return costs[len(costs)/2]
}

// rateOf is records for each second of the processor.
func rateOf(j *job, c cost) float64 { return float64(j.records) / c.ours.Seconds() }

// print prints the median, the least and the most of the measurements, and gives the median.
func (p *part) print(who string, j *job, costs []cost) float64 {
	mid := middle(costs)
	fmt.Printf("%s ingest %-8s records_per_cpu_s=%.0f least=%.0f most=%.0f records=%d bytes_each=%d cpu_s=%.2f %s_cpu_s=%.2f clock_s=%.2f",
		who, p.name, rateOf(j, mid), rateOf(j, costs[len(costs)-1]), rateOf(j, costs[0]), j.records, j.bytes/max(j.records, 1),
		mid.ours.Seconds(), p.services[0], mid.theirs.Seconds(), mid.clock.Seconds())
	var again []cost
	for _, c := range costs {
		if c.again > 0 {
			again = append(again, cost{ours: c.again})
		}
	}
	if len(again) > 0 {
		fmt.Printf(" again_per_cpu_s=%.0f", rateOf(j, middle(again)))
	}
	return rateOf(j, mid)
}
