package postgres

import (
	"strings"
	"testing"
)

// TestMoved holds what becomes of partitions that the stream does not tell.
func TestMoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		was  map[uint32]int64
		now  map[uint32]leaf
		says string
		then int // partitions that are written down
	}{
		{nil, map[uint32]leaf{1: {file: 10}}, "", 1},
		{nil, nil, "", 0},
		{map[uint32]int64{1: 10}, nil, "", 1},
		{map[uint32]int64{1: 10}, map[uint32]leaf{}, "detached", 1},
		{map[uint32]int64{}, map[uint32]leaf{1: {file: 10}}, "attached", 0},
		{map[uint32]int64{}, map[uint32]leaf{1: {file: 10, made: true}}, "", 1},
		{map[uint32]int64{1: 10}, map[uint32]leaf{1: {file: 10}, 2: {file: 11, made: true}}, "", 2},
		{map[uint32]int64{1: 10}, map[uint32]leaf{1: {file: 10}, 2: {file: 11}}, "attached", 1},
		{map[uint32]int64{1: 10, 2: 11}, map[uint32]leaf{1: {file: 10}}, "detached", 2},
		{map[uint32]int64{1: 10}, map[uint32]leaf{1: {file: 12, made: true}}, "truncated", 1},
	} {
		tab := &table{up: &upstream{Schema: "public", Name: "t", Leaves: c.was}}
		if says := tab.moved(c.now); (says == "") != (c.says == "") || !strings.Contains(says, c.says) || len(tab.up.Leaves) != c.then {
			t.Errorf("from %v to %v: %q, %d are written down", c.was, c.now, says, len(tab.up.Leaves))
		}
	}
}
