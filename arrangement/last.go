package arrangement

import (
	"bytes"

	"millrace/repr"
)

// Last is the greatest row that begins with prefix, with its count; ok is false when there is none. It costs a look-up
// from the root for each run.
func (s *Snapshot) Last(prefix []byte) (row []byte, diff repr.Diff, ok bool) {
	row, diff, ok = s.Before(successor(prefix))
	if !ok || !bytes.HasPrefix(row, prefix) {
		return nil, 0, false
	}
	return row, diff, true
}

// Before is the greatest row that is less than limit (nil: the greatest of all), with its count; ok is false when there is
// none. It costs what Last does.
func (s *Snapshot) Before(limit []byte) (row []byte, diff repr.Diff, ok bool) {
	for {
		row = s.greatestBelow(limit)
		if row == nil {
			return nil, 0, false
		}
		c := s.Cursor()
		if c.Seek(row); c.Valid() && bytes.Equal(c.Row(), row) {
			return row, c.Diff(), true
		}
		limit = row
	}
}

// successor is the least byte string that is greater than all that begin with prefix; nil when there is none.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			out := bytes.Clone(prefix[:i+1])
			out[i]++
			return out
		}
	}
	return nil
}

// greatestBelow is the greatest row less than limit in the base or a run, whatever its count.
func (s *Snapshot) greatestBelow(limit []byte) []byte {
	best := s.baseBelow(limit)
	try := func(b *Batch, from int) {
		i := b.n
		if limit != nil {
			i = b.seek(0, limit)
		}
		if i > from && (best == nil || bytes.Compare(b.row(i-1), best) > 0) {
			best = b.row(i - 1)
		}
	}
	for i := range s.folding {
		try(&s.folding[i].run, s.folding[i].done)
	}
	for i := range s.runs {
		try(&s.runs[i], 0)
	}
	return best
}

func (s *Snapshot) baseBelow(limit []byte) []byte {
	if limit == nil {
		b, ok := s.base.Max()
		if !ok {
			return nil
		}
		return b.body.rows.row(b.body.rows.n - 1)
	}
	var best []byte
	s.base.Descend(blockKey(limit), func(b block) bool {
		if i := b.body.rows.seek(0, limit); i > 0 {
			best = b.body.rows.row(i - 1)
			return false
		}
		return true
	})
	return best
}
