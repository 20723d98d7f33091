package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources"
)

// standing is a clock that a test sets.
type standing struct {
	clock.System
	now time.Time
}

func (c *standing) Now() time.Time { return c.now }

// logs is a folder of logs, a source that follows them, and what it gave.
type logs struct {
	t     *testing.T
	dir   string
	cfg   Config
	clock *standing
	root  *os.Root
	r     *reader
	rows  map[string]int
	state map[string]int64
	next  map[int32]int64
	bad   int
	said  sources.State
}

func newLogs(t *testing.T, cfg Config) *logs {
	t.Helper()
	g := &logs{t: t, dir: t.TempDir(), cfg: cfg, clock: &standing{now: time.Unix(1_700_000_000, 0)}, rows: map[string]int{}, state: map[string]int64{}, next: map[int32]int64{}}
	g.cfg.Root, g.cfg.Clock, g.cfg.Log = g.dir, g.clock, slog.New(slog.DiscardHandler)
	root, err := os.OpenRoot(g.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	g.root = root
	g.start()
	return g
}

// Push takes a batch, as the coordinator does with a tick.
func (g *logs) Push(_ context.Context, b *sources.Batch) error {
	for _, u := range b.Updates {
		g.rows[string(u.Row)]++
	}
	g.bad += len(b.Errors)
	for _, u := range b.State {
		if g.state[string(u.Row)] += u.Diff; g.state[string(u.Row)] == 0 {
			delete(g.state, string(u.Row))
		}
	}
	for _, p := range b.Progress {
		if p.Next < g.next[p.Partition] {
			g.t.Errorf("partition %d goes back from %d to %d", p.Partition, g.next[p.Partition], p.Next)
		}
		g.next[p.Partition] = p.Next
	}
	return nil
}

func (g *logs) Report(s sources.State) { g.said = s }

// start begins with what was kept, as after a crash.
func (g *logs) start() {
	g.t.Helper()
	s := New(g.cfg)
	rows := func(yield func([]byte, repr.Diff) bool) {
		for row, n := range g.state {
			if n != 1 {
				g.t.Errorf("%d times %s", n, row)
			}
			if !yield([]byte(row), n) {
				return
			}
		}
	}
	if err := s.Restore(iter.Seq2[[]byte, repr.Diff](rows)); err != nil {
		g.t.Fatal(err)
	}
	g.r = s.reader(nil, g)
	if s.cfg.Format != FormatTable {
		dec, err := s.decoder()
		if err != nil {
			g.t.Fatal(err)
		}
		g.r.dec = dec
	}
	for _, f := range s.files {
		f.at = g.next[f.number]
	}
}

// look has the source look once.
func (g *logs) look() {
	g.t.Helper()
	g.clock.now = g.clock.now.Add(lookEvery)
	g.r.report(g.r.look(g.t.Context(), g.root))
}

func (g *logs) path(name string) string { return filepath.Join(g.dir, name) }

func (g *logs) do(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *logs) add(name, text string) {
	g.t.Helper()
	f, err := os.OpenFile(g.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	g.do(err)
	_, err = f.WriteString(text)
	g.do(err)
	g.do(f.Close())
}

func (g *logs) copy(from, to string) {
	g.t.Helper()
	text, err := os.ReadFile(g.path(from))
	g.do(err)
	g.do(os.WriteFile(g.path(to), text, 0o600))
}

func (g *logs) exists(name string) bool {
	_, err := os.Stat(g.path(name))
	return err == nil
}

func gzipped(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text) // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

// shift makes room for app.log.1: every older one gets the next number, the last goes, when it was read.
func (g *logs) shift(rng *rand.Rand) {
	const most = 4
	for n := most; n >= 1; n-- {
		for _, suffix := range []string{"", ".gz"} {
			name := fmt.Sprintf("app.log.%d%s", n, suffix)
			switch {
			case !g.exists(name):
			case n == most:
				g.look()
				g.do(os.Remove(g.path(name)))
			default:
				g.do(os.Rename(g.path(name), g.path(fmt.Sprintf("app.log.%d%s", n+1, suffix))))
				if rng.IntN(6) == 0 {
					g.look()
				}
			}
		}
	}
}

// TestRotation: logs are rotated by renaming, or by copying and cutting, packed and deleted while they are followed, and the source
// starts anew between any two steps of a rotation: each line comes once, whether the pattern means the rotated names or not.
func TestRotation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		pattern := []string{"app.log*", "app.log"}[seed%2]
		t.Run(fmt.Sprintf("%s %d", pattern, seed), func(t *testing.T) {
			t.Parallel()
			rotations(t, pattern, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

// rotation is one log, written and rotated at random.
type rotation struct {
	*logs
	rng   *rand.Rand
	lines int
	half  string // of a line whose beginning is there
}

// maybe looks, and starts anew, now and then.
func (o *rotation) maybe() {
	if o.rng.IntN(2) == 0 {
		o.look()
	}
	if o.rng.IntN(5) == 0 {
		o.start()
	}
}

func (o *rotation) write() {
	text := o.half
	o.half = ""
	for range 1 + o.rng.IntN(40) {
		o.lines++
		text += fmt.Sprintf("line %d %s\n", o.lines, strings.Repeat("x", o.rng.IntN(60)))
	}
	if o.rng.IntN(3) == 0 {
		o.lines++
		o.half = fmt.Sprintf("%d is written later\n", o.lines)
		text, o.half = text+o.half[:3], o.half[3:]
	}
	o.add("app.log", text)
}

// endLine writes the rest of a line.
func (o *rotation) endLine() {
	o.add("app.log", o.half)
	o.half = ""
}

// rename rotates as most do.
func (o *rotation) rename() {
	o.endLine()
	o.shift(o.rng)
	o.maybe()
	o.do(os.Rename(o.path("app.log"), o.path("app.log.1")))
	o.maybe()
	o.write()
	o.look() // before the next rotation: what has another name before it was seen at all cannot be found
}

// cut rotates by a copy.
func (o *rotation) cut() {
	o.endLine()
	o.shift(o.rng)
	o.look()
	o.copy("app.log", "app.log.1")
	o.maybe()
	o.do(os.Truncate(o.path("app.log"), 0))
	o.maybe()
	o.write()
	o.look()
}

// pack packs older files.
func (o *rotation) pack() {
	for _, n := range []int{2, 3} {
		name := fmt.Sprintf("app.log.%d", n)
		if !o.exists(name) || o.exists(name+".gz") {
			continue
		}
		text, err := os.ReadFile(o.path(name))
		o.do(err)
		packed := gzipped(text)
		o.do(os.WriteFile(o.path(name+".gz"), packed[:len(packed)/2], 0o600))
		o.maybe()
		o.do(os.WriteFile(o.path(name+".gz"), packed, 0o600))
		o.look()
		o.do(os.Remove(o.path(name)))
	}
}

func rotations(t *testing.T, pattern string, rng *rand.Rand) {
	t.Helper()
	o := &rotation{rng: rng, logs: newLogs(t, Config{Pattern: pattern, Tail: true, Format: FormatText, Include: []Include{{What: IncludeLine, As: "line"}}})}
	o.write()
	o.look()
	steps := []func(){o.write, o.write, o.write, o.rename, o.cut, o.pack}
	for range 40 {
		steps[rng.IntN(len(steps))]()
		o.maybe()
	}
	o.endLine()
	o.look()
	o.look()
	if len(o.rows) != o.lines || o.bad > 0 {
		t.Errorf("%d rows of %d lines, %d bad; the source is %+v", len(o.rows), o.lines, o.bad, o.said)
	}
	for row, n := range o.rows {
		if n != 1 {
			t.Errorf("%d times %s", n, repr.DecodeRow(nil, []byte(row))[0].Str())
		}
	}
	if o.said.Status != statusRunning {
		t.Errorf("the source is %+v", o.said)
	}
}

// TestCutToItsSize: a log is cut and written to exactly its former size within one step of the clock of the file system.
func TestCutToItsSize(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"app.log*", "app.log"} {
		g := newLogs(t, Config{Pattern: pattern, Tail: true, Format: FormatText})
		step := g.clock.now
		put := func(text string) {
			g.add("app.log", text)
			g.do(os.Chtimes(g.path("app.log"), step, step))
		}
		put("one\n")
		g.look()
		g.look()
		g.copy("app.log", "app.log.1")
		g.do(os.Truncate(g.path("app.log"), 0))
		put("two\n")
		g.look()
		g.clock.now = g.clock.now.Add(2 * settledFor)
		g.look()
		g.look()
		if len(g.rows) != 2 || len(g.state) != 2 || g.said.Status != statusRunning {
			t.Errorf("%s: the rows are %v, and the source is %+v", pattern, g.rows, g.said)
		}
		for row, n := range g.rows {
			if n != 1 {
				t.Errorf("%s: %d times %s", pattern, n, row)
			}
		}
	}
}

// TestPacked: packed files by their suffix, and by what the source says; one that is not complete is read when it is, from where it was.
func TestPacked(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var framed bytes.Buffer
	w := s2.NewWriter(&framed, s2.WriterSnappyCompat())
	_, _ = w.Write([]byte(text.String())) // a buffer takes all
	_ = w.Close()
	packed := map[string][]byte{"a.gz": gzipped([]byte(text.String())), "a.zst": enc.EncodeAll([]byte(text.String()), nil), "a.sz": framed.Bytes(), "a.snappy": framed.Bytes()}
	for name, body := range packed {
		for _, half := range []bool{false, true} {
			g := newLogs(t, Config{Pattern: "a*", Format: FormatText})
			if half {
				g.do(os.WriteFile(g.path(name), body[:2*len(body)/3], 0o600))
				g.look()
				if g.said.Status != statusStalled || !strings.Contains(g.said.Error, "cannot be unpacked") || g.next[0] != 0 {
					t.Errorf("%s, in part: %+v, %d files are read", name, g.said, g.next[0])
				}
				g.start()
				g.look()
			}
			g.do(os.WriteFile(g.path(name), body, 0o600))
			g.look()
			g.start()
			g.look()
			if len(g.rows) != 20_000 || g.said.Status != statusRunning || g.next[0] != 1 || g.next[1] != int64(text.Len()) {
				t.Errorf("%s: %d rows, %+v, %d", name, len(g.rows), g.said, g.next)
			}
		}
	}
	g := newLogs(t, Config{Pattern: "*", Format: FormatText, Compression: Gzip})
	g.do(os.WriteFile(g.path("named-otherwise"), packed["a.gz"], 0o600))
	g.look()
	if len(g.rows) != 20_000 {
		t.Errorf("%d rows of a file whose name does not say how it is packed", len(g.rows))
	}
}

// TestNamesChange: a file that was read and is given another name is not read again, one that has the name or the number of another is.
func TestNamesChange(t *testing.T) {
	t.Parallel()
	g := newLogs(t, Config{Pattern: "*.txt", Format: FormatText})
	g.add("a.txt", "one\n")
	g.look()
	g.do(os.Rename(g.path("a.txt"), g.path("done-a.txt")))
	g.look()
	g.start()
	g.look()
	g.add("b.txt", "one\n")
	g.look()
	g.do(os.Rename(g.path("b.txt"), g.path("c.txt")))
	g.add("b.txt", "two\n")
	g.look()
	if n := len(g.rows); n != 2 || g.rows[string(repr.Append(nil, repr.Text("one")))] != 2 {
		t.Errorf("the rows are %v", g.rows)
	}
	if len(g.r.files) != 3 {
		t.Errorf("%d files were found", len(g.r.files))
	}
	f := newLogs(t, Config{Pattern: "*.log", Tail: true, Format: FormatText})
	f.add("a.log", "same\n")
	f.look()
	f.add("b.log", "same\n")
	for range int(holdFor/lookEvery) + 2 {
		f.look()
	}
	if f.rows[string(repr.Append(nil, repr.Text("same")))] != 2 {
		t.Errorf("two logs of the same content give %v", f.rows)
	}
}
