package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"millrace/internal/demo"
)

// runDemo runs a server with a broker, a schema registry and a shop that writes to them.
func runDemo(ctx context.Context, args []string) (err error) {
	var c config
	var o demo.Options
	fs := flag.NewFlagSet("millrace demo", flag.ContinueOnError)
	c.flags(fs)
	fs.IntVar(&o.Rows, "rows", 100_000, "page views to load first; a hundredth as many users")
	fs.IntVar(&o.Rate, "rate", 100, "events a second after that")
	fs.IntVar(&o.KafkaPort, "kafka-port", 9092, "port of the broker")
	fs.IntVar(&o.RegistryPort, "registry-port", 8081, "port of the schema registry")
	fs.IntVar(&o.Partitions, "partitions", 2, "partitions of each topic")
	if err := load(fs, &c, args); err != nil {
		return err
	}
	fmt.Printf("loading %d page views …\n", o.Rows)
	o.Seed = 1
	d, err := demo.Start(ctx, o)
	if err != nil {
		return fmt.Errorf("start the demo's shop: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	c.Volatile = true // the broker of the demo keeps nothing either
	if c.LogLevel == "info" {
		c.LogLevel = "warn"
	}
	s, err := start(&c)
	if err != nil {
		return err
	}
	fmt.Print(demo.Banner(d, s.addr, s.web))
	fmt.Println("\nCtrl-C stops the demo, which keeps nothing: --data-dir is for millrace serve.")
	return s.wait(ctx)
}
