package sim

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/counts"
)

// again is how many seeds a test run lives again, and steps how long each lives.
const (
	again = 16
	steps = 250
)

// lives is how many seeds a test run tries.
func lives() uint64 { return fewer(uint64(counts.Of(200, 2000))) }

// try runs a seed and tells how it went wrong.
func try(t *testing.T, seed uint64, steps int) outcome {
	t.Helper()
	out := live(t, seed, steps, 0)
	if out.err != nil {
		tail := out.tale[max(0, len(out.tale)-60):]
		t.Errorf("%s\n\nseed %d: %v\nagain: SIM_SEED=%d go test -run TestSeed ./tests/sim", strings.Join(tail, "\n"), seed, out.err, seed)
	}
	return out
}

// side are how many lives run side by side.
const side = 4

// fewer is a number of seeds, or a quarter of it under -short, which is how the race detector runs them.
func fewer(seeds uint64) uint64 {
	if testing.Short() {
		return seeds / 4
	}
	return seeds
}

// TestLives lets servers live.
func TestLives(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards total
	total := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for first := range uint64(side) {
			t.Run(strconv.FormatUint(first, 10), func(t *testing.T) {
				t.Parallel()
				for seed := first; seed < lives() && !t.Failed(); seed += side {
					out := try(t, seed, steps)
					mu.Lock()
					for what, n := range out.counts {
						total[what] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Log(total)
	for _, what := range happens {
		if total[what] == 0 {
			t.Errorf("in %d lives there were no %s; there were %v", lives(), what, slices.Sorted(maps.Keys(total)))
		}
	}
}

// TestAgain lives seeds again, with another number of workers each time: the same seed is the same life, to the last byte.
func TestAgain(t *testing.T) {
	t.Parallel()
	for seed := range fewer(uint64(counts.Of(again, 100))) {
		sameAgain(t, seed)
	}
}

// sameAgain lives a seed with 1, 2 and 8 workers.
func sameAgain(t *testing.T, seed uint64) {
	t.Helper()
	first := live(t, seed, steps, 1)
	for _, workers := range []int{2, 8} {
		out := live(t, seed, steps, workers)
		if out.err != nil {
			t.Errorf("seed %d with %d workers: %v", seed, workers, out.err)
		}
		if out.hash == first.hash {
			continue
		}
		i := 0
		for i < min(len(out.tale), len(first.tale))-1 && out.tale[i] == first.tale[i] {
			i++
		}
		t.Errorf("seed %d is another life with %d workers: line %d is\n  %s\nand with one\n  %s", seed, workers, i, out.tale[i], first.tale[i])
	}
}

// TestSeed runs the seed SIM_SEED; SIM_TALE=1 prints all that happens.
func TestSeed(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("SIM_SEED"), 10, 64)
	if err != nil {
		t.Skip("SIM_SEED is not set")
	}
	out := try(t, seed, steps)
	if os.Getenv("SIM_TALE") != "" {
		fmt.Println(strings.Join(out.tale, "\n"))
	}
	t.Log(out.hash, out.counts)
}

// kept is where seeds are kept that once went wrong: a seed, the number of steps and what it was on each line.
const kept = "testdata/seeds"

// TestKept lives again what once went wrong.
func TestKept(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var seed uint64
		var steps int
		if _, err := fmt.Sscanf(line, "%d %d", &seed, &steps); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		try(t, seed, steps)
	}
}

// TestSoak goes on for SIM_TIME, from the seed SIM_SEED or from one that the clock gives. A seed that goes wrong is kept, and ends it.
// Every tenth is lived again.
func TestSoak(t *testing.T) {
	d, err := time.ParseDuration(os.Getenv("SIM_TIME"))
	if err != nil {
		t.Skip("SIM_TIME is not set")
	}
	began := time.Now()
	seed, err := strconv.ParseUint(os.Getenv("SIM_SEED"), 10, 64)
	if err != nil {
		seed = uint64(began.Unix()) * 1000
	}
	first := seed
	for ; time.Since(began) < d && !t.Failed(); seed++ {
		if out := try(t, seed, steps); out.err != nil {
			keep(t, seed, out.err)
		}
		if seed%10 == 0 {
			sameAgain(t, seed)
		}
	}
	t.Logf("seeds %d to %d", first, seed-1)
}

// keep adds a seed to those that went wrong.
func keep(t *testing.T, seed uint64, why error) {
	what, _, _ := strings.Cut(why.Error(), "\n")
	f, err := os.OpenFile(kept, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d %d %s\n", seed, steps, what)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Error(err)
	}
}
