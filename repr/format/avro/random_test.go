package avro

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/linkedin/goavro/v2"

	"millrace/repr"
	fjson "millrace/repr/format/json"
	"millrace/repr/jsonb"
)

// A sample is a random schema with a way to make values: native as goavro takes them, and as JSON in the form that a
// jsonb column shows.
type sample struct {
	schema any
	value  func(r *rand.Rand) (native, shown any)
	union  string // goavro's name of the type inside a union
}

type maker struct {
	r     *rand.Rand
	names int
}

func (m *maker) scalar() sample {
	switch m.r.IntN(9) {
	case 0:
		return sample{"boolean", func(r *rand.Rand) (any, any) { b := r.IntN(2) == 0; return b, b }, "boolean"}
	case 1:
		return sample{"int", func(r *rand.Rand) (any, any) { v := int32(r.Uint32() >> r.IntN(32)); return v, v }, "int"}
	case 2:
		return sample{"long", func(r *rand.Rand) (any, any) { v := int64(r.Uint64() >> r.IntN(64)); return v, v }, "long"}
	case 3:
		return sample{"float", func(r *rand.Rand) (any, any) { v := float32(r.IntN(1000)) / 8; return v, v }, "float"}
	case 4:
		return sample{"double", func(r *rand.Rand) (any, any) { v := r.NormFloat64(); return v, v }, "double"}
	case 5:
		return sample{"bytes", func(r *rand.Rand) (any, any) {
			b := binary.LittleEndian.AppendUint64(nil, r.Uint64())[:r.IntN(9)]
			return b, fmt.Sprintf(`\x%x`, b)
		}, "bytes"}
	case 6:
		return sample{map[string]any{"type": "int", "connect.name": "io.debezium.time.Year"},
			func(r *rand.Rand) (any, any) { v := int32(r.IntN(3000)); return v, v }, "int"}
	case 7:
		m.names++
		name := fmt.Sprintf("e%d", m.names)
		symbols := []string{"sad", "ok", "happy"}
		return sample{map[string]any{"type": "enum", "name": name, "symbols": symbols},
			func(r *rand.Rand) (any, any) { s := symbols[r.IntN(3)]; return s, s }, name}
	default:
		return sample{"string", func(r *rand.Rand) (any, any) {
			s := base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint64(nil, r.Uint64()))[:r.IntN(12)] + "é😀"
			return s, s
		}, "string"}
	}
}

func (m *maker) any(depth int) sample {
	if depth == 0 {
		return m.scalar()
	}
	switch m.r.IntN(6) {
	case 0:
		return m.record(depth-1, 1+m.r.IntN(4))
	case 1, 2:
		return m.optional(m.any(depth - 1))
	case 3:
		return m.list(m.any(depth - 1))
	case 4:
		return m.dictionary(m.any(depth - 1))
	default:
		return m.scalar()
	}
}

func (m *maker) record(depth, n int) sample {
	m.names++
	name := fmt.Sprintf("r%d", m.names)
	subs := make([]sample, n)
	fields := make([]any, n)
	for i := range subs {
		subs[i] = m.any(depth)
		fields[i] = map[string]any{"name": fmt.Sprintf("f%d", i), "type": subs[i].schema}
	}
	return sample{map[string]any{"type": "record", "name": name, "fields": fields}, func(r *rand.Rand) (any, any) {
		native, shown := map[string]any{}, map[string]any{}
		for i := range subs {
			f := fmt.Sprintf("f%d", i)
			native[f], shown[f] = subs[i].value(r)
		}
		return native, shown
	}, name}
}

func (m *maker) optional(s sample) sample {
	if _, isUnion := s.schema.([]any); isUnion {
		return s
	}
	return sample{[]any{"null", s.schema}, func(r *rand.Rand) (any, any) {
		if r.IntN(3) == 0 {
			return nil, nil
		}
		native, shown := s.value(r)
		return goavro.Union(s.union, native), shown
	}, ""}
}

func (m *maker) list(s sample) sample {
	return sample{map[string]any{"type": "array", "items": s.schema}, func(r *rand.Rand) (any, any) {
		natives, showns := []any{}, []any{}
		for range r.IntN(4) {
			native, shown := s.value(r)
			natives, showns = append(natives, native), append(showns, shown)
		}
		return natives, showns
	}, "array"}
}

func (m *maker) dictionary(s sample) sample {
	return sample{map[string]any{"type": "map", "values": s.schema}, func(r *rand.Rand) (any, any) {
		natives, showns := map[string]any{}, map[string]any{}
		for i := range r.IntN(4) {
			key := fmt.Sprintf("k%d", i)
			natives[key], showns[key] = s.value(r)
		}
		return natives, showns
	}, "map"}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// show is a packed row as one JSON object.
func show(t *testing.T, cols []Column, row []byte) string {
	t.Helper()
	text, err := fjson.NewEncoder(Desc(cols)).Append(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	return normal(t, text)
}

func normal(t *testing.T, text []byte) string {
	t.Helper()
	norm, err := jsonb.Normalize(nil, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(norm)
}

// TestAgainstGoavro holds the compiled decoder to goavro over random schemas and values: all columns, in the writer's
// order and shuffled, some dropped and some that the writer lacks.
func TestAgainstGoavro(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := &maker{r: r}
		s := m.record(3, 1+r.IntN(6))
		text := mustJSON(t, s.schema)
		codec, err := goavro.NewCodec(text)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		schema, err := Parse(text)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		cols, err := schema.Columns()
		if err != nil {
			t.Fatal(err)
		}
		some := shuffle(r, cols)
		all, err := NewDecoder(schema, cols)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		part, err := NewDecoder(schema, some)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range 10 {
			native, shown := s.value(r)
			message, err := codec.BinaryFromNative(nil, native)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			row, err := all.Append(nil, message)
			if err != nil {
				t.Fatalf("seed %d: %s: %x: %v", seed, text, message, err)
			}
			want := normal(t, []byte(mustJSON(t, shown)))
			if got := show(t, cols, row); got != want {
				t.Fatalf("seed %d: %s\ngot  %s\nwant %s", seed, text, got, want)
			}
			row, err = part.Append(nil, message)
			if err != nil {
				t.Fatal(err)
			}
			fields := shown.(map[string]any)
			picked := map[string]any{}
			for _, c := range some {
				picked[c.Name] = fields[c.Name]
				if c.Default != nil {
					picked[c.Name] = "default"
				}
			}
			want = normal(t, []byte(mustJSON(t, picked)))
			if got := show(t, some, row); got != want {
				t.Fatalf("seed %d: some columns of %s\ngot  %s\nwant %s", seed, text, got, want)
			}
		}
	}
}

func shuffle(r *rand.Rand, cols []Column) []Column {
	out := append([]Column(nil), cols...)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	out = out[:r.IntN(len(out)+1)]
	absent := Column{Column: repr.Column{Name: "absent", Type: repr.TypeOf(repr.KindText)}}
	added := Column{Column: repr.Column{Name: "added", Type: repr.TypeOf(repr.KindText)}, Default: repr.Append(nil, repr.Text("default"))}
	at := r.IntN(len(out) + 1)
	out = append(out[:at:at], append([]Column{absent}, out[at:]...)...)
	return append(out, added)
}

// TestDamage flips, cuts and adds bytes: an error or a well-formed row, never a panic.
func TestDamage(t *testing.T) {
	t.Parallel()
	good, bad := 0, 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := (&maker{r: r}).record(3, 1+r.IntN(6))
		schema, err := Parse(mustJSON(t, s.schema))
		if err != nil {
			t.Fatal(err)
		}
		codec, _ := goavro.NewCodec(schema.Text())
		cols, _ := schema.Columns()
		dec, err := NewDecoder(schema, cols)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			native, _ := s.value(r)
			message, err := codec.BinaryFromNative(nil, native)
			if err != nil {
				t.Fatal(err)
			}
			row, err := dec.Append(nil, damage(r, message))
			if err != nil {
				if _, ok := err.(*repr.Error); !ok {
					t.Fatalf("seed %d: error without a code: %v", seed, err)
				}
				bad++
				continue
			}
			good++
			if got := repr.DecodeRow(nil, row); len(got) != len(cols) {
				t.Fatalf("seed %d: %d columns of %d", seed, len(got), len(cols))
			}
		}
	}
	if good == 0 || bad == 0 {
		t.Errorf("%d good, %d bad: the test does not try both", good, bad)
	}
}

func damage(r *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	switch r.IntN(4) {
	case 0:
		return append(b, byte(r.Uint32()))
	case 1:
		return b[:r.IntN(len(b)+1)]
	}
	for range 1 + r.IntN(3) {
		if len(b) > 0 {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	}
	return b
}
