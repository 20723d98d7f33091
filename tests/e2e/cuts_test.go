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

// mostHeal is how long a server may take until all is right again, once what it depends on is there. In CI, where a broker that has just
// started wants the cores too, it may take more.
const (
	mostHeal     = 10 * time.Second
	mostHealInCI = 3 * mostHeal
)

// fault is something that happens to what a server depends on. It leaves all as it was.
type fault struct {
	name   string
	behind bool // what comes waits for the connector, which the server does not see
	make   func(ctx context.Context, k *killLoop, t *testing.T) error
}

var faults = []fault{
	{name: "connections to the broker end", make: func(_ context.Context, k *killLoop, _ *testing.T) error { k.line.Drop(); return nil }},
	{name: "the line to the broker is cut", make: func(ctx context.Context, k *killLoop, t *testing.T) error {
		k.line.Cut()
		return errors.Join(k.stalled(t), k.mend(ctx, 0))
	}},
	{name: "the line to the broker stalls", make: func(ctx context.Context, k *killLoop, _ *testing.T) error {
		k.line.Stall()
		return k.mend(ctx, time.Duration(k.random.IntN(3000))*time.Millisecond)
	}},
	{name: "answers of the broker are lost", make: func(ctx context.Context, k *killLoop, _ *testing.T) error {
		k.line.Mute()
		return k.mend(ctx, time.Duration(k.random.IntN(3000))*time.Millisecond)
	}},
	{name: "the broker starts again", make: func(ctx context.Context, k *killLoop, t *testing.T) error {
		return errors.Join(k.real.stack.Stop(stack.Kafka), k.stalled(t), k.real.stack.Start(ctx, stack.Kafka))
	}},
	{name: "the registry starts again", behind: true, make: func(ctx context.Context, k *killLoop, t *testing.T) error {
		return errors.Join(k.real.stack.Stop(stack.Registry), k.untouched(t), k.real.stack.Start(ctx, stack.Registry),
			k.real.stack.RestartConnector(ctx, k.load.connector)) // a task of it that wanted a schema meanwhile has ended for good
	}},
	{name: "the database starts again", behind: true, make: func(ctx context.Context, k *killLoop, t *testing.T) error {
		return errors.Join(k.real.stack.Stop(stack.MariaDB), k.untouched(t), k.real.stack.Start(ctx, stack.MariaDB),
			k.real.stack.RestartConnector(ctx, k.load.connector))
	}},
	{name: "the connector starts again", behind: true, make: func(ctx context.Context, k *killLoop, _ *testing.T) error {
		return k.real.stack.RestartConnector(ctx, k.load.connector)
	}},
}

// TestCuts disturbs what a server under load depends on: the network, the broker, the registry, the database and the connector
// behind it. The server recovers by itself, soon after they are there, and nothing is lost or doubled. Whoever asks the
// system tables meanwhile is told which sources and sinks wait and why, and afterwards that none does. MILLRACE_CUTS says how often.
func TestCuts(t *testing.T) {
	need(t)
	cuts, most := cutsInCI, mostHealInCI
	if text := os.Getenv("MILLRACE_CUTS"); text != "" {
		most = mostHeal
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
	k.healed(t) // all has started
	order := rand.New(rand.NewPCG(seed, 99)).Perm(len(faults))
	var slowest time.Duration
	for i := range cuts {
		f := faults[order[i%len(order)]]
		if err := f.make(ctx, k, t); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		took := k.heal(t)
		t.Logf("%s: all is right after %s", f.name, took.Round(10*time.Millisecond))
		slowest = max(slowest, took)
		if took > most && !f.behind {
			t.Errorf("%s: right again only after %s, want %s", f.name, took, most)
		}
		if t.Failed() {
			break
		}
	}
	k.load.end()
	t.Logf("%d faults, right again after %s at most", cuts, slowest.Round(10*time.Millisecond))
}

// heal waits until all is right, and says how long the server took. What the load's own clients take to find the broker again is left out.
func (k *killLoop) heal(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	k.healed(t)
	took := time.Since(began)
	k.load.pause()
	defer k.load.resume()
	began = time.Now()
	k.check(t)
	k.healed(t)
	return took + time.Since(began)
}

// What a person asks who looks for what is wrong: each source or sink that does not run, or has an error, with both and what to do.
const (
	sourcesNotRight = "SELECT name, status, error, hint FROM mz_internal.mz_source_statuses WHERE status <> 'running' OR error IS NOT NULL ORDER BY name"
	sinksNotRight   = "SELECT name, status, error, hint FROM mz_internal.mz_sink_statuses WHERE status <> 'running' OR error IS NOT NULL ORDER BY name"
)

// stalled waits until the server says that a source is stalled, and then the system tables say it of both, with a reason. The sink need
// not have anything to write; when it does not run, it says why as well.
func (k *killLoop) stalled(t *testing.T) error {
	t.Helper()
	eventually(t, 30*time.Second, "a source says that it is stalled", func() error {
		if err := k.server.ready(); err == nil || !strings.Contains(err.Error(), "stalled") {
			return fmt.Errorf("/readyz says %v", err)
		}
		return nil
	})
	eventually(t, 30*time.Second, "both sources are stalled for a reason", func() error {
		rows := k.server.must(t, sourcesNotRight)
		if names := waiting(rows); names != "events users" {
			return fmt.Errorf("%q wait, of\n%s", names, rows)
		}
		return nil
	})
	if rows := k.server.must(t, sinksNotRight); rows != "" && waiting(rows) != "segments_out" {
		t.Errorf("the sink does not say why it waits:\n%s", rows)
	}
	return nil
}

// waiting are the names in rows that are stalled and have an error.
func waiting(rows string) string {
	var names []string
	for line := range strings.Lines(rows) {
		f := strings.Split(strings.TrimRight(line, "\n"), "|")
		if len(f) > 2 && f[1] == "stalled" && f[2] != "" {
			names = append(names, f[0])
		}
	}
	return strings.Join(names, " ")
}

// untouched holds that a fault behind the broker stops no source and no sink.
func (k *killLoop) untouched(t *testing.T) error {
	t.Helper()
	if rows := k.server.must(t, sourcesNotRight) + k.server.must(t, sinksNotRight); rows != "" {
		t.Errorf("what does not depend on it waits:\n%s", rows)
	}
	return nil
}

// healed waits until nothing is wrong any more, and no old reason is shown.
func (k *killLoop) healed(t *testing.T) {
	t.Helper()
	k.server.wait(t, sourcesNotRight, "")
	k.server.wait(t, sinksNotRight, "")
}

// mend lets the line pass again after a while.
func (k *killLoop) mend(ctx context.Context, after time.Duration) error {
	idle(ctx, after)
	k.line.Mend()
	return ctx.Err()
}
