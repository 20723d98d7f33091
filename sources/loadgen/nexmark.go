package loadgen

import (
	"millrace/sources/generator"
	"millrace/sources/generator/nexmark"
)

// site is the auction site of the Nexmark benchmark; a step is an event.
type site struct {
	seed   uint64
	micros int64
	n      int64
}

func newNexmark(cfg *Config) (world, error) {
	return &site{seed: cfg.Seed, micros: max(cfg.Interval.Microseconds(), 1)}, nil
}

func (*site) tables() []generator.Table { return nexmark.Tables }

func (*site) first() int64 { return 0 }

func (s *site) seek(step int64) { s.n = step }

func (s *site) next(at func(int64) int64) []generator.Change {
	e := nexmark.At(s.seed, s.n, s.micros, at(s.n)/1000)
	s.n++
	return []generator.Change{e.Change()}
}
