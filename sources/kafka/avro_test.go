package kafka

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	demoregistry "millrace/internal/demo/registry"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
)

var userCols = repr.RowDesc{{Name: "id", Type: repr.TypeOf(repr.KindInt8), NotNull: true}, {Name: "email", Type: repr.TypeOf(repr.KindText)}}

// shop is a registry with the schemas of users, and encoders for them.
type shop struct {
	srv        *httptest.Server
	client     *registry.Client
	row, key   *avro.Encoder
	value, kid int
}

func newShop(t *testing.T, topic string) *shop {
	t.Helper()
	s := &shop{srv: httptest.NewServer(demoregistry.New())}
	t.Cleanup(s.srv.Close)
	var err error
	if s.client, err = registry.New(registry.Options{URL: s.srv.URL}); err != nil {
		t.Fatal(err)
	}
	if s.row, err = avro.NewEncoder("Value", userCols); err != nil {
		t.Fatal(err)
	}
	if s.key, err = avro.NewEncoder("Key", userCols[:1]); err != nil {
		t.Fatal(err)
	}
	if s.value, err = s.client.Register(context.Background(), topic+"-value", s.row.EnvelopeSchema("Envelope")); err != nil {
		t.Fatal(err)
	}
	if s.kid, err = s.client.Register(context.Background(), topic+"-key", s.key.Schema()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) user(id int64, email string) []byte {
	return repr.AppendRow(nil, []repr.Datum{repr.Int8(id), repr.Text(email)})
}

func (s *shop) write(t *testing.T, c *cluster, topic string, before, after []byte) {
	t.Helper()
	some := after
	if some == nil {
		some = before
	}
	key, err := s.key.Append(avro.AppendFrame(nil, s.kid), some[:repr.PrefixLen(some, 1)])
	if err != nil {
		t.Fatal(err)
	}
	value, err := s.row.AppendChange(avro.AppendFrame(nil, s.value), before, after)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cl.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Key: key, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) config(c *cluster, topic string) Config {
	cfg := c.config(topic)
	cfg.ValueFormat, cfg.Envelope, cfg.Registry = FormatAvro, EnvelopeDebezium, s.client
	return cfg
}

func TestDebeziumAvro(t *testing.T) {
	t.Parallel()
	c, s := newCluster(t, 1, "users"), newShop(t, "users")
	s.write(t, c, "users", nil, s.user(1, "a"))
	s.write(t, c, "users", nil, s.user(2, "b"))
	c.write(t, "users", 0, "garbage", "\x00\x00\x00\x00\x63x")
	s.write(t, c, "users", s.user(1, "wrong"), s.user(1, "c"))
	s.write(t, c, "users", s.user(2, ""), nil)
	c.write(t, "users", 0, "")
	src, err := New(s.config(c, "users"))
	if err != nil {
		t.Fatal(err)
	}
	cols, keys, err := src.Describe(context.Background())
	if err != nil || len(cols) != 2 || cols[0] != userCols[0] || cols[1] != userCols[1] || len(keys) != 1 || len(keys[0]) != 1 || keys[0][0] != 0 {
		t.Fatalf("columns %v, keys %v, %v", cols, keys, err)
	}
	if value, key := src.Schemas(); value == "" || key == "" {
		t.Error("the schemas are not told")
	}
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading all", func() bool { return got.next[0] == 7 })
	if rows := strings.Join(got.rows, ","); rows != "1|a +1,2|b +1,1|a -1,1|c +1,2|b -1" {
		t.Errorf("got %s", rows)
	}
	if len(got.errors) != 2 || !strings.HasPrefix(got.errors[0], "22P03 the message is not in the schema registry's framing") || !strings.Contains(got.errors[1], "schema id 99: not found") {
		t.Errorf("errors %q", got.errors)
	}
}

func TestDescribeAvroErrors(t *testing.T) {
	t.Parallel()
	c, s := newCluster(t, 1, "users", "plain", "pageviews"), newShop(t, "users")
	row, err := avro.NewEncoder("Value", userCols)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Register(context.Background(), "plain-value", row.Schema()); err != nil {
		t.Fatal(err)
	}
	nobody, err := registry.New(registry.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	noRegistry, err := registry.New(registry.Options{URL: "http://" + c.addr})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		topic             string
		registry          *registry.Client
		code, want, hints string
	}{
		{"users", nobody, "08001", "cannot reach the schema registry at http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused", "address"},
		{"users", noRegistry, "08001", "cannot reach the schema registry at http://" + c.addr, "address"},
		{"pageviews", s.client, "42704", `subject "pageviews-value" not found in the schema registry at ` + s.srv.URL, "-value"},
		{"plain", s.client, "42809", `the values of topic "plain" are not Debezium change events`, "ENVELOPE NONE"},
	} {
		cfg := s.config(c, tc.topic)
		cfg.Registry = tc.registry
		src, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = src.Describe(context.Background())
		var e *repr.Error
		if !errors.As(err, &e) || e.Code != tc.code || !strings.Contains(e.Message, tc.want) || !strings.Contains(e.Hint, tc.hints) {
			t.Errorf("%s: got %+v", tc.topic, e)
		}
	}
}

// TestRegistryDown has the registry away when a record of a schema comes that is not known yet.
func TestRegistryDown(t *testing.T) {
	t.Parallel()
	c, s := newCluster(t, 1, "users"), newShop(t, "users")
	w := newWire(t, s.srv.Listener.Addr().String())
	cfg := s.config(c, "users")
	var err error
	if cfg.Registry, err = registry.New(registry.Options{URL: "http://" + w.ln.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := src.Describe(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.set(true)
	for i := range 3 {
		s.write(t, c, "users", nil, s.user(int64(i), fmt.Sprint("u", i)))
	}
	got, _, _ := startSource(t, src, nil)
	got.until(t, "stalling", func() bool {
		return got.last().Status == "stalled" && strings.Contains(got.last().Error, "cannot reach the schema registry")
	})
	w.set(false)
	got.until(t, "reading", func() bool { return len(got.rows) == 3 && got.last().Status == "running" })
	if len(got.errors) != 0 {
		t.Errorf("errors %q", got.errors)
	}
}

func TestIncludeKeyAndHeaders(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	cfg := c.config("t")
	cfg.KeyFormat = FormatText
	cfg.Include = []Include{{What: IncludeHeaders}, {What: IncludeKey, As: "sid"}}
	r := &kgo.Record{Topic: "t", Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("\xff")}, {Key: "i"}}}
	if err := c.cl.ProduceSync(context.Background(), r, &kgo.Record{Topic: "t", Value: []byte("w")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s, _, _ := start(t, cfg, nil)
	s.until(t, "reading", func() bool { return len(s.rows) == 2 })
	want := `v|k|[{"key": "h", "value": "\\xff"}, {"key": "i", "value": ""}] +1,w|NULL|[] +1`
	if got := strings.Join(s.rows, ","); got != want && got != strings.Replace(want, `"value": ""`, `"value": null`, 1) {
		t.Errorf("got %s", got)
	}
}
