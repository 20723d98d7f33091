package parquet

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"millrace/internal/folder"
	"millrace/internal/s3"
	"millrace/repr"
	"millrace/sinks"
)

// bucket is object storage in memory that fails when it is told so: before a request is done, or behind it.
type bucket struct {
	mu      sync.Mutex // guards what follows
	objects map[string][]byte
	rng     *rand.Rand // nil: nothing fails
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || b.rng != nil && b.rng.IntN(12) == 0 {
		http.Error(w, "<Error><Code>SlowDown</Code><Message>later</Message></Error>", http.StatusServiceUnavailable)
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/lake/")
	switch {
	case !strings.HasPrefix(r.URL.Path, "/lake"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>")
	case r.Method == http.MethodPut && (r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != tagOf(b.objects[key]) ||
		r.Header.Get("If-None-Match") == "*" && b.objects[key] != nil):
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = io.WriteString(w, "<Error><Code>PreconditionFailed</Code></Error>")
	case r.Method == http.MethodPut:
		b.objects[key] = body
		w.Header().Set("ETag", tagOf(body))
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
	case r.URL.Query().Get("list-type") == "2":
		type object struct{ Key string }
		var list struct {
			XMLName  xml.Name `xml:"ListBucketResult"`
			Contents []object
		}
		for _, k := range slices.Sorted(maps.Keys(b.objects)) {
			if strings.HasPrefix(k, r.URL.Query().Get("prefix")) {
				list.Contents = append(list.Contents, object{k})
			}
		}
		_ = xml.NewEncoder(w).Encode(list)
	default:
		if b.objects[key] == nil {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
			return
		}
		w.Header().Set("ETag", tagOf(b.objects[key]))
		_, _ = w.Write(b.objects[key])
	}
	if b.rng != nil && b.rng.IntN(12) == 0 {
		panic(http.ErrAbortHandler) // it is done, and the answer is lost
	}
}

func tagOf(body []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) }

func newBucket(t *testing.T) (*bucket, *s3.Client) {
	t.Helper()
	b := &bucket{objects: map[string][]byte{}}
	web := httptest.NewServer(b)
	t.Cleanup(web.Close)
	return b, client(t, web.URL, "lake")
}

func client(t *testing.T, endpoint, name string) *s3.Client {
	t.Helper()
	c, err := s3.New(s3.Options{Endpoint: endpoint, Bucket: name, AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rows reads all files under a prefix, back into words.
func (b *bucket) rows(t *testing.T, prefix string) map[string]int {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]int{}
	for name, body := range b.objects {
		if !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, ".parquet") {
			continue
		}
		r, err := file.NewParquetReader(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for g := range r.NumRowGroups() {
			group := r.RowGroup(g)
			lines := make([]string, group.NumRows())
			for c := range group.NumColumns() {
				column, err := group.Column(c)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range valuesOf(t, column, len(lines), r.MetaData().Schema.Column(c).MaxDefinitionLevel()) {
					lines[i] += " " + v
				}
			}
			for _, line := range lines {
				out[line[1:]]++
			}
		}
	}
	return out
}

// valuesOf are the values of a column in words.
func valuesOf(t *testing.T, c file.ColumnChunkReader, n int, defined int16) []string {
	t.Helper()
	levels := make([]int16, n)
	var texts []string
	var err error
	switch c := c.(type) {
	case *file.Int64ColumnChunkReader:
		v := make([]int64, n)
		_, _, err = c.ReadBatch(int64(n), v, levels, nil)
		texts = words(v)
	case *file.Int32ColumnChunkReader:
		v := make([]int32, n)
		_, _, err = c.ReadBatch(int64(n), v, levels, nil)
		texts = words(v)
	case *file.Float64ColumnChunkReader:
		v := make([]float64, n)
		_, _, err = c.ReadBatch(int64(n), v, levels, nil)
		texts = words(v)
	case *file.Float32ColumnChunkReader:
		v := make([]float32, n)
		_, _, err = c.ReadBatch(int64(n), v, levels, nil)
		texts = words(v)
	case *file.BooleanColumnChunkReader:
		v := make([]bool, n)
		_, _, err = c.ReadBatch(int64(n), v, levels, nil)
		texts = words(v)
	case *file.ByteArrayColumnChunkReader:
		v := make([]pq.ByteArray, n)
		_, _, err = c.ReadBatch(int64(n), v, levels, nil)
		for _, b := range v {
			texts = append(texts, string(b))
		}
	default:
		t.Fatalf("a column of %T", c)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, n)
	for i := range out {
		if defined > 0 && levels[i] == 0 {
			out[i] = "-"
			continue
		}
		out[i], texts = texts[0], texts[1:]
	}
	return out
}

func words[T any](v []T) []string {
	out := make([]string, len(v))
	for i := range v {
		out[i] = fmt.Sprint(v[i])
	}
	return out
}

func run(t *testing.T, cfg Config, ticks ...sinks.Tick) error {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan sinks.Tick, len(ticks))
	for _, tick := range ticks {
		ch <- tick
	}
	close(ch)
	return s.Run(t.Context(), ch, func(sinks.State) {})
}

// TestTypes writes a row of each type, and reads it back.
func TestTypes(t *testing.T) {
	t.Parallel()
	numeric := repr.TypeOf(repr.KindNumeric)
	bounded := numeric
	bounded.Mod = (10<<16 | 2) + 4
	var cols repr.RowDesc
	var row []repr.Datum
	var want []string
	for i, c := range []struct {
		typ  repr.Type
		d    repr.Datum
		want string
	}{
		{repr.TypeOf(repr.KindBool), repr.Bool(true), "true"}, {repr.TypeOf(repr.KindInt2), repr.Int2(-3), "-3"},
		{repr.TypeOf(repr.KindInt4), repr.Int4(7), "7"}, {repr.TypeOf(repr.KindInt8), repr.Int8(math.MinInt64), "-9223372036854775808"},
		{repr.TypeOf(repr.KindFloat4), repr.Float4(1.5), "1.5"}, {repr.TypeOf(repr.KindFloat8), repr.Float8(math.Inf(1)), "+Inf"},
		{numeric, repr.Numeric(12345, 3), "12.345"}, {bounded, repr.Numeric(125, 1), "1250"}, {bounded, repr.Numeric(-7, 0), "-700"},
		{repr.TypeOf(repr.KindText), repr.Text("hé"), "hé"}, {repr.TypeOf(repr.KindBytea), repr.Bytea([]byte{65, 66}), "AB"},
		{repr.TypeOf(repr.KindDate), repr.Date(-10957), "0"}, {repr.TypeOf(repr.KindTimestamp), repr.Timestamp(-946684800_000_000 + 5), "5"},
		{repr.TypeOf(repr.KindTimestampTZ), repr.TimestampTZ(0), "946684800000000"}, {repr.TypeOf(repr.KindTime), repr.TimeOfDay(9), "9"},
		{repr.TypeOf(repr.KindInterval), repr.Interval(0, 1, 0), "1 day"}, {repr.TypeOf(repr.KindJSONB), repr.JSONB([]byte(`{"a": 1}`)), `{"a": 1}`},
		{repr.TypeOf(repr.KindText), repr.Null, "-"}, {repr.TypeOf(repr.KindInt4), repr.Null, "-"},
		{repr.ArrayOf(repr.KindInt4), repr.Array([]repr.Datum{repr.Int4(1), repr.Null}), "{1,NULL}"},
	} {
		cols = append(cols, repr.Column{Name: fmt.Sprint("c", i), Type: c.typ, NotNull: i%2 == 0 && !c.d.IsNull()})
		row, want = append(row, c.d), append(want, c.want)
	}
	b, store := newBucket(t)
	if err := run(t, Config{Store: store, Prefix: "p", Cols: cols, Name: "n", Changes: true},
		sinks.Tick{Time: 5, Changes: []sinks.Change{{Row: repr.AppendRow(nil, row), Diff: -2}}}); err != nil {
		t.Fatal(err)
	}
	if got, line := b.rows(t, "p/"), strings.Join(want, " ")+" 5 -2"; got[line] != 1 || len(got) != 1 {
		t.Errorf("got  %v\nwant %s", got, line)
	}
	for _, d := range []repr.Datum{repr.Date(repr.PosInfinity32), repr.Timestamp(repr.NegInfinity64)} {
		err := run(t, Config{Store: store, Prefix: "bad", Cols: repr.RowDesc{{Name: "x", Type: repr.TypeOf(d.Kind())}}, Name: "n" + d.Kind().String()},
			sinks.Tick{Time: 5, Changes: []sinks.Change{{Row: repr.AppendRow(nil, []repr.Datum{d}), Diff: 1}}})
		if err == nil || !strings.Contains(err.Error(), "cannot be written to Parquet") {
			t.Errorf("infinity: %v", err)
		}
	}
}

var pairs = repr.RowDesc{{Name: "id", Type: repr.TypeOf(repr.KindInt4), NotNull: true}, {Name: "day", Type: repr.TypeOf(repr.KindText)}}

func pair(id int, day string) []byte {
	d := []repr.Datum{repr.Int4(int32(id)), repr.Null}
	if day != "" {
		d[1] = repr.Text(day)
	}
	return repr.AppendRow(nil, d)
}

// leave has the state say that a file was left by a commit that was given up, and that the last tick is to be written again.
func leave(t *testing.T, b *bucket, name string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var now state
	if err := json.Unmarshal(b.objects["out/_millrace/n/state.json"], &now); err != nil {
		t.Fatal(err)
	}
	now.Left = append(now.Left, left{Name: name, Until: time.Now().Add(time.Hour)})
	for name, body := range b.objects { // the last commit is undone
		var m manifest
		if json.Unmarshal(body, &m) == nil && m.Time == now.Time && len(m.Files) > 0 {
			now.Time, now.Coming = m.From, append(now.Coming, name)
			for _, f := range m.Files {
				now.Coming = append(now.Coming, f.Name)
			}
			break
		}
	}
	text, err := json.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	b.objects["out/_millrace/n/state.json"] = text
}

// TestOnce: over requests that fail and answers that are lost, and restarts in the middle, each row is in one file, in the folder of its day.
func TestOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		b, store := newBucket(t)
		b.rng = rand.New(rand.NewPCG(seed, 9))
		rng := rand.New(rand.NewPCG(seed, 3))
		cfg := Config{Store: store, Prefix: "/out/", Cols: pairs, Partition: []int{1}, Name: "n", Run: sinks.Options{Interval: 1, Clock: hasty{}}}
		var ticks []sinks.Tick
		for i := range 12 {
			ticks = append(ticks, sinks.Tick{Time: repr.Time(i + 1), Changes: []sinks.Change{{Row: pair(i, []string{"", "a/b", "c d"}[i%3]), Diff: int64(1 + i%2)}}})
		}
		for at := 0; at < len(ticks); {
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			to := min(len(ticks), at+1+rng.IntN(5))
			ch := make(chan sinks.Tick)
			go func() {
				defer close(ch)
				for _, tick := range ticks[:to] { // the server keeps all for a sink
					select {
					case ch <- tick:
					case <-ctx.Done():
						return
					}
				}
				if to < len(ticks) && to%2 == 0 {
					cancel() // in the middle of whatever it does
				}
			}()
			if err := s.Run(ctx, ch, func(sinks.State) {}); err != nil && ctx.Err() == nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			cancel()
			at = to
		}
		b.mu.Lock()
		b.rng = nil
		b.mu.Unlock()
		late := "out/day=c+d/n-late.parquet" // of a commit that was given up, carried out behind its deletion
		if err := store.Put(t.Context(), late, []byte("late")); err != nil {
			t.Fatal(err)
		}
		leave(t, b, late)
		if err := run(t, cfg, ticks...); err != nil {
			t.Fatal(err)
		}
		for folder, id := range map[string]int{"out/day=" + noValue + "/": 0, "out/day=a%2Fb/": 1, "out/day=c+d/": 2} {
			want := map[string]int{}
			for i := id; i < len(ticks); i += 3 {
				want[fmt.Sprint(i)] = 1 + i%2
			}
			if got := b.rows(t, folder); !maps.Equal(got, want) {
				t.Errorf("seed %d: %s holds %v, want %v", seed, folder, got, want)
			}
		}
		var now state
		if err := json.Unmarshal(b.objects["out/_millrace/n/state.json"], &now); err != nil || now.Time != 12 || len(now.Coming) > 0 {
			t.Errorf("seed %d: the state is %+v, %v", seed, now, err)
		}
	}
}

// TestRefuses: what cannot be written or gone on with.
func TestRefuses(t *testing.T) {
	t.Parallel()
	_, store := newBucket(t)
	endpoint, _, _ := strings.Cut(store.Place(), "/lake")
	first := sinks.Tick{Time: 1, Changes: []sinks.Change{{Row: pair(1, "a"), Diff: 1}}}
	back := sinks.Tick{Time: 2, Changes: []sinks.Change{{Row: pair(1, "a"), Diff: -1}}}
	cfg := Config{Store: store, Cols: pairs, Name: "n"}
	if err := run(t, cfg, first, back); err == nil || !strings.Contains(err.Error(), "was taken back") {
		t.Errorf("got %v", err)
	}
	cfg.Name, cfg.Force = "forced", true
	if err := run(t, cfg, first, back); err != nil {
		t.Error(err)
	}
	cfg.Store = client(t, endpoint, "none")
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if e := s.Check(t.Context()); e == nil || !strings.Contains(e.Message, "NoSuchBucket") || e.Hint == "" {
		t.Errorf("got %+v", e)
	}
}

// TestInFolder writes into a folder of the machine, with a restart, and with what a crash in the middle of a commit leaves.
func TestInFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := Config{Store: folder.New(dir), Prefix: "out", Cols: pairs, Partition: []int{1}, Name: "n"}
	ticks := []sinks.Tick{{Time: 1, Changes: []sinks.Change{{Row: pair(1, "a"), Diff: 1}}}, {Time: 2, Changes: []sinks.Change{{Row: pair(2, "b"), Diff: 2}}}}
	if err := run(t, cfg, ticks[0]); err != nil {
		t.Fatal(err)
	}
	left := "out/day=b/n-2-0.parquet"
	text, err := json.Marshal(state{Time: 1, Coming: []string{left}})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{left: []byte("half"), "out/_millrace/n/state.json": text} {
		if err := cfg.Store.Put(t.Context(), name, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(t, cfg, ticks...); err != nil {
		t.Fatal(err)
	}
	b := &bucket{objects: map[string][]byte{}}
	names, err := cfg.Store.List(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if b.objects[name], err = cfg.Store.Get(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if a, bs := b.rows(t, "out/day=a/"), b.rows(t, "out/day=b/"); !maps.Equal(a, map[string]int{"1": 1}) || !maps.Equal(bs, map[string]int{"2": 2}) {
		t.Errorf("the folder holds %v and %v", a, bs)
	}
	gone, err := New(Config{Store: folder.New(filepath.Join(dir, "not-there")), Cols: pairs, Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if e := gone.Check(t.Context()); e == nil || e.Hint == "" || !strings.Contains(e.Message, "not-there") {
		t.Errorf("of a folder that is not there it says %+v", e)
	}
}
