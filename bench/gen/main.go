// Command gen writes the event files of the benchmarks; bench/README.md says which.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"millrace/bench/generate"
)

const usage = `usage: gen nexmark EVENTS FILE
       gen kv UPDATES KEYS FILE
       gen join2 LEFT RIGHT LEFT_UPDATES RIGHT_UPDATES FILE
       gen q3 MILLI_SCALE PAIRS FILE
`

// shape is one kind of event file: how many sizes it takes, and how it is written.
type shape struct {
	sizes int
	write func(w io.Writer, n []int64) error
}

var shapes = map[string]shape{
	"nexmark": {1, func(w io.Writer, n []int64) error { return generate.Nexmark(w, n[0]) }},
	"kv":      {2, func(w io.Writer, n []int64) error { return generate.KV(w, n[0], n[1]) }},
	"join2": {4, func(w io.Writer, n []int64) error {
		return generate.Join2(w, generate.Join2Sizes{Left: n[0], Right: n[1], LeftUpdates: n[2], RightUpdates: n[3]})
	}},
	"q3": {2, func(w io.Writer, n []int64) error { return generate.Q3(w, n[0], n[1]) }},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "gen: %v\n%s", err, usage)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name the kind of file")
	}
	s, ok := shapes[args[0]]
	if !ok {
		return fmt.Errorf("no kind of file is called %q", args[0])
	}
	if len(args) != s.sizes+2 {
		return fmt.Errorf("%s takes %d sizes and a file", args[0], s.sizes)
	}
	sizes := make([]int64, s.sizes)
	for i := range sizes {
		n, err := strconv.ParseInt(args[1+i], 10, 64)
		if err != nil {
			return fmt.Errorf("read size: %w", err)
		}
		sizes[i] = n
	}
	return writeFile(args[len(args)-1], func(w io.Writer) error { return s.write(w, sizes) })
}

// writeFile writes beside the file and renames, so that a file that is there is a whole one.
func writeFile(path string, write func(io.Writer) error) error {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	err = write(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("%w (left %s)", err, part)
	}
	return os.Rename(part, path)
}
