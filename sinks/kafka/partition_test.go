package kafka

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// places are the partitions of the committed records of the topic, by key and value.
func (w *world) places() map[string][]int32 {
	w.t.Helper()
	out := map[string][]int32{}
	for _, r := range w.records("out", kgo.ReadCommitted()) {
		line := fmt.Sprintf("%s=%s", r.Key, r.Value)
		out[line] = append(out[line], r.Partition)
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

// TestPartitionBy: records go where those go whose key are the texts of the columns, in every envelope, and what is taken back after a
// restart goes where it was.
func TestPartitionBy(t *testing.T) {
	t.Parallel()
	const partitions = 7
	at := func(text string) int32 {
		return int32(kgo.StickyKeyPartitioner(nil).ForTopic("out").Partition(&kgo.Record{Key: []byte(text)}, partitions))
	}
	first := map[string]int64{string(row(1, "a", 10)): 1, string(row(2, "", 20)): 1, string(row(4, "d", 40)): 1}
	later := map[string]int64{string(row(1, "a", 11)): 1, string(row(3, "c", 30)): 1, string(row(4, "d", 40)): 1}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   map[string]int32
	}{
		{"upsert", func(c *Config) { c.Envelope, c.Key, c.PartitionBy = Upsert, []int{0, 1}, []int{1} }, map[string]int32{
			`{"id":1,"name":"a"}={"id":1,"name":"a","qty":10}`: at("a"), `{"id":2,"name":null}={"id":2,"name":null,"qty":20}`: at("[null]"),
			`{"id":4,"name":"d"}={"id":4,"name":"d","qty":40}`: at("d"), `{"id":1,"name":"a"}={"id":1,"name":"a","qty":11}`: at("a"),
			`{"id":2,"name":null}=`: at("[null]"), `{"id":3,"name":"c"}={"id":3,"name":"c","qty":30}`: at("c")}},
		{"rows", func(c *Config) { c.Envelope, c.Force, c.PartitionBy = Append, true, []int{2, 0} }, map[string]int32{
			`={"id":1,"name":"a","qty":10}`: at(`["10","1"]`), `={"id":2,"name":null,"qty":20}`: at(`["20","2"]`), `={"id":4,"name":"d","qty":40}`: at(`["40","4"]`),
			`={"id":1,"name":"a","qty":11}`: at(`["11","1"]`), `={"id":3,"name":"c","qty":30}`: at(`["30","3"]`)}},
		{"debezium", func(c *Config) { c.Key, c.PartitionBy = []int{0}, []int{0} }, map[string]int32{
			`{"id":1}={"before":null,"after":{"id":1,"name":"a","qty":10}}`: at("1"), `{"id":2}={"before":null,"after":{"id":2,"name":null,"qty":20}}`: at("2"),
			`{"id":4}={"before":null,"after":{"id":4,"name":"d","qty":40}}`:                         at("4"),
			`{"id":1}={"before":{"id":1,"name":"a","qty":10},"after":{"id":1,"name":"a","qty":11}}`: at("1"),
			`{"id":2}={"before":{"id":2,"name":null,"qty":20},"after":null}`:                        at("2"), `{"id":3}={"before":null,"after":{"id":3,"name":"c","qty":30}}`: at("3")}},
		{"debezium without a key", func(c *Config) { c.PartitionBy = []int{1} }, map[string]int32{
			`={"before":null,"after":{"id":1,"name":"a","qty":10}}`: at("a"), `={"before":null,"after":{"id":2,"name":null,"qty":20}}`: at("[null]"),
			`={"before":null,"after":{"id":4,"name":"d","qty":40}}`: at("d"), `={"before":{"id":1,"name":"a","qty":10},"after":null}`: at("a"),
			`={"before":{"id":2,"name":null,"qty":20},"after":null}`: at("[null]"),
			`={"before":null,"after":{"id":1,"name":"a","qty":11}}`:  at("a"), `={"before":null,"after":{"id":3,"name":"c","qty":30}}`: at("c")}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " restart ", restart), func(t *testing.T) {
				t.Parallel()
				w, v := newWorld(t), view{}
				cfg := w.config(JSON, nil)
				cfg.Partitions = partitions
				c.change(&cfg)
				r := w.run(cfg)
				r.send(tick(5, v, first))
				if restart {
					r.finish()
					r = w.run(cfg)
					r.send(tick(9, view{}, later))
				} else {
					diffs := maps.Clone(later)
					for line, n := range first {
						if diffs[line] -= n; diffs[line] == 0 {
							delete(diffs, line)
						}
					}
					r.send(tick(9, v, diffs))
				}
				r.finish()
				got := w.places()
				for line, partition := range c.want {
					if !slices.Equal(got[line], []int32{partition}) {
						t.Errorf("%s is in partitions %v, want %d", line, got[line], partition)
					}
				}
				if len(got) != len(c.want) {
					t.Errorf("there are %v", got)
				}
			})
		}
	}
}

// TestPartitionByRefuses: columns by which the changes of one key would not stay together.
func TestPartitionByRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, change := range map[string]func(*Config){
		`PARTITION BY wants columns of the key, and "qty" is none`: func(c *Config) { c.Envelope, c.Key, c.PartitionBy = Upsert, []int{0}, []int{0, 2} },
		`and "name" is none`:        func(c *Config) { c.Key, c.PartitionBy = []int{0}, []int{1} },
		`column "id" appears twice`: func(c *Config) { c.Envelope, c.PartitionBy = Append, []int{0, 0} },
	} {
		cfg := w.config(JSON, nil)
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	cfg := w.config(JSON, []int{0})
	cfg.Envelope, cfg.PartitionBy = Append, []int{2}
	if _, err := New(cfg); err != nil {
		t.Error(err)
	}
}
