package envelope

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sources"
)

// foretold is an envelope that is told of some of the keys that come, of some that do not, and of none.
type foretold struct {
	*Debezium
	r        *rand.Rand
	messages []*Message
}

func (f *foretold) Apply(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error) {
	if f.r.IntN(5) == 0 {
		var keys [][]byte
		for range f.r.IntN(MostForeseen + 1) {
			at := f.r.IntN(len(f.messages))
			keys = append(keys, f.messages[at].Key)
			if f.r.IntN(2) == 0 {
				keys[len(keys)-1] = m.Key
			}
			if f.r.IntN(9) == 0 {
				keys[len(keys)-1] = []byte("no key")
			}
		}
		f.Foresee(ctx, keys)
	}
	return f.Debezium.Apply(ctx, dst, m)
}

// TestForesee holds an envelope that is told of keys to one that is not.
func TestForesee(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	came := 0
	for _, name := range sampleTables {
		cols, key := schemas.avroColumns(t, name)
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 15))
			messages := window(r, topics[name])
			told := &foretold{NewDebeziumAvro(schemas, cols, key), r, messages}
			compareHistories(t, name, history(t, told, messages), history(t, NewDebeziumAvro(schemas, cols, key), messages))
			came += told.changes.(*avroChanges).ahead.next
		}
	}
	if came == 0 {
		t.Error("no key that was foreseen has come")
	}
}

// TestPlainKinds: values of the kinds that are taken as they are packed are packed so in a key too.
func TestPlainKinds(t *testing.T) {
	t.Parallel()
	texts := map[repr.Kind][]string{
		repr.KindBool: {"t", "f"}, repr.KindInt2: {"-3", "7"}, repr.KindInt4: {"-3", "7"}, repr.KindInt8: {"-3", "7"}, repr.KindText: {"", "a ", "é"},
		repr.KindBytea: {`\x`, `\x0001ff`}, repr.KindUUID: {"11111111-2222-3333-4444-555555555555"}, repr.KindDate: {"2024-02-29", "infinity"},
		repr.KindTime: {"24:00:00"}, repr.KindTimestamp: {"2024-02-29 01:02:03.000004"}, repr.KindTimestampTZ: {"-infinity"},
	}
	for kind := range plainKinds {
		if len(texts[kind]) == 0 {
			t.Errorf("%v is not tested", kind)
		}
		for _, text := range texts[kind] {
			d, err := pgfmt.ParseText(repr.TypeOf(kind), text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if packed, key := repr.Append(nil, d), repr.AppendKey(nil, d); !bytes.Equal(packed, key) {
				t.Errorf("%v %s is %x, and in a key %x", kind, text, packed, key)
			}
		}
	}
}
