package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// gathered is the updates that many records have of one collection. The rows stay where they are, in the bodies of the
// records; what is sorted is where they begin, by some of their bytes that tell them apart.
type gathered struct {
	bodies  [][]byte
	entries []entry
	first   []byte // a row, and how many bytes all rows begin with alike
	alike   int
	size    int64 // of the rows as they are encoded
	live    int64 // see run
}

// entry is a row, encoded as records have it, in one of the bodies.
type entry struct {
	key      uint64
	body, at uint32
}

const entryBytes = 16

// rows takes the rows of a change off the body of a record.
func (g *gathered) rows(r *reader, body []byte) {
	n := r.count()
	if n == 0 {
		return
	}
	in := uint32(len(g.bodies))
	g.bodies = append(g.bodies, body)
	g.entries = slices.Grow(g.entries, n)
	g.size += int64(len(r.b))
	var row []byte
	for i := range n {
		at := len(body) - len(r.b)
		var diff int64
		row, diff = r.row()
		g.live += liveBytes(row, diff)
		if i == 0 { // the rows of a change are in order: what the first and the last share, all share
			g.share(row)
		}
		g.entries = append(g.entries, entry{body: in, at: uint32(at)})
	}
	g.share(row)
	g.size -= int64(len(r.b))
}

// share notes what a row begins with.
func (g *gathered) share(row []byte) {
	if g.first == nil {
		g.first, g.alike = row, len(row)
		return
	}
	g.alike = min(g.alike, len(row))
	for i := range g.alike {
		if g.first[i] != row[i] {
			g.alike = i
			return
		}
	}
}

// row is the row of an entry, which was parsed before.
func (g *gathered) row(e entry) (row []byte, diff int64, size int) {
	return rowAt(g.bodies[e.body][e.at:])
}

// sort brings the entries into the order of their rows. room is used meanwhile and returned, larger perhaps.
func (g *gathered) sort(room []entry) []entry {
	if cap(room) < len(g.entries) {
		room = make([]entry, len(g.entries))
	}
	g.sortFrom(g.entries, room[:len(g.entries)], g.alike)
	return room
}

// fewEntries is up to how many entries are sorted by comparing.
const fewEntries = 48

// sortFrom sorts entries whose rows are alike up to a byte: by eight of the bytes from there in which they differ, or the first
// few of these if they tell enough of them apart, and those that are alike in what they were sorted by again.
func (g *gathered) sortFrom(list, room []entry, from int) {
	if len(list) <= fewEntries {
		slices.SortFunc(list, g.compare)
		return
	}
	k, longer := g.keysFor(list, from)
	for i, e := range list {
		row, _, _ := g.row(e)
		list[i].key = k.of(row)
	}
	left := radix(list, room)
	for lo := 0; lo < len(list); {
		hi := lo + 1
		for hi < len(list) && list[hi].key>>left == list[lo].key>>left {
			hi++
		}
		switch group := list[lo:hi]; {
		case len(group) == 1:
		case len(group) <= fewEntries:
			slices.SortFunc(group, g.compareKeys)
		case left > 0:
			g.sortFrom(group, room[lo:hi], k.picks[len(k.picks)-left/8])
		case longer:
			g.sortFrom(group, room[lo:hi], k.end)
		default:
			slices.SortFunc(group, g.compare)
		}
		lo = hi
	}
}

// keySpan is among how many bytes those are looked for in which rows differ: integers begin with many that all rows share.
const keySpan = 32

// keys is which bytes of a row make its key.
type keys struct {
	picks []int
	end   int // the bytes before are alike in rows whose keys are
}

// keysFor says which bytes of the rows from a byte on make good keys; longer says that there are more of them behind these.
func (g *gathered) keysFor(list []entry, from int) (k keys, longer bool) {
	var first, differ [keySpan]byte
	most := 0
	for i, e := range list {
		row, _, _ := g.row(e)
		most = max(most, len(row))
		var b [keySpan]byte
		if from < len(row) {
			copy(b[:], row[from:])
		}
		if i == 0 {
			first = b
		}
		for at := 0; at < keySpan; at += 8 {
			x := binary.NativeEndian.Uint64(b[at:]) ^ binary.NativeEndian.Uint64(first[at:])
			binary.NativeEndian.PutUint64(differ[at:], binary.NativeEndian.Uint64(differ[at:])|x)
		}
	}
	k.end = from + keySpan
	for i, d := range differ {
		if d == 0 {
			continue
		}
		if len(k.picks) == 8 {
			k.end = from + i
			break
		}
		k.picks = append(k.picks, from+i)
	}
	return k, most > k.end
}

// of is the key of a row; bytes behind its end count as zeros.
func (k *keys) of(row []byte) uint64 {
	key := uint64(0)
	for _, at := range k.picks {
		key <<= 8
		if at < len(row) {
			key |= uint64(row[at])
		}
	}
	return key
}

func (g *gathered) compare(a, b entry) int {
	x, _, _ := g.row(a)
	y, _, _ := g.row(b)
	return bytes.Compare(x, y)
}

// compareKeys compares entries that have keys for the same bytes.
func (g *gathered) compareKeys(a, b entry) int {
	if a.key != b.key {
		return cmp.Compare(a.key, b.key)
	}
	return g.compare(a, b)
}

// radix sorts entries by the first bytes of their keys, a byte at a time from the last of these; bytes in which all keys agree cost
// nothing. So many are taken that few entries are alike in all of them; left is how many bits are behind these. What is in order
// already is left.
func radix(list, room []entry) (left int) {
	var counts [8][256]uint32
	sorted := true
	before := uint64(0)
	for i := range list {
		k := list[i].key
		sorted = sorted && before <= k
		before = k
		for d := range counts {
			counts[d][byte(k>>(8*d))]++
		}
	}
	if sorted {
		return 0
	}
	first := enough(&counts, len(list))
	from, to := list, room
	for d := first; d < len(counts); d++ {
		c := &counts[d]
		shift := 8 * d
		if c[byte(list[0].key>>shift)] == uint32(len(list)) {
			continue
		}
		at := uint32(0)
		for b := range c {
			c[b], at = at, at+c[b]
		}
		for _, e := range from {
			b := byte(e.key >> shift)
			to[c[b]] = e
			c[b]++
		}
		from, to = to, from
	}
	if &from[0] != &list[0] {
		copy(list, from)
	}
	return 8 * first
}

// alikeFew is how many times as many keys there can be as there are entries before few are taken to be alike.
const alikeFew = 4

// enough says from which byte on keys are sorted, the last byte being the first: the values that the bytes have, were they independent,
// make enough keys.
func enough(counts *[8][256]uint32, n int) int {
	keys := 1
	for d := len(counts) - 1; d > 0; d-- {
		values := 0
		for _, c := range counts[d] {
			if c > 0 {
				values++
			}
		}
		if keys *= values; keys >= alikeFew*n {
			return d
		}
	}
	return 0
}

// gatheredStream is the stream of gathered rows that are sorted: each once, with the sum of its counts.
type gatheredStream struct {
	g       *gathered
	at      int
	near    int // the rows before it are near the processor
	touched byte
	out     [2][]byte
	turn    int
}

func (s *gatheredStream) next() (block, error) {
	s.turn ^= 1
	b := block{body: s.out[s.turn][:0]}
	row, diff, span := s.peek()
	for span != nil && len(b.body) < blockSize {
		sum := diff
		var after, afterSpan []byte
		for {
			s.at++
			if after, diff, afterSpan = s.peek(); afterSpan == nil || !bytes.Equal(row, after) {
				break
			}
			sum, span = sum+diff, nil
		}
		switch {
		case sum == 0:
		case span != nil:
			b.body = append(b.body, span...)
			b.count(row, sum)
		default:
			b.body = appendRow(b.body, row, sum)
			b.count(row, sum)
		}
		row, span = after, afterSpan
	}
	s.out[s.turn] = b.body
	return b, nil
}

// peek is the next row, and it with its length and count; span is nil when there is none.
func (s *gatheredStream) peek() (row []byte, diff int64, span []byte) {
	if s.at >= s.near {
		s.fetch()
	}
	if s.at == len(s.g.entries) {
		return nil, 0, nil
	}
	e := s.g.entries[s.at]
	b := s.g.bodies[e.body][e.at:]
	row, diff, size := rowAt(b)
	return row, diff, b[:size]
}

// near is how many rows are fetched together: the processor waits for one row of them then, not for each.
const near = 64

// fetch touches the rows that come next, which lie anywhere in the records.
func (s *gatheredStream) fetch() {
	s.near = min(s.at+near, len(s.g.entries))
	for _, e := range s.g.entries[s.at:s.near] {
		b := s.g.bodies[e.body]
		s.touched += b[e.at] + b[min(int(e.at)+64, len(b)-1)]
	}
}

func (s *gatheredStream) weight() int64 { return s.g.size }

func (s *gatheredStream) damaged() error { return errBody }
