package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/disk"
	"millrace/internal/spool"
	"millrace/repr"
)

func be32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }
func be64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// exampleRelation describes the table of example as pgoutput does, with more columns behind its own.
func exampleRelation(more ...string) []byte {
	b := append(be32(nil, 1), "public\x00t\x00d"...)
	b = binary.BigEndian.AppendUint16(b, uint16(3+len(more)))
	b = append(b, "\x01id\x00\x00\x00\x00\x17\xff\xff\xff\xff\x00n\x00\x00\x00\x00\x14\xff\xff\xff\xff\x00large\x00\x00\x00\x00\x19\xff\xff\xff\xff"...)
	for _, name := range more {
		b = append(append(b, 0), name+"\x00\x00\x00\x00\x19\xff\xff\xff\xff"...)
	}
	return b
}

// told is a message of a subtransaction.
type told struct {
	kind byte
	body []byte
	sub  uint32
}

// rival is a transaction of the other side in a test: it has rows of its own, as one that locks them has.
type rival struct {
	xid    uint32
	rows   map[int]string // as they are for it
	before map[int]string // as they were before the open subtransaction
	sub    uint32
	sent   bool // it was described
	coming []told
}

// rivals play transactions that are open side by side, and send them as the other side does.
type rivals struct {
	t     *testing.T
	rng   *rand.Rand
	s     *stream
	want  map[int]string // committed rows
	open  []*rival
	xid   uint32
	lsn   uint64
	knows bool // the other side has described the table to all
}

func (r *rivals) send(kind byte, body []byte) {
	r.t.Helper()
	if err := r.s.message(r.t.Context(), append([]byte{kind}, body...)); err != nil {
		r.t.Fatalf("%c: %v", kind, err)
	}
}

// change has a transaction change one of its rows: those whose numbers give its place.
func (r *rivals) change(v *rival) {
	if !v.sent {
		v.sent = true
		v.coming = append(v.coming, told{'R', exampleRelation(), v.sub})
	}
	id := r.rng.IntN(6)*8 + int(v.xid%8)
	text := strconv.Itoa(id)
	was, there := v.rows[id]
	switch r.rng.IntN(4) {
	case 0:
		if there {
			delete(v.rows, id)
			v.coming = append(v.coming, told{'D', append(append(be32(nil, 1), 'K'), tupleBytes(text, `\N`, `\N`)...), v.sub})
		}
	default:
		now, sent := fmt.Sprint("large ", r.rng.IntN(1000)), ""
		if sent = now; there && r.rng.IntN(2) == 0 {
			now, sent = was, `\u`
		}
		v.rows[id] = now
		kind := byte('I')
		if there {
			kind = 'U'
		}
		v.coming = append(v.coming, told{kind, append(append(be32(nil, 1), 'N'), tupleBytes(text, "5", sent)...), v.sub})
	}
}

// block sends what a transaction has done since its last block.
func (r *rivals) block(v *rival) {
	r.send('S', append(be32(nil, v.xid), 1))
	for _, m := range v.coming {
		r.send(m.kind, append(be32(nil, m.sub), m.body...))
	}
	r.send('Y', be32(nil, v.sub)) // which says nothing
	r.send('E', nil)
	v.coming = nil
}

// subtransaction begins or ends one. One that is aborted takes back what it did, also what was sent; the other side describes tables anew then.
func (r *rivals) subtransaction(v *rival) {
	switch {
	case v.sub == v.xid:
		r.xid += 8
		v.sub, v.before = r.xid+100_000, clone(v.rows)
	case r.rng.IntN(2) == 0:
		v.sub = v.xid
	default:
		if r.rng.IntN(2) == 0 {
			v.coming = append(v.coming, told{'R', exampleRelation("never"), v.sub})
		}
		r.block(v)
		r.send('A', be32(be32(nil, v.xid), v.sub))
		v.rows, v.sub, v.sent = v.before, v.xid, false
	}
}

func clone(m map[int]string) map[int]string {
	out := map[int]string{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// end commits a transaction or takes it back.
func (r *rivals) end(i int) {
	v := r.open[i]
	r.open = append(r.open[:i], r.open[i+1:]...)
	r.block(v)
	if r.rng.IntN(4) == 0 {
		r.send('A', be32(be32(nil, v.xid), v.xid))
		return
	}
	r.lsn += 10
	r.send('c', be64(be64(be64(append(be32(nil, v.xid), 0), r.lsn), r.lsn+1), 7))
	r.knows = r.knows || v.sent
	for id := range r.want {
		if id < 1000 && id%8 == int(v.xid%8) {
			delete(r.want, id)
		}
	}
	for id, text := range v.rows {
		r.want[id] = text
	}
}

// small sends a transaction that comes when it has ended, of rows that nobody else has.
func (r *rivals) small() {
	r.lsn += 10
	r.send('B', be32(be64(be64(nil, r.lsn), 7), 1))
	if !r.knows {
		r.send('R', exampleRelation())
		r.knows = true
	}
	id := 1000 + r.rng.IntN(5)
	kind := byte('I')
	if _, there := r.want[id]; there {
		kind = 'U'
	}
	r.want[id] = fmt.Sprint("small ", r.lsn)
	r.send(kind, append(append(be32(nil, 1), 'N'), tupleBytes(strconv.Itoa(id), "5", r.want[id])...))
	r.send('C', be64(be64(be64([]byte{0}, r.lsn), r.lsn+1), 7))
}

func (r *rivals) step() {
	if len(r.open) < 6 && r.rng.IntN(5) == 0 {
		if r.xid++; !r.taken(r.xid % 8) {
			v := &rival{xid: r.xid, sub: r.xid, rows: map[int]string{}}
			for id, text := range r.want {
				if id < 1000 && id%8 == int(v.xid%8) {
					v.rows[id] = text
				}
			}
			r.open = append(r.open, v)
		}
	}
	if r.rng.IntN(6) == 0 {
		r.small()
	}
	if len(r.open) == 0 {
		return
	}
	i := r.rng.IntN(len(r.open))
	switch v := r.open[i]; r.rng.IntN(12) {
	case 0:
		r.end(i)
	case 1, 2:
		r.subtransaction(v)
	case 3:
		r.block(v)
	default:
		r.change(v)
	}
}

func (r *rivals) taken(rest uint32) bool {
	for _, v := range r.open {
		if v.xid%8 == rest {
			return true
		}
	}
	return false
}

// opened is a stream of the table of example whose transactions come while they are open.
func opened(t *testing.T, memory int64) (*stream, *gatherer) {
	t.Helper()
	s, err := New(Config{Publication: "p", Slot: "s", Spill: &spool.Options{Dir: t.TempDir(), Prefix: "s", Memory: memory}})
	if err != nil {
		t.Fatal(err)
	}
	tab := example(true)
	tab.joined = 1
	s.tables[tab.id] = tab
	out := newGatherer()
	r := &reader{Source: s, out: out}
	r.reset()
	st := &stream{reader: r, byOID: map[uint32]*table{}}
	st.makePool()
	return st, out
}

// TestOpenTransactions holds random transactions that come while they are open, side by side, in blocks, with subtransactions that are
// aborted and descriptions of tables that come with them, in memory and on the disk, to the rows that those leave that commit.
func TestOpenTransactions(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		s, out := opened(t, int64(seed%3)*2000)
		r := &rivals{t: t, rng: rand.New(rand.NewPCG(seed, 3)), s: s, want: map[int]string{}, lsn: 100}

		for step := range 1500 {
			r.step()
			if r.rng.IntN(20) > 0 {
				continue
			}
			if err := s.push(t.Context()); err != nil {
				t.Fatal(err)
			}

			same(t, fmt.Sprintf("seed %d, step %d", seed, step), out.rows, r.want)
		}
		for len(r.open) > 0 {
			r.end(0)
		}
		if s.pool.Held() != 0 || s.pool.Written() != 0 || len(s.opens) != 0 {
			t.Errorf("seed %d: %d bytes, %d on the disk, of %d transactions are left", seed, s.pool.Held(), s.pool.Written(), len(s.opens))
		}
	}
}

func same(t *testing.T, when string, rows map[string]int64, want map[int]string) {
	t.Helper()
	if len(rows) != len(want) {
		t.Fatalf("%s: %d rows, want %d", when, len(rows), len(want))
	}
	for id, text := range want {
		row := repr.AppendRow(nil, []repr.Datum{repr.IntOf(repr.KindInt4, int64(id)), repr.IntOf(repr.KindInt8, 5), repr.Text(text)})
		if rows[string(row)] != 1 {
			t.Fatalf("%s: row %d is not there as %q", when, id, text)
		}
	}
}

// TestOpenWrongly holds that messages that cannot follow each other are an error, and none is passed over.
func TestOpenWrongly(t *testing.T) {
	t.Parallel()
	begin, commit := be32(be64(be64([]byte{'B'}, 9), 7), 1), be64(be64(be64([]byte{'C', 0}, 9), 10), 7)
	start, stop := append(be32([]byte{'S'}, 5), 1), []byte{'E'}
	end := be64(be64(be64(append(be32([]byte{'c'}, 5), 0), 9), 10), 7)
	for name, messages := range map[string][][]byte{
		"a block in a transaction": {begin, start}, "a block in a block": {start, start}, "the end of no block": {stop},
		"a transaction in a block": {start, begin}, "the end of a transaction in a block": {start, commit}, "the end of what was never open": {end},
		"an end in a block": {start, end}, "an abort in a transaction": {begin, be32(be32([]byte{'A'}, 5), 5)},
		"a cut start": {start[:3]}, "a cut change": {start, {'I', 0}}, "a cut end": {start, stop, end[:20]},
		"a change that does not parse": {start, {'I', 0, 0, 0, 5, 1}, stop, end},
	} {
		s, _ := opened(t, 0)
		var err error
		for _, m := range messages {
			if err != nil {
				t.Errorf("%s: %v before its end", name, err)
			}
			err = s.message(t.Context(), m)
		}
		if !errors.Is(err, errMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// little is a disk on which some bytes are free.
type little struct {
	disk.System
	free uint64
}

func (l *little) Free(string) (uint64, error) { return l.free, nil }

// TestOpenFull holds that a full disk stalls the source, nothing is left of what was open, and it goes on when there is space.
func TestOpenFull(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, 0)
	on := &little{free: 1 << 20}
	s.cfg.Spill.FS, s.cfg.Spill.Spare = on, 1<<20
	s.makePool()
	if err := s.message(t.Context(), append(be32([]byte{'S'}, 5), 1)); err != nil {
		t.Fatal(err)
	}
	insert := append(append(be32(be32([]byte{'I'}, 5), 1), 'N'), tupleBytes("1", "5", "x")...)
	e := explain(s.message(t.Context(), insert), s.address())
	if e.Code != "53100" || !canMend(e) {
		t.Errorf("a full disk: %+v", e)
	}
	s.dropOpen()
	if s.pool.Held() != 0 || s.pool.Written() != 0 {
		t.Error("something is left")
	}
	if e := explain(s.checkSpace(), s.address()); e.Code != "53100" {
		t.Errorf("the disk is still full: %+v", e)
	}
	on.free = 2 << 20
	if err := s.checkSpace(); err != nil || s.needed != 0 {
		t.Errorf("there is space: %v", err)
	}
}

// TestFresh holds that tables that came into the publication are named until they are read, and those of the beginning never.
func TestFresh(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, 0)
	r := s.reader
	there := map[uint32]published{1: {name: "public.t"}, 2: {name: "public.left_out"}}
	is := func(want string) {
		t.Helper()
		if r.noteFresh(there); want == "" && r.fresh != "" || !strings.Contains(r.fresh, want) {
			t.Errorf("the hint is %q, want %q", r.fresh, want)
		}
	}
	is("")
	there[9], there[8] = published{name: "public.b"}, published{name: `public."A"`}
	is(`not read: public."A", public.b; CREATE TABLE … FROM SOURCE … (REFERENCE public."A")`)
	tab := example(true)
	tab.id, tab.up.OID = 2, 8
	s.tables[2] = tab
	is("not read: public.b;")
	delete(s.tables, 2) // it was dropped here
	is("not read: public.b;")
	delete(there, 9)
	is("")
	if !slices.Equal(r.identity.Seen, []uint32{1, 2, 8}) {
		t.Errorf("seen: %v", r.identity.Seen)
	}
	for id := range uint32(8) {
		there[20+id] = published{name: fmt.Sprint("public.x", id)}
	}
	is("public.x0, public.x1, public.x2, public.x3, public.x4, …;")
}
