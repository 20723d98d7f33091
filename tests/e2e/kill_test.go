package e2e

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/broker/brokertest"
	"millrace/internal/sim"
)

// killsInCI is how often TestKill kills without MILLRACE_KILLS.
const killsInCI = 10

// killHistory is how long the server keeps history.
const killHistory = 15 * time.Second

// TestKill ends a server under load with SIGKILL, again and again: at random moments, while it starts, and at the steps of
// a sink's transaction. After each start all that was acknowledged is there, once and whole; views are what their
// inputs say, the topic of the sink adds up to its view, a subscription as of the last time that was shown goes on as
// the one before would have, one of the catalog goes on behind what it acknowledged, and earlier times that were shown are asked for again and have the content that they had. MILLRACE_KILLS says how often.
func TestKill(t *testing.T) {
	need(t)
	kills := killsInCI
	if text := os.Getenv("MILLRACE_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("read MILLRACE_KILLS: %v", err)
		}
	}
	r := real(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := newKillLoop(t, r, seed)
	for k.killed < kills {
		k.round(t, kills)
		if t.Failed() {
			break
		}
	}
	k.finish(t)
}

// killLoop is a server that is killed, what loads it, and what watches it.
type killLoop struct {
	random  *rand.Rand
	real    *servers
	server  *server
	line    *sim.Line // to the broker
	load    *killLoad
	watches []*watch
	keeper  *keeper
	topic   *brokertest.Changes
	trigger atomic.Pointer[trigger]

	killed   int
	again    int // of these, while the server was starting
	slowest  time.Duration
	readyAll time.Duration
}

// trigger kills when the server sends a request of a kind to the broker.
type trigger struct {
	key    kmsg.Key
	before bool // the broker does not get it
	hit    chan struct{}
}

func newKillLoop(t *testing.T, r *servers, seed uint64) *killLoop {
	t.Helper()
	k := &killLoop{random: rand.New(rand.NewPCG(seed, 1)), real: r}
	line, err := sim.NewLine(r.stack.KafkaAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(line.Close)
	k.line = line
	line.Tap(k.tap)
	k.load = newKillLoad(t, r, seed)
	k.server = newServer(t, t.TempDir(), "--log-segment", "256KiB", "--retain-history", killHistory.String(), "--host-aliases",
		"kafka:9092="+line.Addr()+","+r.stack.KafkaAddr+"="+line.Addr()+",schema-registry:8081="+r.registryAddr)
	k.server.begin(t)
	t.Cleanup(func() { k.server.stop(t) })
	eventually(t, 20*time.Second, "server ready", k.server.ready)
	for _, statement := range killObjects {
		k.server.must(t, strings.Replace(statement, "'"+killUsersTopic+"'", "'"+k.load.usersTopic+"'", 1))
	}
	k.load.run(t, k.server)
	for _, view := range []string{"segments", "balance"} {
		w := newWatch(view)
		k.watches = append(k.watches, w)
		w.run(t, func(ctx context.Context) { w.subscribe(ctx, k.server) })
	}
	k.keeper = newKeeper("tallies", "segments", seed)
	k.keeper.run(t, func(ctx context.Context) { k.keeper.follow(ctx, k.server) })
	k.topic = brokertest.FollowChanges(t, r.stack.KafkaAddr, "kill-out")
	return k
}

// tap looks for the request that a kill waits for.
func (k *killLoop) tap(sent []byte) (drop bool) {
	tr := k.trigger.Load()
	if tr == nil || len(sent) < 6 || kmsg.Key(binary.BigEndian.Uint16(sent[4:])) != tr.key || !k.trigger.CompareAndSwap(tr, nil) {
		return false
	}
	close(tr.hit)
	return tr.before
}

// moments are when a server under load is killed: at random, or at a step of its transactions.
var moments = []struct {
	key    kmsg.Key
	before bool
	atAny  bool
}{
	{atAny: true}, {atAny: true},
	{key: kmsg.EndTxn, before: true}, {key: kmsg.EndTxn}, {key: kmsg.Produce}, {key: kmsg.AddPartitionsToTxn},
}

// round lets the server run, kills it, starts it again and checks everything.
func (k *killLoop) round(t *testing.T, limit int) {
	t.Helper()
	m := moments[k.random.IntN(len(moments))]
	time.Sleep(time.Duration(200+k.random.IntN(1500)) * time.Millisecond)
	if !m.atAny {
		k.await(&trigger{key: m.key, before: m.before, hit: make(chan struct{})}, 5*time.Second)
		time.Sleep(time.Duration(k.random.IntN(3)) * time.Millisecond)
	}
	k.kill(t)
	for k.killed < limit && k.random.IntN(10) < 3 {
		k.server.begin(t)
		if k.random.IntN(3) == 0 {
			k.await(&trigger{key: kmsg.InitProducerID, hit: make(chan struct{})}, 3*time.Second)
		} else {
			time.Sleep(time.Duration(k.random.IntN(1000)) * time.Millisecond)
		}
		k.kill(t)
		k.again++
	}
	for _, w := range k.watches {
		w.killed()
	}
	began := time.Now()
	k.server.begin(t)
	eventually(t, 60*time.Second, "server ready after a kill", k.server.ready)
	took := time.Since(began)
	k.slowest, k.readyAll = max(k.slowest, took), k.readyAll+took
	for _, w := range k.watches {
		w.checkPast(t, k.server)
	}
	k.load.pause()
	defer k.load.resume()
	k.check(t)
}

func (k *killLoop) kill(t *testing.T) {
	t.Helper()
	k.server.kill(t)
	k.killed++
}

// await waits for a request, or for some time.
func (k *killLoop) await(tr *trigger, limit time.Duration) {
	k.trigger.Store(tr)
	select {
	case <-tr.hit:
	case <-time.After(limit):
		k.trigger.Store(nil)
	}
}

// check holds the server at rest to what was sent.
func (k *killLoop) check(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	k.load.check(ctx, t, k.server)
	rows := k.server.must(t, `SELECT to_jsonb(s) FROM segments s`)
	eventually(t, 60*time.Second, "the topic of the sink adds up to its view", func() error { return k.topic.Is(rows) })
	for _, w := range k.watches {
		w.check(t, k.server)
	}
	k.keeper.check(t, k.server)
}

func (k *killLoop) finish(t *testing.T) {
	t.Helper()
	k.load.end()
	for _, w := range k.watches {
		w.end()
		t.Logf("%s: %d times shown, %d subscriptions taken up where one broke off (%d more came too late), %d times shown again by those; %d times asked for as of then and equal, %d too long ago",
			w.view, w.times, w.resumed, w.late, w.repeated, w.past.equal, w.past.passed)
		if w.resumed == 0 || w.past.equal == 0 {
			t.Errorf("no subscription to %s was taken up again, or no earlier time of it was asked for", w.view)
		}
	}
	k.keeper.end()
	t.Logf("%s: %d streams, %d times acknowledged, %d of them without an answer", k.keeper.name, k.keeper.streams, k.keeper.acks, k.keeper.unsure)
	if k.keeper.acks == 0 || k.keeper.streams <= k.killed-k.again {
		t.Error("the subscription was not followed through the kills")
	}
	k.topic.Stop()
	t.Logf("%d kills, %d of them during a start; %d inserts acknowledged, %d events; ready after %s at most, %s on average",
		k.killed, k.again, k.load.acknowledged(), k.load.events.Load(), k.slowest.Round(time.Millisecond),
		(k.readyAll / time.Duration(max(k.killed-k.again, 1))).Round(time.Millisecond))
}
