package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources"
	"millrace/sources/generator"
)

// defaultInterval is that between two steps when the statement says none.
const defaultInterval = time.Second

// Source is a generator that fills the source itself.
type Source struct {
	cfg   Config
	kind  *kind
	clock clock.Clock
	world world
	times calendar
	at    int64 // the step that comes next; what is below was handed over
	last  int64 // there are no steps from here on

	mu      sync.Mutex // guards the fields below
	tables  map[uint64]*table
	gone    [][]byte // rows of what is kept that are so no longer
	follows map[uint64]bool
	changed chan struct{} // has something in it when tables came or went
}

// Tables is a generator that fills tables.
type Tables struct{ *Source }

// table is a table that is fed.
type table struct {
	id      uint64
	which   int  // in the world's list
	partial bool // it may hold a part of its first content
	follows bool // it holds what all steps below at have made
	told    bool // that its first content is complete
}

// New makes the generator that a statement asks for. What it gives has to be *Source or *Tables.
func New(cfg Config, c clock.Clock) (sources.Described, error) {
	k, err := kindOf(cfg.Generator)
	if err == nil {
		err = k.check(&cfg)
	}
	if err != nil {
		return nil, err
	}
	if !cfg.Paced {
		cfg.Interval = defaultInterval
	}
	w, e := k.make(&cfg)
	if e != nil {
		return nil, e
	}
	s := &Source{cfg: cfg, kind: k, clock: c, world: w, tables: map[uint64]*table{}, follows: map[uint64]bool{}, changed: make(chan struct{}, 1)}
	s.times = calendar{first: w.first(), interval: cfg.Interval.Microseconds()}
	s.last = math.MaxInt64
	switch {
	case cfg.UpTo > 0:
		s.last = w.first() + cfg.UpTo
	case k.still && !cfg.Paced:
		s.last = w.first()
	}
	if k.single {
		return s, nil
	}
	return &Tables{s}, nil
}

// Describe gives the columns of the source; one that fills tables has none.
func (s *Source) Describe(context.Context) (cols repr.RowDesc, keys [][]int, err error) {
	if !s.kind.single {
		return nil, nil, nil
	}
	t := s.world.tables()[0]
	return t.Columns, keysOf(&t), nil
}

func keysOf(t *generator.Table) [][]int {
	if len(t.Key) == 0 {
		return nil
	}
	return [][]int{t.Key}
}

// Grows says whether nothing is taken back.
func (s *Source) Grows() bool { return s.kind.single && s.cfg.Cardinality == 0 }

// Schemas are none.
func (s *Source) Schemas() (value, key string) { return "", "" }

// Offers are the tables of the world, in a schema of its name.
func (t *Tables) Offers(context.Context) ([]sources.Offer, error) {
	var out []sources.Offer
	for _, w := range t.world.tables() {
		out = append(out, sources.Offer{Schema: strings.ToLower(t.kind.name), Name: w.Name, Columns: w.Columns, Keys: keysOf(&w), Upstream: w.Name})
	}
	return out, nil
}

// Feed adds a table.
func (t *Tables) Feed(fed sources.Table) error {
	for i, w := range t.world.tables() {
		if w.Name != fed.Upstream {
			continue
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.tables[fed.ID] = &table{id: fed.ID, which: i, partial: fed.Rows != nil, follows: t.follows[fed.ID]}
		t.wake()
		return nil
	}
	return fmt.Errorf("load generator %s has no table %q", t.kind.name, fed.Upstream)
}

// Starve takes a table away.
func (t *Tables) Starve(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.follows[id] {
		delete(t.follows, id)
		t.gone = append(t.gone, tableRow(id))
	}
	delete(t.tables, id)
	t.wake()
}

func (s *Source) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

const tableWord = "table"

func tableRow(id uint64) []byte { return []byte(tableWord + " " + strconv.FormatUint(id, 10)) }

// Restore takes what was kept: when the steps happened, and which tables have all that they changed.
func (s *Source) Restore(rows iter.Seq2[[]byte, repr.Diff]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for row := range rows {
		fields := bytes.Fields(row)
		switch {
		case len(fields) == 3 && string(fields[0]) == calendarWord:
			if err := s.times.restore(fields[1:]); err != nil {
				return fmt.Errorf("read the calendar of a load generator: %w", err)
			}
		case len(fields) == 2 && string(fields[0]) == tableWord:
			id, err := strconv.ParseUint(string(fields[1]), 10, 64)
			if err != nil {
				return fmt.Errorf("read the tables of a load generator: %w", err)
			}
			s.follows[id] = true
		default:
			return fmt.Errorf("what is kept of a load generator does not parse: %q", row)
		}
	}
	return nil
}
