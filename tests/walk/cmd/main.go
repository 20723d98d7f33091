// Command cmd is what lies behind examples/run and examples/tool:
//
//	examples/run [--dialect today|2021] [--stay] NAME   an example, from its servers to its result
//	examples/tool write TOPIC [SCHEMA-FILE] < LINES     records to Kafka
//	examples/tool read TOPIC                            records from Kafka
//	examples/tool connector NAME SETTINGS-FILE          a connector of Kafka Connect
//	examples/tool fetch PREFIX FOLDER                   objects of the S3 server, into a folder
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"millrace/tests/walk"
)

const usage = "usage: run [--dialect today|2021] [--stay] NAME | write TOPIC [SCHEMA-FILE] | read TOPIC | connector NAME SETTINGS-FILE | fetch PREFIX FOLDER"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New(usage)
	}
	name, args := args[0], args[1:]
	topics := walk.Topics{Broker: os.Getenv("KAFKA"), Registry: os.Getenv("REGISTRY")}
	switch {
	case name == "run":
		return run(ctx, args)
	case topics.Broker == "":
		return errors.New("KAFKA and other variables say where the servers are: examples/run --stay prints them")
	case name == "write" && len(args) <= 2:
		return topics.Write(ctx, args[0], append(args, "")[1], os.Stdin)
	case name == "read" && len(args) == 1:
		return topics.Read(ctx, args[0], os.Stdout)
	case name == "connector" && len(args) == 2:
		return walk.Connector{Worker: os.Getenv("CONNECT"), Name: args[0]}.Put(ctx, args[1])
	case name == "fetch" && len(args) == 2:
		return walk.Bucket{Server: os.Getenv("STORAGE")}.Fetch(ctx, args[0], args[1])
	}
	return errors.New(usage)
}
