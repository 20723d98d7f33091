package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"millrace/internal/counts"
	"millrace/internal/disk"
	"millrace/internal/sim"
)

// model is a journal as one would write it without files: the content of every collection and the notes.
type model struct {
	rows  map[uint64]map[string]int64
	notes map[string]string
	last  uint64
}

func newModel() *model {
	return &model{rows: map[uint64]map[string]int64{}, notes: map[string]string{}}
}

func (m *model) clone() *model {
	c := &model{rows: map[uint64]map[string]int64{}, notes: maps.Clone(m.notes), last: m.last}
	for id, r := range m.rows {
		c.rows[id] = maps.Clone(r)
	}
	return c
}

func (m *model) apply(r *Record) {
	for _, c := range r.Changes {
		for i := range c.Rows.Len() {
			m.add(c.Collection, c.Rows.Row(i), c.Rows.Diff(i))
		}
	}
	for _, n := range r.Notes {
		if n.Value == nil {
			delete(m.notes, n.Key)
		} else {
			m.notes[n.Key] = string(n.Value)
		}
	}
	for _, id := range r.Dropped {
		delete(m.rows, id)
	}
	m.last = r.Time
}

func (m *model) add(id uint64, row []byte, diff int64) {
	if m.rows[id] == nil {
		m.rows[id] = map[string]int64{}
	}
	if m.rows[id][string(row)] += diff; m.rows[id][string(row)] == 0 {
		delete(m.rows[id], string(row))
	}
}

func (m *model) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "last %d\n", m.last)
	for _, k := range slices.Sorted(maps.Keys(m.notes)) {
		fmt.Fprintf(&b, "note %s=%q\n", k, m.notes[k])
	}
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		for _, row := range slices.Sorted(maps.Keys(m.rows[id])) {
			fmt.Fprintf(&b, "%d: %q %+d\n", id, row, m.rows[id][row])
		}
	}
	return b.String()
}

// contentOf is what a journal holds, the folded part and the records after it together.
func contentOf(t *testing.T, j *Journal) *model {
	t.Helper()
	m := newModel()
	for k, v := range j.Notes() {
		m.notes[k] = string(v)
	}
	st := j.State()
	m.last = st.Folded
	for _, id := range j.Collections() {
		var before []byte
		err := j.Read(id, func(row []byte, diff int64) error {
			if before != nil && bytes.Compare(before, row) >= 0 {
				t.Errorf("row %q comes after %q", row, before)
			}
			before = append(before[:0], row...)
			m.add(id, row, diff)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Ticks(func(r *Record) error { m.apply(r); return nil }); err != nil {
		t.Fatal(err)
	}
	notes := map[string]string{}
	for k, v := range st.Notes {
		notes[k] = string(v)
	}
	if !maps.Equal(notes, m.notes) || st.Last != m.last {
		t.Errorf("State says last %d, notes %v; the records say %d, %v", st.Last, notes, m.last, m.notes)
	}
	return m
}

// randomRecord changes the model's collections: it inserts, and deletes what is there.
func randomRecord(r *rand.Rand, m *model) *Record {
	rec := &Record{Time: m.last + 1 + uint64(r.IntN(50))}
	for id := range uint64(4) {
		if r.IntN(3) == 0 {
			continue
		}
		changes := map[string]int64{}
		for range r.IntN(30) {
			changes[fmt.Sprintf("%0*d", 1+r.IntN(60), r.IntN(200))] += 1 + int64(r.IntN(2))
		}
		for _, row := range slices.Sorted(maps.Keys(m.rows[id])) { // in order, so that a seed is a seed
			if r.IntN(4) == 0 {
				changes[row] -= m.rows[id][row]
			}
		}
		b := &rows{}
		for _, row := range slices.Sorted(maps.Keys(changes)) {
			if changes[row] != 0 {
				b.add([]byte(row), changes[row])
			}
		}
		rec.Changes = append(rec.Changes, Change{Collection: id, Rows: b})
	}
	for range r.IntN(3) {
		n := Note{Key: fmt.Sprint("k", r.IntN(6))}
		if r.IntN(4) > 0 {
			n.Value = bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(20))
		}
		rec.Notes = append(rec.Notes, n)
	}
	if r.IntN(25) == 0 {
		rec.Dropped = append(rec.Dropped, uint64(r.IntN(4)))
	}
	return rec
}

// life is a journal on a simulated disk, and what was acknowledged of it.
type life struct {
	t       *testing.T
	r       *rand.Rand
	d       *sim.Disk
	j       *Journal
	acked   *model
	general uint64
	each    map[uint64]uint64
	flying  *model // with the record that was on its way at the crash; nil without one
}

func (l *life) open() {
	l.t.Helper()
	j, err := Open(Options{FS: l.d, Dir: "data", SegmentBytes: 8 << 10, Compress: l.r.IntN(2) == 0})
	if err != nil {
		l.t.Fatalf("open: %v", err)
	}
	l.j = j
	got := contentOf(l.t, j)
	switch {
	case got.String() == l.acked.String():
	case l.flying != nil && got.String() == l.flying.String():
		l.acked = l.flying
	default:
		l.t.Fatalf("after a crash:\n%s\nacknowledged:\n%s\non its way:\n%v", got, l.acked, l.flying)
	}
	l.flying = nil
}

// run appends until the disk crashes.
func (l *life) run(most int) {
	for range most {
		rec := randomRecord(l.r, l.acked)
		next := l.acked.clone()
		next.apply(rec)
		c, err := l.j.Append(rec)
		if err == nil {
			err = c.Wait()
		}
		if err != nil {
			if !l.d.Down() {
				l.t.Fatalf("append: %v", err)
			}
			l.flying = next
			return
		}
		l.acked = next
		if l.r.IntN(10) == 0 {
			l.hold()
		}
	}
}

// hold holds the last records, and those of some collections for longer; a hold never goes back.
func (l *life) hold() {
	back := func(from uint64, most int) uint64 {
		return max(from, l.acked.last-min(l.acked.last, uint64(l.r.IntN(most))))
	}
	l.general = back(l.general, 200)
	if l.r.IntN(3) == 0 {
		l.each = nil
	}
	each := map[uint64]uint64{}
	for id := range uint64(4) {
		if t, held := l.each[id]; held || l.r.IntN(4) == 0 {
			if !held {
				t = l.general
			}
			each[id] = min(back(t, 5000), l.general)
		}
	}
	l.each = each
	l.j.HoldEach(l.general, each)
}

// TestCrashes lives through many crashes at any moment, in the log, in folds and at starts: what is there is always what was
// acknowledged, or that and the one record that was on its way.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			l := &life{t: t, r: rand.New(rand.NewPCG(seed, 7)), d: sim.NewDisk(seed), acked: newModel()}
			l.open()
			for range 12 {
				l.d.CrashAfter(l.r.IntN(300))
				l.run(150)
				l.d.Crash()
				_ = l.j.Close() // its files are dead
				l.d.Restart()
				for l.r.IntN(3) == 0 { // a crash at the start
					l.d.CrashAfter(l.r.IntN(8))
					if j, err := Open(Options{FS: l.d, Dir: "data", SegmentBytes: 8 << 10}); err == nil {
						l.d.Crash()
						_ = j.Close()
					} else if !l.d.Down() {
						t.Fatalf("open: %v", err)
					}
					l.d.Restart()
				}
				l.open()
			}
			if err := l.j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// fill appends n records and gives the model of them.
func fill(t *testing.T, j *Journal, m *model, n int, r *rand.Rand) *model {
	t.Helper()
	for range n {
		rec := randomRecord(r, m)
		c, err := j.Append(rec)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		m.apply(rec)
	}
	return m
}

func open(t *testing.T, d *sim.Disk) *Journal {
	t.Helper()
	j, err := Open(Options{FS: d, Dir: "data", SegmentBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestFold folds all it may: the size of the runs stays near that of the content, and a hold keeps records apart.
func TestFold(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	r := rand.New(rand.NewPCG(1, 1))
	j := open(t, d)
	m := fill(t, j, newModel(), 200, r)
	half := m.last
	j.Hold(half)
	m = fill(t, j, m, 200, r)
	if err := j.Fold(); err != nil {
		t.Fatal(err)
	}
	first := uint64(0)
	if err := j.Ticks(func(r *Record) error {
		if first == 0 {
			first = r.Time
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	st := j.Stats()
	if st.Folded == 0 || st.Folded > half || first > half && st.Folded < half {
		t.Errorf("held at %d, folded up to %d, the first record is of %d", half, st.Folded, first)
	}
	j.Hold(1 << 60)
	for j.Stats().Segments > 1 {
		if err := j.Fold(); err != nil {
			t.Fatal(err)
		}
	}
	if got := contentOf(t, j); got.String() != m.String() {
		t.Errorf("folded:\n%s\nwant:\n%s", got, m)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, d)
	if got := contentOf(t, j); got.String() != m.String() {
		t.Errorf("opened again:\n%s\nwant:\n%s", got, m)
	}
	names, _ := d.List("data")
	if want := 1 + j.Stats().Runs + j.Stats().Segments; len(names) != want {
		t.Errorf("%d files, want %d: %v", len(names), want, names)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOneOwner: a folder has one journal at a time.
func TestOneOwner(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	j := open(t, d)
	if _, err := Open(Options{FS: d, Dir: "data"}); err == nil || !strings.Contains(err.Error(), "locked by another process") {
		t.Errorf("a second journal: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, d).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk fills the disk: records are refused and leave nothing, and go on when there is space again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	r := rand.New(rand.NewPCG(2, 2))
	j := open(t, d)
	m := fill(t, j, newModel(), 40, r)
	d.SetLimit(d.Bytes() + 1000)
	refused := 0
	for range 60 {
		rec := randomRecord(r, m)
		c, err := j.Append(rec)
		if errors.Is(err, ErrFull) {
			refused++
			continue
		}
		if err == nil {
			err = c.Wait()
		}
		if err != nil {
			t.Fatalf("on a full disk: %v", err)
		}
		m.apply(rec)
	}
	if refused == 0 {
		t.Fatal("the disk did not fill up")
	}
	if got := contentOf(t, j); got.String() != m.String() {
		t.Errorf("full:\n%s\nwant:\n%s", got, m)
	}
	d.SetLimit(1 << 40)
	m = fill(t, j, m, 40, r)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, open(t, d)); got.String() != m.String() {
		t.Errorf("later:\n%s\nwant:\n%s", got, m)
	}
}

// fullAfter is a disk on which writes to the log find no space when they have written all the same.
type fullAfter struct {
	*sim.Disk
	full bool
}

func (d *fullAfter) Create(name string) (disk.File, error) {
	f, err := d.Disk.Create(name)
	return fullFile{f, d}, err
}

func (d *fullAfter) Open(name string) (disk.File, error) {
	f, err := d.Disk.Open(name)
	return fullFile{f, d}, err
}

type fullFile struct {
	disk.File
	d *fullAfter
}

func (f fullFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	if err == nil && f.d.full {
		return 0, syscall.ENOSPC
	}
	return n, err
}

// TestRefusedStaysAway: a record that was refused because the disk is full does not come back with a crash.
func TestRefusedStaysAway(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		d := &fullAfter{Disk: sim.NewDisk(seed)}
		r := rand.New(rand.NewPCG(seed, 2))
		j, err := Open(Options{FS: d, Dir: "data", SegmentBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		m := fill(t, j, newModel(), 5, r)
		d.full = true
		rec := randomRecord(r, m)
		for len(rec.Changes) == 0 {
			rec = randomRecord(r, m)
		}
		if _, err := j.Append(rec); !errors.Is(err, ErrFull) {
			t.Fatalf("on a full disk: %v", err)
		}
		d.Crash()
		_ = j.Close() // its files are dead
		d.Restart()
		d.full = false
		again := open(t, d.Disk)
		if got := contentOf(t, again); got.String() != m.String() {
			t.Errorf("seed %d: a refused record is back:\n%s\nwant:\n%s", seed, got, m)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedSync: after it nothing is acknowledged, not even what would succeed.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	r := rand.New(rand.NewPCG(3, 3))
	j := open(t, d)
	m := fill(t, j, newModel(), 5, r)
	d.FailSync(0)
	c, err := j.Append(randomRecord(r, m))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Fatal("a record was acknowledged whose sync failed")
	}
	if _, err := j.Append(randomRecord(r, m)); err == nil {
		t.Fatal("a record was taken after a failed sync")
	}
}

// TestSyncedLater: a record whose sync failed may be there or not when the journal is opened again. When it is, what follows does
// not stand on sand: a crash leaves both.
func TestSyncedLater(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	r := rand.New(rand.NewPCG(3, 3))
	j := open(t, d)
	m := fill(t, j, newModel(), 5, r)
	d.FailSync(0)
	rec := randomRecord(r, m)
	if c, err := j.Append(rec); err != nil || c.Wait() == nil {
		t.Fatal("the sync did not fail", err)
	}
	_ = j.Close()
	j = open(t, d)
	if j.State().Last == rec.Time {
		m.apply(rec)
	}
	m = fill(t, j, m, 5, r)
	d.Crash()
	_ = j.Close()
	d.Restart()
	if got := contentOf(t, open(t, d)); got.String() != m.String() {
		t.Errorf("%s\nwant\n%s", got, m)
	}
}

// TestDamage turns bits around in every file: opening or reading says which file and where, unless it was in the unacknowledged
// tail, and never gives other content.
func TestDamage(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	told, damages := 0, counts.Of(300, 1000)
	for range damages {
		d := sim.NewDisk(1)
		j := open(t, d)
		m := fill(t, j, newModel(), 60, rand.New(rand.NewPCG(9, 9)))
		j.Hold(m.last / 2)
		if err := j.Fold(); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		names, _ := d.List("data")
		names = slices.DeleteFunc(names, func(n string) bool { return n == "LOCK" })
		name := "data/" + names[r.IntN(len(names))]
		f, err := d.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := f.Size()
		at := r.Int64N(size)
		d.Flip(name, at, uint(r.IntN(8)))
		if found := readAll(d); found != nil {
			var damaged *DamageError
			var version *VersionError
			if !errors.As(found, &damaged) && !errors.As(found, &version) || !strings.Contains(found.Error(), name) {
				t.Errorf("%s, byte %d of %d: %v", name, at, size, found)
			}
			told++
			continue
		}
		j = open(t, d)
		got := contentOf(t, j)
		if got.String() != m.String() && got.last >= m.last {
			t.Fatalf("%s, byte %d of %d: other content and no error", name, at, size)
		}
	}
	if told < damages*2/3 {
		t.Errorf("only %d of %d damages were noticed", told, damages)
	}
}

// TestMissingFiles: whatever file is not there is named, by a check as by a start, which removes nothing; and files of others in
// the folder are let alone.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	j := open(t, d)
	m := fill(t, j, newModel(), 60, rand.New(rand.NewPCG(9, 9)))
	j.Hold(m.last)
	if err := j.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"log-notes", "manifest-zzz", "run-1.txt", "manifest-0000000000000000.bak"} {
		f, err := d.Create("data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	names, _ := d.List("data")
	missed := 0
	for _, name := range names {
		if _, isRun := numbered(name, runPrefix); !isRun && !strings.HasPrefix(name, "log-0") && !strings.HasPrefix(name, "manifest-0") || strings.HasSuffix(name, ".bak") {
			continue
		}
		missed++
		if err := d.Rename("data/"+name, "away"); err != nil {
			t.Fatal(err)
		}
		before, _ := d.List("data")
		var damaged *DamageError
		if err := readAll(d); !errors.As(err, &damaged) {
			t.Errorf("without %s: %v", name, err)
		}
		if rep, err := Check(d, "data", nil); err == nil && rep.Bad() == 0 {
			t.Errorf("a check without %s finds nothing", name)
		}
		if after, _ := d.List("data"); !slices.Equal(after, before) {
			t.Errorf("without %s a start leaves %v of %v", name, after, before)
		}
		if err := d.Rename("away", "data/"+name); err != nil {
			t.Fatal(err)
		}
	}
	if missed < 3 {
		t.Errorf("only %d files were taken away", missed)
	}
	j = open(t, d)
	if got := contentOf(t, j); got.String() != m.String() {
		t.Error("with all files there again the content is another")
	}
	if left, _ := d.List("data"); !slices.Contains(left, "log-notes") || !slices.Contains(left, "run-1.txt") {
		t.Errorf("files of others are gone: %v", left)
	}
}

// readAll opens a journal, reads everything and closes it.
func readAll(d *sim.Disk) error {
	j, err := Open(Options{FS: d, Dir: "data", SegmentBytes: 8 << 10})
	if err != nil {
		return err
	}
	for _, id := range j.Collections() {
		if err := j.Read(id, func([]byte, int64) error { return nil }); err != nil {
			return errors.Join(err, j.Close())
		}
	}
	err = j.Ticks(func(*Record) error { return nil })
	return errors.Join(err, j.Close())
}

// TestCopy copies the files while records come and segments are folded: the copy is a journal.
func TestCopy(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	r := rand.New(rand.NewPCG(5, 5))
	j := open(t, d)
	m := fill(t, j, newModel(), 100, r)
	files, release := j.Files()
	before := m.clone()
	j.Hold(m.last)
	m = fill(t, j, m, 100, r)
	if err := j.Fold(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		copyFile(t, d, f, strings.Replace(f.Name, "data/", "copy/", 1))
	}
	release()
	c, err := Open(Options{FS: d, Dir: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, c); got.last < before.last || got.last > m.last {
		t.Errorf("the copy ends at %d; it was begun at %d, ended at %d", got.last, before.last, m.last)
	}
	if got := contentOf(t, j); got.String() != m.String() {
		t.Errorf("the journal after the copy:\n%s\nwant:\n%s", got, m)
	}
}

func copyFile(t *testing.T, d *sim.Disk, from File, to string) {
	t.Helper()
	b, err := content(d, from.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if from.End >= 0 {
		b = b[:from.End]
	}
	f, err := d.Create(to)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestNewerFormat refuses data of a newer release, by whatever file says so first, in words that say what to do.
func TestNewerFormat(t *testing.T) {
	t.Parallel()
	header := func(b []byte) {
		binary.LittleEndian.PutUint32(b[4:], Format+1)
		binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
	}
	for prefix, change := range map[string]func(d *sim.Disk, name string) error{
		manifestPrefix: func(d *sim.Disk, name string) error {
			m, err := readManifest(d, "data", []string{name})
			if err == nil {
				m.Format, m.Number = Format+1, m.Number+1
				err = m.write(d, "data")
			}
			return err
		},
		segmentPrefix: func(d *sim.Disk, name string) error { return rewrite(d, name, header) },
		runPrefix:     func(d *sim.Disk, name string) error { return rewrite(d, name, header) },
	} {
		d := sim.NewDisk(1)
		j := open(t, d)
		m := fill(t, j, newModel(), 60, rand.New(rand.NewPCG(9, 9)))
		j.Hold(m.last / 2)
		if err := errors.Join(j.Fold(), j.Close()); err != nil {
			t.Fatal(err)
		}
		names, _ := d.List("data")
		i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) })
		if i < 0 {
			t.Fatalf("no %s file among %v", prefix, names)
		}
		if err := change(d, names[i]); err != nil {
			t.Fatal(err)
		}
		err := readAll(d)
		var version *VersionError
		if !errors.As(err, &version) || version.Found != Format+1 {
			t.Errorf("a newer %s file: %v", prefix, err)
			continue
		}
		want := fmt.Sprintf("has format %d; this release reads formats up to %d: run the release that wrote it, or a newer one", Format+1, Format)
		if !strings.HasPrefix(version.File, "data/"+prefix) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("a newer %s file: %v", prefix, err)
		}
	}
}

// rewrite changes a file.
func rewrite(d *sim.Disk, name string, change func(b []byte)) error {
	b, err := content(d, "data/"+name, nil)
	if err != nil {
		return err
	}
	change(b)
	f, err := d.Open("data/" + name)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	return err
}
