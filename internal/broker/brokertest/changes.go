package brokertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Changes is what the committed records of a topic add up to, in which a sink writes changes as JSON with the row before and after each.
type Changes struct {
	// Stop ends the reading before the test does.
	Stop func()

	mu   sync.Mutex // guards rows
	rows map[string]int
}

// FollowChanges adds up a topic as its records come.
func FollowChanges(t testing.TB, addr, topic string) *Changes {
	t.Helper()
	c := &Changes{rows: map[string]int{}}
	c.Stop = Follow(t, addr, topic, c.take)
	return c
}

func (c *Changes) take(rec *kgo.Record) {
	var change struct{ Before, After map[string]any }
	err := decode(rec.Value, &change)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.rows[err.Error()]++ // which no row of a view is
		return
	}
	add(c.rows, change.Before, -1)
	add(c.rows, change.After, 1)
}

// Is says whether the topic adds up to rows, in JSON, one a line.
func (c *Changes) Is(rows string) error {
	off := map[string]int{}
	for line := range strings.Lines(rows) {
		var row map[string]any
		if err := decode([]byte(line), &row); err != nil {
			return err
		}
		add(off, row, -1)
	}
	want := len(off)
	c.mu.Lock()
	defer c.mu.Unlock()
	for row, n := range c.rows {
		if off[row] += n; off[row] == 0 {
			delete(off, row)
		}
	}
	for row, n := range off {
		return fmt.Errorf("the topic adds up to %d different rows, want %d; among them is %s %+d times too often", len(c.rows), want, row, n)
	}
	return nil
}

// decode reads JSON, numbers digit by digit.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// add counts a row, if there is one, under a text that is the same however its JSON was written.
func add(rows map[string]int, row map[string]any, n int) {
	if row == nil {
		return
	}
	key := fmt.Sprint(row)
	if rows[key] += n; rows[key] == 0 {
		delete(rows, key)
	}
}
