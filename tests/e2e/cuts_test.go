package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/tests/stack"
)

// cutsInCI is how many faults TestCuts makes without MILLRACE_CUTS.
const cutsInCI = 8

// fault is something that happens to what a server depends on. It leaves all as it was.
type fault struct {
	name string
	make func(ctx context.Context, k *killLoop, t *testing.T) error
}

var faults = []fault{
	{"connections to the broker end", func(_ context.Context, k *killLoop, _ *testing.T) error { k.line.Drop(); return nil }},
	{"the line to the broker is cut", func(ctx context.Context, k *killLoop, t *testing.T) error {
		k.line.Cut()
		return errors.Join(k.stalled(t), k.mend(ctx, 0))
	}},
	{"the line to the broker stalls", func(ctx context.Context, k *killLoop, _ *testing.T) error {
		k.line.Stall()
		return k.mend(ctx, time.Duration(k.random.IntN(3000))*time.Millisecond)
	}},
	{"answers of the broker are lost", func(ctx context.Context, k *killLoop, _ *testing.T) error {
		k.line.Mute()
		return k.mend(ctx, time.Duration(k.random.IntN(3000))*time.Millisecond)
	}},
	{"the broker starts again", func(ctx context.Context, k *killLoop, t *testing.T) error {
		return errors.Join(k.real.stack.Stop(stack.Kafka), k.stalled(t), k.real.stack.Start(ctx, stack.Kafka))
	}},
	{"the registry starts again", func(ctx context.Context, k *killLoop, _ *testing.T) error {
		return errors.Join(k.real.stack.Stop(stack.Registry), k.real.stack.Start(ctx, stack.Registry))
	}},
	{"the database starts again", func(ctx context.Context, k *killLoop, _ *testing.T) error {
		return errors.Join(k.real.stack.Stop(stack.MariaDB), k.real.stack.Start(ctx, stack.MariaDB), k.real.stack.RestartConnector(ctx, k.load.connector))
	}},
	{"the connector starts again", func(ctx context.Context, k *killLoop, _ *testing.T) error {
		return k.real.stack.RestartConnector(ctx, k.load.connector)
	}},
}

// TestCuts disturbs what a server under load depends on: the network, the broker, the registry, the database and the connector
// behind it. The server recovers by itself, and nothing is lost or doubled. MILLRACE_CUTS says how often.
func TestCuts(t *testing.T) {
	need(t)
	cuts := cutsInCI
	if text := os.Getenv("MILLRACE_CUTS"); text != "" {
		var err error
		if cuts, err = strconv.Atoi(text); err != nil {
			t.Fatalf("read MILLRACE_CUTS: %v", err)
		}
	}
	r := real(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := newKillLoop(t, r, seed)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(cuts)*2*time.Minute)
	defer cancel()
	order := rand.New(rand.NewPCG(seed, 99)).Perm(len(faults))
	var slowest time.Duration
	for i := range cuts {
		f := faults[order[i%len(order)]]
		if err := f.make(ctx, k, t); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		began := time.Now()
		k.load.pause()
		k.check(t)
		k.load.resume()
		t.Logf("%s: all is right after %s", f.name, time.Since(began).Round(10*time.Millisecond))
		slowest = max(slowest, time.Since(began))
		if t.Failed() {
			break
		}
	}
	k.load.end()
	t.Logf("%d faults, right again after %s at most", cuts, slowest.Round(10*time.Millisecond))
}

// stalled waits until the server says that a source is stalled.
func (k *killLoop) stalled(t *testing.T) error {
	t.Helper()
	eventually(t, 30*time.Second, "a source says that it is stalled", func() error {
		if err := k.server.ready(); err == nil || !strings.Contains(err.Error(), "stalled") {
			return fmt.Errorf("/readyz says %v", err)
		}
		return nil
	})
	return nil
}

// mend lets the line pass again after a while.
func (k *killLoop) mend(ctx context.Context, after time.Duration) error {
	idle(ctx, after)
	k.line.Mend()
	return ctx.Err()
}
