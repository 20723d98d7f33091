package main

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/registry"
	"millrace/repr/format/avro"
)

// The schemas are those that Debezium's connector for PostgreSQL registers, for a table of six columns with REPLICA IDENTITY FULL.
const (
	keySchema   = `{"type":"record","name":"Key","namespace":"shop.public.orders","fields":[{"name":"id","type":"long"}]}`
	valueSchema = `{"type":"record","name":"Envelope","namespace":"shop.public.orders","fields":[
{"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"long"},{"name":"k","type":"int"},{"name":"v","type":"long"},
 {"name":"name","type":["null","string"],"default":null},{"name":"note","type":["null","string"],"default":null},
 {"name":"at","type":["null",{"type":"long","connect.version":1,"connect.name":"io.debezium.time.MicroTimestamp"}],"default":null}],"connect.name":"shop.public.orders.Value"}],"default":null},
{"name":"after","type":["null","Value"],"default":null},
{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[{"name":"version","type":"string"},{"name":"connector","type":"string"},
 {"name":"name","type":"string"},{"name":"ts_ms","type":"long"},{"name":"snapshot","type":["null","string"],"default":null},{"name":"db","type":"string"},{"name":"schema","type":"string"},
 {"name":"table","type":"string"},{"name":"txId","type":["null","long"],"default":null},{"name":"lsn","type":["null","long"],"default":null},{"name":"xmin","type":["null","long"],"default":null}]}},
{"name":"transaction","type":["null",{"type":"record","name":"block","namespace":"event","fields":[{"name":"id","type":"string"},{"name":"total_order","type":"long"},{"name":"data_collection_order","type":"long"}]}],"default":null},
{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"],"default":null}],"connect.name":"shop.public.orders.Envelope"}`
)

// prepareAvro writes changes of a table as Debezium does: of ten changes five insert, four update, one deletes and leaves a tombstone.
func (b *bench) prepareAvro(ctx context.Context) (*job, error) {
	const topic = "shop.public.orders"
	reg, err := registry.New(registry.Options{URL: b.stack.RegistryURL})
	if err != nil {
		return nil, err
	}
	d := &debezium{most: b.records, rows: map[int]order{}}
	if d.keyID, err = reg.Register(ctx, topic+"-key", keySchema); err != nil {
		return nil, err
	}
	if d.valueID, err = reg.Register(ctx, topic+"-value", valueSchema); err != nil {
		return nil, err
	}
	n, size, err := b.fill(ctx, topic, d.next)
	var want answer
	for _, o := range d.rows {
		want.add(o.k, o.v)
	}
	return &job{records: n, bytes: size, done: received, totals: totals, want: want.text(), undo: []string{"DROP SOURCE s CASCADE"},
		before: append(b.connection(), "CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '"+b.stack.RegistryURL+"')"),
		run: []string{
			"CREATE SOURCE s FROM KAFKA CONNECTION k (TOPIC '" + topic + "') FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r ENVELOPE DEBEZIUM",
			"CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(v) AS v FROM s GROUP BY k",
		}, flink: &flinkJob{topic: topic, columns: "id BIGINT, k INT, v BIGINT, name STRING, note STRING, `at` BIGINT, PRIMARY KEY (id) NOT ENFORCED",
			format: "'format'='debezium-avro-confluent','debezium-avro-confluent.url'='" + b.stack.RegistryURL + "'",
			query:  "SELECT k, COUNT(*) AS n, SUM(v) AS v FROM t GROUP BY k"}}, err
}

// debezium makes up the changes of a table.
type debezium struct {
	most, made     int
	keyID, valueID int
	ids            int
	rows           map[int]order
	tombstone      *kgo.Record // to come behind a deletion
}

// order is what the answer depends on of a row.
type order struct{ version, k, v int }

// next is the next record: nil when there are enough.
func (d *debezium) next() *kgo.Record {
	if r := d.tombstone; r != nil {
		d.tombstone = nil
		return r
	}
	if d.made >= d.most {
		return nil
	}
	i := d.made
	d.made++
	id := int(scatter(i)) % max(d.ids, 1)
	old, there := d.rows[id]
	step := i % 10
	switch {
	case step < 5 || !there:
		id = d.ids
		d.ids++
		now := order{0, int(scatter(i+7) % groups), int(scatter(i+9) % 10000)}
		d.rows[id] = now
		return d.record(id, nil, &now, "c")
	case step < 9:
		now := order{old.version + 1, old.k, int(scatter(i+9) % 10000)}
		d.rows[id] = now
		return d.record(id, &old, &now, "u")
	}
	delete(d.rows, id)
	r := d.record(id, &old, nil, "d")
	d.tombstone = &kgo.Record{Partition: r.Partition, Key: r.Key}
	d.made++
	return r
}

// record is a change as a record.
func (d *debezium) record(id int, before, after *order, op string) *kgo.Record {
	key := binary.AppendVarint(avro.AppendFrame(nil, d.keyID), int64(id))
	value := avro.AppendFrame(make([]byte, 0, 300), d.valueID)
	value = appendOrder(value, id, before)
	value = appendOrder(value, id, after)
	millis := int64(1700000000000 + d.made)
	for _, text := range []string{"3.5.0.Final", "postgresql", "shop"} {
		value = appendString(value, text)
	}
	value = binary.AppendVarint(value, millis)
	value = appendString(append(value, 2), "false")
	for _, text := range []string{"shop", "public", "orders"} {
		value = appendString(value, text)
	}
	value = binary.AppendVarint(append(value, 2), int64(700+d.made/10))
	value = binary.AppendVarint(append(value, 2), int64(26_000_000+d.made*200))
	value = append(value, 0, 0) // xmin, transaction
	value = appendString(value, op)
	value = binary.AppendVarint(append(value, 2), millis+40)
	return &kgo.Record{Partition: int32(id % partitions), Key: key, Value: value}
}

func appendOrder(dst []byte, id int, o *order) []byte {
	if o == nil {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(append(dst, 2), int64(id))
	dst = binary.AppendVarint(dst, int64(o.k))
	dst = binary.AppendVarint(dst, int64(o.v))
	dst = appendString(append(dst, 2), fmt.Sprintf("a name of usual length %d", id))
	dst = appendString(append(dst, 2), fmt.Sprintf("version %d", o.version))
	return binary.AppendVarint(append(dst, 2), 1_700_000_000_000_000+int64(id)*1000)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendVarint(dst, int64(len(s))), s...)
}
