package sim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// lives is how many seeds a test run tries, and steps how long each lives.
const (
	lives = 200
	steps = 250
)

// try runs a seed and tells how it went wrong.
func try(t *testing.T, seed uint64, steps int) outcome {
	t.Helper()
	out := live(t, seed, steps)
	if out.err != nil {
		tail := out.tale[max(0, len(out.tale)-60):]
		t.Errorf("%s\n\nseed %d: %v\nagain: SIM_SEED=%d go test -run TestSeed ./tests/sim", strings.Join(tail, "\n"), seed, out.err, seed)
	}
	return out
}

// TestLives lets servers live.
func TestLives(t *testing.T) {
	total := map[string]int{}
	for seed := range uint64(lives) {
		out := try(t, seed, steps)
		for what, n := range out.counts {
			total[what] += n
		}
		if t.Failed() {
			return
		}
	}
	t.Log(total)
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

// TestKept lives again what once went wrong: testdata/seeds has a seed, the number of steps and what it was on each line.
func TestKept(t *testing.T) {
	text, err := os.ReadFile("testdata/seeds")
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

// TestSoak goes on for SIM_TIME.
func TestSoak(t *testing.T) {
	d, err := time.ParseDuration(os.Getenv("SIM_TIME"))
	if err != nil {
		t.Skip("SIM_TIME is not set")
	}
	began := time.Now()
	seed := uint64(began.UnixNano())
	for time.Since(began) < d && !t.Failed() {
		try(t, seed, steps)
		seed++
	}
}
