package envelope

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"millrace/internal/registry"
	"millrace/repr/format/avro"
	"millrace/sources"
)

const (
	orderKey   = `{"type":"record","name":"Key","fields":[{"name":"id","type":"long"}]}`
	orderValue = `{"type":"record","name":"Envelope","fields":[
{"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"long"},{"name":"v","type":"long"},{"name":"note","type":["null","string"]}]}]},
{"name":"after","type":["null","Value"]},
{"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"connector","type":"string"},{"name":"ts_ms","type":"long"},{"name":"lsn","type":["null","long"]}]}},
{"name":"op","type":"string"}]}`
)

// orderSchemas has two schemas: 1 is that of the keys, 2 that of the values.
type orderSchemas struct{}

func (orderSchemas) ByID(_ context.Context, id int) (registry.Schema, error) {
	return registry.Schema{Text: []string{orderKey, orderValue}[id-1]}, nil
}

// order is a change of an order: an update, with the rows before and after, that stands at a place in the log.
func appendOrder(m *Message, id, at int64) {
	m.Key = binary.AppendVarint(avro.AppendFrame(m.Key[:0], 1), id)
	v := avro.AppendFrame(m.Value[:0], 2)
	for range 2 {
		v = binary.AppendVarint(binary.AppendVarint(append(v, 2), id), at)
		v = append(v, "\x02\x60what there is to say of an order of usual length"...)
	}
	v = binary.AppendVarint(append(v, "\x14postgresql"...), 1_700_000_000_000+at)
	v = append(binary.AppendVarint(append(v, 2), 26_000_000+at*200), "\x02u"...)
	m.Value = v
}

// BenchmarkApply is a change of a table of 400,000 rows in Avro, with its making, by an envelope that foresees keys and by one
// that does not.
func BenchmarkApply(b *testing.B) {
	const keys = 400_000
	value, err := avro.Parse(orderValue)
	if err != nil {
		b.Fatal(err)
	}
	after, _ := value.Sub("after")
	cols, err := after.Columns()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"foreseen", "as they come"} {
		b.Run(name, func(b *testing.B) {
			d := NewDebeziumAvro(orderSchemas{}, cols, cols[:1])
			d.Remember()
			r := rand.New(rand.NewPCG(1, 4))
			var dst, state []sources.Update
			var messages [MostForeseen]Message
			var raw [MostForeseen][]byte
			at := int64(0)
			apply := func(key func() int64) {
				for i := range messages {
					at++
					appendOrder(&messages[i], key(), at)
					raw[i] = messages[i].Key
				}
				if name == "foreseen" {
					d.Foresee(context.Background(), raw[:])
				}
				for i := range messages {
					if dst, err = d.Apply(context.Background(), dst[:0], &messages[i]); err != nil {
						b.Fatal(err)
					}
				}
				if at%(256*MostForeseen) == 0 {
					state = d.State(state[:0])
				}
			}
			for at < keys {
				apply(func() int64 { return at })
			}
			b.ResetTimer()
			for range b.N/MostForeseen + 1 {
				apply(func() int64 { return r.Int64N(keys) + 1 })
			}
			if d.Rows() != keys {
				b.Fatal("rows were lost")
			}
		})
	}
}
