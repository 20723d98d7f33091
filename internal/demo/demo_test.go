package demo

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/clock"
	"millrace/internal/golden"
)

func start(t testing.TB, opts Options) *Demo {
	t.Helper()
	d, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// consumer reads topics from their beginning.
func consumer(t *testing.T, d *Demo, topics ...string) func(n int) []*kgo.Record {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(d.KafkaAddr()), kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return func(n int) []*kgo.Record {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var out []*kgo.Record
		for len(out) < n {
			f := c.PollRecords(ctx, n-len(out))
			if err := f.Err(); err != nil {
				t.Fatalf("after %d of %d records: %v", len(out), n, err)
			}
			out = append(out, f.Records()...)
		}
		return out
	}
}

// reader decodes values by the schemas of the registry, as a client does.
type reader struct {
	url    string
	codecs map[uint32]*goavro.Codec
}

func (r *reader) decode(t *testing.T, b []byte) map[string]any {
	t.Helper()
	if len(b) < 6 || b[0] != 0 {
		t.Fatalf("no schema id before %x", b)
	}
	id := binary.BigEndian.Uint32(b[1:])
	if r.codecs[id] == nil {
		r.codecs[id] = r.fetch(t, id)
	}
	native, rest, err := r.codecs[id].NativeFromBinary(b[5:])
	if err != nil || len(rest) > 0 {
		t.Fatalf("decode: %v, %d bytes left", err, len(rest))
	}
	return native.(map[string]any)
}

func (r *reader) fetch(t *testing.T, id uint32) *goavro.Codec {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/schemas/ids/%d", r.url, id), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ Schema string }
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	codec, err := goavro.NewCodec(in.Schema)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func TestLoadedTopics(t *testing.T) {
	t.Parallel()
	d := start(t, Options{Rows: 2000, Partitions: 3, Seed: 5, Clock: clock.NewFake(noon)})
	avro := reader{url: d.RegistryURL(), codecs: map[uint32]*goavro.Codec{}}
	known := map[int64]bool{}
	for _, r := range consumer(t, d, UsersTopic)(d.Users()) {
		v := avro.decode(t, r.Value)
		after := v["after"].(map[string]any)["mysql.shop.users.Value"].(map[string]any)
		id := after["id"].(int64)
		if key := avro.decode(t, r.Key); key["id"] != id {
			t.Fatalf("key %v, id %d", key, id)
		}
		if v["op"] != "r" || v["before"] != nil || known[id] || int64(r.Partition) != id%3 {
			t.Fatalf("user %d: op %v, before %v, partition %d", id, v["op"], v["before"], r.Partition)
		}
		if _, err := time.Parse(time.RFC3339, after["created_at"].(string)); err != nil {
			t.Fatal(err)
		}
		known[id] = true
	}
	if len(known) != 100 {
		t.Errorf("got %d users, want 100", len(known))
	}
	perPartition := map[int32]int{}
	for _, r := range consumer(t, d, PageviewsTopic)(2000) {
		var v pageview
		if err := json.Unmarshal(r.Value, &v); err != nil {
			t.Fatal(err)
		}
		age := noon.Sub(time.Unix(v.ReceivedAt, 0))
		if !known[v.UserID] || age < 0 || age > loadSpan+time.Second || !strings.HasPrefix(v.URL, "/products/") {
			t.Fatalf("page view %s", r.Value)
		}
		perPartition[r.Partition]++
	}
	if perPartition[0] != 667 || perPartition[1] != 667 || perPartition[2] != 666 {
		t.Errorf("got %v records in the partitions", perPartition)
	}
}

// The stream, folded over the snapshot, is the shop's table; each deletion is followed by its tombstone.
func TestStream(t *testing.T) {
	t.Parallel()
	step := stepper{clock.NewFake(noon), make(chan struct{})}
	d := start(t, Options{Rate: 1000, Seed: 6, Clock: step})
	take := consumer(t, d, UsersTopic, PageviewsTopic)
	avro := reader{url: d.RegistryURL(), codecs: map[uint32]*goavro.Codec{}}
	table, ops := map[int64]bool{}, map[string]int{}
	var deleted []byte
	one := func(r *kgo.Record) {
		switch {
		case r.Topic == PageviewsTopic:
			ops["view"]++
		case r.Value == nil:
			if !bytes.Equal(r.Key, deleted) {
				t.Fatal("a tombstone does not follow its deletion")
			}
			deleted = nil
			ops["tombstone"]++
		default:
			v := avro.decode(t, r.Value)
			op := v["op"].(string)
			ops[op]++
			id := avro.decode(t, r.Key)["id"].(int64)
			if (op == opRead || op == opCreate) == table[id] {
				t.Fatalf("%s of user %d, who is there: %v", op, id, table[id])
			}
			table[id] = op != opDelete
			if op == opDelete {
				deleted = r.Key
			}
		}
	}
	for _, r := range take(100) {
		one(r)
	}
	for range 40 { // two seconds
		step.steps <- struct{}{}
	}
	for ops["view"]+ops[opCreate]+ops[opUpdate]+ops[opDelete] < 2000 {
		one(take(1)[0])
	}
	if deleted != nil {
		one(take(1)[0])
	}
	if ops["view"] < 1800 || ops[opDelete] == 0 || ops[opDelete] != ops["tombstone"] {
		t.Errorf("got %v", ops)
	}
}

// stepper is a clock that passes over a wait when it is told to step.
type stepper struct {
	*clock.Fake
	steps chan struct{}
}

func (s stepper) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-s.steps:
		s.Advance(d)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The same options give the same bytes in the same places.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	var runs [2][]string
	for i := range runs {
		d := start(t, Options{Rows: 500, Partitions: 2, Seed: 7, Clock: clock.NewFake(noon)})
		for _, r := range consumer(t, d, UsersTopic, PageviewsTopic)(600) {
			runs[i] = append(runs[i], fmt.Sprintf("%s/%d/%06d %x %x %d", r.Topic, r.Partition, r.Offset, r.Key, r.Value, r.Timestamp.UnixMilli()))
		}
		slices.Sort(runs[i]) // by topic, partition, offset: between partitions there is no order
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Error("two runs differ")
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Start(t.Context(), Options{Rows: -1}); err == nil {
		t.Error("a negative number of rows is taken")
	}
	d := start(t, Options{Clock: clock.NewFake(noon)})
	var port int
	if _, err := fmt.Sscanf(d.RegistryURL(), "http://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{RegistryPort: port, Clock: clock.NewFake(noon)}); err == nil ||
		!strings.Contains(err.Error(), "registry") || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("a port in use: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{Rows: 100000, Clock: clock.NewFake(noon)}); err == nil {
		t.Error("a canceled start succeeds")
	}
}

func TestBanner(t *testing.T) {
	t.Parallel()
	d := start(t, Options{Rows: 1000, Clock: clock.NewFake(noon)})
	text := Banner(d, "127.0.0.1:6875", "127.0.0.1:6874")
	text = strings.NewReplacer(d.KafkaAddr(), "127.0.0.1:9092", d.RegistryURL(), "http://127.0.0.1:8081").Replace(text)
	golden.File(t, "testdata/banner", text)
}
