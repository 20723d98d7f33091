package loadgen

import (
	"cmp"
	"context"
	"slices"
	"time"

	"millrace/repr"
	"millrace/sources"
	"millrace/sources/generator"
)

const (
	// batchSteps and batchRows are how many steps and rows a batch has, about.
	batchSteps = 2_000
	batchRows  = 5_000
	// beat is the shortest wait: steps that are due closer together come together.
	beat = 5 * time.Millisecond
)

// Run hands over the steps that are due, from the given one on, until ctx ends.
func (s *Source) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	if s.at == 0 && from[0] > 0 {
		s.at = from[0]
		s.world.seek(s.at)
	}
	out.Report(sources.State{Status: "running"})
	for told := false; ctx.Err() == nil; {
		if err := s.fill(ctx, out); err != nil {
			return err
		}
		now := s.clock.Now().UnixMicro()
		due, begun := s.times.due(now, s.at)
		due = min(due, s.last)
		if due > s.at || begun || !told || s.untold() {
			told = true
			if err := s.hand(ctx, out, due, begun); err != nil {
				return err
			}
			continue
		}
		if err := s.wait(ctx, now); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wait waits until the next step is due, or tables come.
func (s *Source) wait(ctx context.Context, now int64) error {
	var due <-chan time.Time // none comes any more behind the last step
	if s.at < s.last {
		due = s.clock.After(max(time.Duration(s.times.at(s.at)-now)*time.Microsecond, beat))
	}
	select {
	case <-due:
	case <-s.changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// fed are the tables that have all that the steps so far have made, in order, and those that have not.
func (s *Source) fed() (follow, lack []*table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		if t.follows {
			follow = append(follow, t)
		} else {
			lack = append(lack, t)
		}
	}
	byID := func(a, b *table) int { return cmp.Compare(a.id, b.id) }
	slices.SortFunc(follow, byID)
	slices.SortFunc(lack, byID)
	return follow, lack
}

// untold says whether a table waits to hear that its first content is complete.
func (s *Source) untold() bool {
	follow, _ := s.fed()
	return s.at >= s.times.first && slices.ContainsFunc(follow, func(t *table) bool { return !t.told })
}

// hand hands over a batch of the steps below due.
func (s *Source) hand(ctx context.Context, out sources.Events, due int64, begun bool) error {
	b := &sources.Batch{State: s.drain()}
	if begun {
		b.State = append(b.State, sources.Update{Row: s.times.stretches[len(s.times.stretches)-1].row(), Diff: 1})
	}
	follow, _ := s.fed()
	parts := make([]sources.Part, len(follow))
	for i, t := range follow {
		parts[i].Table = t.id
	}
	at, rows := s.at, 0
	switch {
	case due <= at:
	case !s.kind.single && len(follow) == 0:
		at = due // nobody sees these steps
		s.world.seek(at)
	default:
		for ; at < due && at-s.at < batchSteps && rows < batchRows; at++ {
			for _, c := range s.world.next(s.times.at) {
				rows++
				s.give(b, parts, follow, c)
			}
		}
	}
	for i, t := range follow {
		if at >= s.times.first && !t.told {
			parts[i].Joined, t.told = true, true
		}
	}
	b.Parts = slices.DeleteFunc(parts, func(p sources.Part) bool { return len(p.Updates) == 0 && !p.Joined })
	b.Records = at - s.at
	if at > s.times.first {
		b.NewestMS = s.times.at(at-1) / 1000
	}
	b.Progress = []sources.Progress{{Partition: 0, Next: at, High: max(at, s.times.first)}}
	s.at = at
	return out.Push(ctx, b)
}

// give adds a change to what it belongs to.
func (s *Source) give(b *sources.Batch, parts []sources.Part, follow []*table, c generator.Change) {
	if s.kind.single {
		b.Updates = appendChange(b.Updates, c)
		return
	}
	for i, t := range follow {
		if t.which == c.Table {
			parts[i].Updates = appendChange(parts[i].Updates, c)
		}
	}
}

func appendChange(dst []sources.Update, c generator.Change) []sources.Update {
	if c.Old != nil {
		dst = append(dst, sources.Update{Row: repr.AppendRow(nil, c.Old), Diff: -1})
	}
	if c.New != nil {
		dst = append(dst, sources.Update{Row: repr.AppendRow(nil, c.New), Diff: 1})
	}
	return dst
}

// drain gives what is to be kept no more.
func (s *Source) drain() []sources.Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []sources.Update
	for _, row := range s.gone {
		out = append(out, sources.Update{Row: row, Diff: -1})
	}
	s.gone = nil
	return out
}

// fill gives the tables that have come all that the steps so far have made: the steps are made up once more.
func (s *Source) fill(ctx context.Context, out sources.Events) error {
	_, lack := s.fed()
	if len(lack) == 0 {
		return nil
	}
	again, err := s.kind.make(&s.cfg)
	if err != nil {
		return err
	}
	for step := int64(0); ; {
		parts := make([]sources.Part, len(lack))
		for i, t := range lack {
			parts[i].Table, parts[i].Replace = t.id, t.partial && step == 0
		}
		b := &sources.Batch{}
		for from, rows := step, 0; step < s.at && step-from < batchSteps && rows < batchRows; step++ {
			for _, c := range again.next(s.times.at) {
				rows++
				s.give(b, parts, lack, c)
			}
		}
		b.Parts = parts
		if step >= s.at {
			s.join(b, lack)
		}
		if err := out.Push(ctx, b); err != nil {
			return err
		}
		for _, t := range lack {
			t.partial = true
		}
		if step >= s.at {
			return nil
		}
	}
}

// join has tables that got what they lacked follow the steps from here on.
func (s *Source) join(b *sources.Batch, filled []*table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range filled {
		t.follows = true
		if s.tables[t.id] != t {
			continue // it was dropped meanwhile
		}
		s.follows[t.id] = true
		b.State = append(b.State, sources.Update{Row: tableRow(t.id), Diff: 1})
		t.told = s.at >= s.times.first
		b.Parts[i].Joined = t.told
	}
}
