package file

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"millrace/internal/broker"
	"millrace/internal/broker/brokertest"
	"millrace/internal/clock"
	"millrace/sources"
)

// keeper takes batches, and says when they are kept.
type keeper struct {
	mu      sync.Mutex // guards what follows
	bad     int64
	letters int64
	asked   bool
	kept    chan struct{} // closed when all is
}

func (*keeper) Report(sources.State) {}

func (k *keeper) Push(ctx context.Context, b *sources.Batch) error {
	if b.Bury != nil {
		if err := b.Bury(ctx); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bad += b.Bad
	k.letters += b.Letters
	return nil
}

func (k *keeper) Settle(ctx context.Context) error {
	k.mu.Lock()
	k.asked = true
	k.mu.Unlock()
	select {
	case <-k.kept:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until runs a source until something is so.
func (k *keeper) until(t *testing.T, cfg Config, to *broker.Options, so func() bool) {
	t.Helper()
	s := New(cfg)
	s.Follow(sources.ErrorPolicy{DeadLetters: "dead", Writer: "w", Source: "s", Broker: to})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx, nil, k) // that it was cancelled
	}()
	defer func() { cancel(); <-done }()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		k.mu.Lock()
		is := so()
		k.mu.Unlock()
		if is {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("it never comes to that: %d bad, %d letters", k.bad, k.letters)
		}
	}
}

// TestLettersWaitForNumbers: no letter of a file is written before its number is kept, for after a crash another file may have it.
func TestLettersWaitForNumbers(t *testing.T) {
	t.Parallel()
	to := &broker.Options{Brokers: brokertest.New(t).ListenAddrs()}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Root: dir, Pattern: "*", Format: FormatJSON, Clock: clock.System{}}
	write("b", "bad b\n1\n")
	first := &keeper{kept: make(chan struct{})}
	first.until(t, cfg, to, func() bool { return first.asked })
	if first.bad != 0 || first.letters != 0 {
		t.Errorf("before the number of a file is kept %d bad records and %d letters are told", first.bad, first.letters)
	}
	write("a", "1\nbad a\nworse a")
	again := &keeper{kept: make(chan struct{})}
	close(again.kept)
	again.until(t, cfg, to, func() bool { return again.bad == 3 })
	if again.letters != 3 {
		t.Errorf("%d letters are told", again.letters)
	}
	var got []string
	for _, rec := range brokertest.Committed(t, to.Brokers[0], "dead") {
		text := string(rec.Value)
		for _, name := range []string{"file", "line", "offset"} {
			text += " " + brokertest.Header(rec, "millrace."+name)
		}
		got = append(got, text)
	}
	slices.Sort(got)
	if want := []string{"bad a a 2 2", "bad b b 1 0", "worse a a 3 8"}; !slices.Equal(got, want) {
		t.Errorf("the letters are %q, wanted %q", got, want)
	}
}
