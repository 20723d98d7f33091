package envelope

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"millrace/repr"
)

// TestDamagedMessages breaks messages in every way: each is applied or an error with a code, and what is held stays
// well formed, so that a message that is whole still does what it should.
func TestDamagedMessages(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	r := rand.New(rand.NewPCG(9, 9))
	applied, refused := 0, 0
	for _, name := range []string{"pg.public.types", "mysql.shop.types", "pg.public.audit", "mysql.shop.users", "pg_json.public.types", "mysql_jsonschema.shop.users"} {
		var e Envelope = NewDebeziumJSON()
		columns := 1
		if _, ok := schemas.latest[name+"-value"]; ok {
			cols, key := schemas.avroColumns(t, name)
			e, columns = NewDebeziumAvro(schemas, cols, key), len(cols)
		}
		for range 1500 {
			m := *topics[name][r.IntN(len(topics[name]))]
			m.Key, m.Value, m.OldKey = damaged(r, m.Key), damaged(r, m.Value), damaged(r, m.OldKey)
			updates, err := e.Apply(context.Background(), nil, &m)
			var bad *repr.Error
			switch {
			case err == nil:
				applied++
			case !errors.As(err, &bad) || bad.Code == "" || len(updates) > 0:
				t.Fatalf("%s: %x: %v, %d updates", name, m.Value, err, len(updates))
			default:
				refused++
			}
			for _, u := range updates {
				if got := repr.DecodeRow(nil, u.Row); len(got) != columns {
					t.Fatalf("%s: %x: %d columns", name, m.Value, len(got))
				}
			}
		}
	}
	if applied < 500 || refused < 500 {
		t.Errorf("%d applied, %d refused: the test does not try both", applied, refused)
	}
}

// damaged is a copy that is whole two times in three.
func damaged(r *rand.Rand, b []byte) []byte {
	if len(b) == 0 || r.IntN(3) > 0 {
		return b
	}
	b = append([]byte(nil), b...)
	switch r.IntN(5) {
	case 0:
		return b[:r.IntN(len(b))]
	case 1:
		return append(b, byte(r.Uint32()))
	case 2:
		return []byte{}
	}
	for range 1 + r.IntN(4) {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
	return b
}
