package generate

import (
	"fmt"
	"io"

	"millrace/sources/generator"
)

// pair is a row of two columns.
type pair struct{ key, val int64 }

// The tables of a join2 file.
const (
	tableLeft = iota
	tableRight
)

// KV writes updates of a table (k, v): three of four insert a random key below keys with a value never used
// before, the fourth deletes a row that is there.
func KV(w io.Writer, updates, keys int64) error {
	if err := positive("kv", updates, keys); err != nil {
		return err
	}
	c, out := &generator.Chance{State: 7}, newRecorder(w)
	out.ints(updates)
	var live []pair
	for i := range updates {
		if len(live) > 0 && c.OneIn(4) {
			at := c.Below(int64(len(live)))
			out.ints(live[at].key, live[at].val, -1)
			live = removeUnordered(live, at)
			continue
		}
		row := pair{key: c.Below(keys), val: i}
		out.ints(row.key, row.val, 1)
		live = append(live, row)
	}
	return out.flush("kv")
}

// Join2Sizes says how many rows a join2 file loads into each table, and how many it updates after that.
type Join2Sizes struct {
	Left, Right, LeftUpdates, RightUpdates int64
}

// Join2 writes two tables to join, l with a unique key and r with a key of l: first all rows, Right/Left rows of
// r after each of l, then updates in random order, each a deletion and an insertion.
func Join2(w io.Writer, n Join2Sizes) error {
	if err := positive("join2", n.Left, n.Right, n.LeftUpdates, n.RightUpdates); err != nil {
		return err
	}
	if n.Right%n.Left != 0 {
		return fmt.Errorf("generate join2: %d rows of r are not a multiple of %d rows of l", n.Right, n.Left)
	}
	j := joiner{Chance: &generator.Chance{State: 11}, recorder: newRecorder(w), left: make([]int64, n.Left)}
	j.ints(n.Left+n.Right+2*(n.LeftUpdates+n.RightUpdates), n.Left+n.Right)
	j.load(n.Right)
	pending := n.LeftUpdates
	for todo := n.LeftUpdates + n.RightUpdates; todo > 0; todo-- {
		if j.Below(todo) < pending {
			pending--
			j.updateLeft()
		} else {
			j.updateRight()
		}
	}
	return j.flush("join2")
}

// joiner holds the content of both tables: the value of each key of l, and the rows of r.
type joiner struct {
	*generator.Chance
	*recorder
	left  []int64
	right []pair
	fresh int64 // the next value of r, never used before
}

func (j *joiner) load(right int64) {
	keys := j.shuffledKeys()
	j.right = make([]pair, 0, right)
	for _, key := range keys {
		j.left[key] = key * 7
		j.ints(tableLeft, key, j.left[key], 1)
		for range right / int64(len(keys)) {
			row := j.newRight()
			j.right = append(j.right, row)
			j.ints(tableRight, row.key, row.val, 1)
		}
	}
}

// shuffledKeys is Fisher and Yates's shuffle, from the end.
func (j *joiner) shuffledKeys() []int64 {
	keys := make([]int64, len(j.left))
	for i := range keys {
		keys[i] = int64(i)
	}
	for i := len(keys) - 1; i > 0; i-- {
		k := j.Below(int64(i) + 1)
		keys[i], keys[k] = keys[k], keys[i]
	}
	return keys
}

func (j *joiner) newRight() pair {
	row := pair{key: j.Below(int64(len(j.left))), val: j.fresh}
	j.fresh++
	return row
}

func (j *joiner) updateLeft() {
	key := j.Below(int64(len(j.left)))
	j.ints(tableLeft, key, j.left[key], -1)
	j.left[key]++
	j.ints(tableLeft, key, j.left[key], 1)
}

func (j *joiner) updateRight() {
	at := j.Below(int64(len(j.right)))
	old := j.right[at]
	j.ints(tableRight, old.key, old.val, -1)
	j.right[at] = j.newRight()
	j.ints(tableRight, j.right[at].key, j.right[at].val, 1)
}

// removeUnordered fills the gap with the last element.
func removeUnordered[T any](list []T, at int64) []T {
	last := len(list) - 1
	list[at] = list[last]
	return list[:last]
}
