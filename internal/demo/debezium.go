package demo

import (
	_ "embed" // the schemas
	"encoding/binary"
	"fmt"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/demo/registry"
)

// The topics of the shop.
const (
	UsersTopic     = "mysql.shop.users"
	PageviewsTopic = "pageviews"
)

var (
	//go:embed users-key.avsc
	usersKeySchema string
	//go:embed users-value.avsc
	usersValueSchema string
)

// capture puts changes into the messages that Debezium's MySQL connector makes of them.
type capture struct {
	key, value framed
	partitions int
}

// framed is an Avro schema under its id in the registry.
type framed struct {
	codec *goavro.Codec
	id    int
}

func newCapture(r *registry.Registry, partitions int) (*capture, error) {
	key, err := newFramed(r, UsersTopic+"-key", usersKeySchema)
	if err != nil {
		return nil, err
	}
	value, err := newFramed(r, UsersTopic+"-value", usersValueSchema)
	if err != nil {
		return nil, err
	}
	return &capture{key: key, value: value, partitions: partitions}, nil
}

func newFramed(r *registry.Registry, subject, schema string) (framed, error) {
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		return framed{}, fmt.Errorf("compile schema of %s: %w", subject, err)
	}
	id, err := r.Register(subject, schema)
	if err != nil {
		return framed{}, fmt.Errorf("register schema of %s: %w", subject, err)
	}
	return framed{codec: codec, id: id}, nil
}

// encode puts a zero byte and the id before the value, as Confluent's serializers do.
func (f framed) encode(native any) ([]byte, error) {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(f.id))
	return f.codec.BinaryFromNative(b, native)
}

// messages are the records of a change: one, and a tombstone after a deletion.
func (c *capture) messages(ch change) ([]*kgo.Record, error) {
	id := identity(ch)
	key, err := c.key.encode(map[string]any{"id": id})
	if err != nil {
		return nil, fmt.Errorf("encode key of user %d: %w", id, err)
	}
	value, err := c.value.encode(envelope(ch))
	if err != nil {
		return nil, fmt.Errorf("encode change of user %d: %w", id, err)
	}
	r := &kgo.Record{
		Topic: UsersTopic, Partition: int32(id % int64(c.partitions)), Key: key, Value: value, Timestamp: ch.at,
	}
	if ch.op != opDelete {
		return []*kgo.Record{r}, nil
	}
	tombstone := *r
	tombstone.Value = nil
	return []*kgo.Record{r, &tombstone}, nil
}

func identity(ch change) int64 {
	if ch.after != nil {
		return ch.after.id
	}
	return ch.before.id
}

func envelope(ch change) map[string]any {
	source := map[string]any{
		"version": "3.5.0.Final", "connector": "mysql", "name": "mysql",
		"ts_ms":    ch.at.Truncate(time.Second).UnixMilli(),
		"snapshot": goavro.Union("string", ch.snapshot),
		"db":       "shop", "sequence": nil,
		"ts_us":     goavro.Union("long", ch.at.Truncate(time.Second).UnixMicro()),
		"ts_ns":     goavro.Union("long", ch.at.Truncate(time.Second).UnixNano()),
		"table":     goavro.Union("string", "users"),
		"server_id": int64(0), "gtid": nil, "file": "binlog.000001", "pos": ch.position, "row": int32(0),
		"thread": nil, "query": nil,
	}
	if ch.op != opRead {
		source["server_id"] = int64(223344)
		source["thread"] = goavro.Union("long", int64(12))
	}
	return map[string]any{
		"before": image(ch.before), "after": image(ch.after), "source": source, "transaction": nil, "op": ch.op,
		"ts_ms": goavro.Union("long", ch.at.UnixMilli()),
		"ts_us": goavro.Union("long", ch.at.UnixMicro()),
		"ts_ns": goavro.Union("long", ch.at.UnixNano()),
	}
}

// image is a row as the connector writes it: TINYINT(1) as an int, TIMESTAMP as text, DATETIME in milliseconds.
func image(u *user) any {
	if u == nil {
		return nil
	}
	vip := int32(0)
	if u.vip {
		vip = 1
	}
	return goavro.Union(UsersTopic+".Value", map[string]any{
		"id": u.id, "email": u.email, "is_vip": vip,
		"created_at": u.created.UTC().Format(time.RFC3339),
		"updated_at": goavro.Union("long.timestamp-millis", u.updated),
	})
}
