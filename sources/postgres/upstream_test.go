package postgres

import (
	"testing"

	"millrace/repr"
)

// TestTypeOf holds what becomes of types of the other side: domains and arrays of what we know and of what we do not.
func TestTypeOf(t *testing.T) {
	t.Parallel()
	const (
		mood, moods, positive, positives, price, tags, matrix = 50_000 + iota, 50_010 + iota, 50_020 + iota, 50_030 + iota, 50_040 + iota, 50_050 + iota, 50_060 + iota
		numericMod                                            = 10<<16 | 2 + 4
	)
	types := map[uint32]composed{
		1007: {base: 23, mod: -1, isArray: true}, 1041: {base: 869, mod: -1, isArray: true},
		moods: {base: mood, mod: -1, isArray: true}, positive: {base: 23, mod: -1}, positives: {base: positive, mod: -1, isArray: true},
		price: {base: 1700, mod: numericMod}, tags: {base: moods, mod: -1}, matrix: {base: positives, mod: -1, isArray: true},
	}
	for _, c := range []struct {
		oid  uint32
		mod  int32
		want string
	}{
		{23, -1, "integer"}, {1043, 24, "character varying"}, {1042, 8, "character(4)"}, {1700, numericMod, "numeric(10,2)"}, {1184, 3, "timestamp with time zone"},
		{1007, -1, "integer[]"}, {869, -1, "text"}, {1041, -1, "text[]"}, {mood, -1, "text"}, {moods, -1, "text[]"},
		{positive, -1, "integer"}, {positives, -1, "integer[]"}, {price, -1, "numeric(10,2)"}, {tags, -1, "text[]"}, {matrix, -1, "text"},
		{1231, -1, "numeric[]"}, {2205, -1, "text"}, {600, -1, "text"}, {1020, -1, "text"},
	} {
		if got := typeOf(c.oid, c.mod, types); got.String() != c.want {
			t.Errorf("type %d with modifier %d is %s here, want %s", c.oid, c.mod, got, c.want)
		}
	}
}

// TestModifier holds that a number that gets more digits behind the point there is of another type, and a longer text is not.
func TestModifier(t *testing.T) {
	t.Parallel()
	const scale2, scale4 = 5<<16 | 2 + 4, 10<<16 | 4 + 4
	number := repr.TypeOf(repr.KindNumeric)
	number.Mod = scale2
	for _, c := range []struct {
		typ  repr.Type
		was  upstreamed
		is   relationColumn
		fits bool
	}{
		{number, upstreamed{Name: "c", Number: 1, Type: 1700, Mod: scale2}, relationColumn{"c", 1700, scale2}, true},
		{number, upstreamed{Name: "c", Number: 1, Type: 1700, Mod: scale2}, relationColumn{"c", 1700, scale4}, false},
		{number, upstreamed{Name: "c", Number: 1, Type: 1700}, relationColumn{"c", 1700, scale4}, true}, // not written down
		{repr.TypeOf(repr.KindVarchar), upstreamed{Name: "c", Number: 1, Type: 1043, Mod: 9}, relationColumn{"c", 1043, 54}, true},
		{repr.TypeOf(repr.KindVarchar), upstreamed{Name: "c", Number: 1, Type: 1043, Mod: 9}, relationColumn{"c", 25, -1}, false},
	} {
		tab := newTable(1, &upstream{Schema: "public", Name: "t", Columns: []upstreamed{c.was}}, repr.RowDesc{{Name: "c", Type: c.typ}})
		if _, _, err := tab.describe(&relation{columns: []relationColumn{c.is}}, nil); (err == nil) != c.fits {
			t.Errorf("%v as %v: %v", c.was, c.is, err)
		}
	}
}

// TestStays holds that what puts a table into a publication has to be there all the time.
func TestStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		was, now []int64
		want     bool
	}{
		{nil, nil, true}, {[]int64{1}, []int64{1}, true}, {[]int64{1}, []int64{2}, false}, {[]int64{1, 2}, []int64{3, 2}, true},
		{[]int64{1}, nil, false}, {nil, []int64{1}, true},
	} {
		if got := stays(c.was, c.now); got != c.want {
			t.Errorf("from %v to %v: %v", c.was, c.now, got)
		}
	}
}

// TestExplain holds that an address that does not answer is told with the reason, once.
func TestExplain(t *testing.T) {
	t.Parallel()
	at := Address{Host: "127.0.0.1", Port: 1, User: "u", Database: "d"}
	_, err := at.connect(t.Context(), false)
	st := stateOf(statusStalled, explain(err, at))
	if st.Error != "cannot reach PostgreSQL at 127.0.0.1:1/d (dial tcp 127.0.0.1:1: connect: connection refused)" || st.Hint == "" {
		t.Errorf("got %+v", st)
	}
}
