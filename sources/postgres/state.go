package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/jackc/pglogrepl"

	"millrace/repr"
	"millrace/sources"
)

// What a source remembers are rows of text: a key, a blank, and JSON. Of the source itself it is which database system it read last,
// of each table since when it follows the stream and how it looks there, and of each row that cannot be had its row of errors. A table
// without a row of its own has no first content.

// savedRow is what was told to be kept under a key.
type savedRow struct{ row []byte }

const systemKey = "system"

func tableKey(id uint64) string { return "table/" + strconv.FormatUint(id, 10) }

// savedTable is what is kept of a table.
type savedTable struct {
	Joined pglogrepl.LSN `json:"joined"`
	Up     *upstream     `json:"up"`
	Due    pglogrepl.LSN `json:"due,omitempty"` // of the first content of this moment dead letters are to be written
}

// stateRow packs what is kept under a key.
func stateRow(key string, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return append([]byte(key+" "), b...)
}

// Restore takes what the state of batches told to keep, before tables are fed.
func (s *Source) Restore(rows iter.Seq2[[]byte, repr.Diff]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for row := range rows {
		key, text, ok := bytes.Cut(row, []byte(" "))
		if !ok {
			return fmt.Errorf("what is kept of a source does not parse: %q", row)
		}
		if id, ok := bytes.CutPrefix(key, []byte(refusedState)); ok {
			if err := s.restoreRefused(id, text); err != nil {
				return err
			}
			continue
		}
		if string(key) == systemKey {
			if err := json.Unmarshal(text, &s.identity); err != nil {
				return fmt.Errorf("read which system was read: %w", err)
			}
		}
		s.saved[string(key)] = savedRow{row: bytes.Clone(row)}
	}
	return nil
}

// restore gives a table what was kept of it.
func (t *table) restore(row []byte) error {
	if row == nil {
		return nil
	}
	_, text, _ := bytes.Cut(row, []byte(" "))
	kept := savedTable{}
	if err := json.Unmarshal(text, &kept); err != nil || kept.Up == nil {
		return fmt.Errorf("read what is kept of table %s: %w", t.up, err)
	}
	for i := range kept.Up.Columns {
		kept.Up.Columns[i].typ = t.types[i]
	}
	t.joined, t.up, t.due = kept.Joined, kept.Up, kept.Due
	return nil
}

// state gives what has changed of what is to be kept.
func (s *Source) state() []sources.Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := map[string][]byte{systemKey: stateRow(systemKey, s.identity)}
	for id, t := range s.tables {
		if t.joined != 0 {
			now[tableKey(id)] = stateRow(tableKey(id), savedTable{Joined: t.joined, Up: t.up, Due: t.due})
		}
	}
	var out []sources.Update
	for _, key := range slices.Sorted(maps.Keys(s.saved)) {
		if row := s.saved[key].row; !bytes.Equal(row, now[key]) {
			out = append(out, sources.Update{Row: row, Diff: -1})
			delete(s.saved, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if _, ok := s.saved[key]; !ok {
			out = append(out, sources.Update{Row: now[key], Diff: 1})
			s.saved[key] = savedRow{row: now[key]}
		}
	}
	return out
}
