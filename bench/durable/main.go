// Command durable measures what it costs that the server keeps its data, and says beside each figure what it is to be: what a row costs
// the journal; the same work on a server that keeps nothing and on one with a data directory, in seconds of the server's processor; the
// time of one INSERT beside that of one fsync; the size of the data on the disk beside that of the rows; the time of a start.
//
//	go run ./bench/durable [-binary bin/millrace] [-dir FOLDER] [-only journal,work,insert,disk,restart] [-times 3] …
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

type options struct {
	binary  string
	dir     string
	only    string
	broker  string
	times   int
	events  int
	rows    int
	inserts int
	logRows int
	restart int
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/millrace", "the server")
	flag.StringVar(&o.dir, "dir", "", "where data directories are made; the folder for temporary files when empty")
	flag.StringVar(&o.only, "only", "", "which of journal, work, insert, disk and restart, with commas; all when empty")
	flag.StringVar(&o.broker, "broker", "", "address of a Kafka broker; one in this process when empty")
	flag.IntVar(&o.times, "times", 3, "how often each work is done, in turn with and without a data directory")
	flag.IntVar(&o.events, "events", 500_000, "records to read from Kafka")
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the table that is weighed")
	flag.IntVar(&o.inserts, "inserts", 32_000, "INSERT statements of one row, and a quarter as many of a hundred")
	flag.IntVar(&o.logRows, "log-rows", 5_000_000, "rows that the journal is given by itself, and updates of them")
	flag.IntVar(&o.restart, "restart-rows", 1_000_000, "rows of the table that a start brings back")
	flag.Parse()
	if err := measure(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// measure takes the figures.
func measure(ctx context.Context, o options) error {
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"journal", o.log}, {"work", o.works}, {"insert", o.single}, {"disk", o.weigh}, {"restart", o.restarts}} {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), part.name) {
			continue
		}
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// figure is what was measured, and what it is to be.
type figure struct {
	name  string
	value float64
	goal  float64
	least bool // the goal is the least it may be, not the most
}

// print prints a figure with what it was made of.
func (f figure) print(format string, args ...any) {
	reached, relation := f.value <= f.goal, "<="
	if f.least {
		reached, relation = f.value >= f.goal, ">="
	}
	fmt.Printf("MILLRACE durable %q value=%.2f goal%s%g reached=%t %s\n", f.name, f.value, relation, f.goal, reached, fmt.Sprintf(format, args...))
}
