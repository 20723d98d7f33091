package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/format/json"
	"millrace/sources/infer"
)

// How much is read at most to learn columns from.
const (
	inferRecords = 1000
	inferBytes   = 16 << 20
)

// inferColumns finds the columns of JSON by what the first records of the files have.
func (s *Source) inferColumns(root *os.Root, names []string) error {
	var found infer.Fields
	left := inferRecords
	for _, name := range names {
		if err := s.sample(root, name, &found, &left); err != nil {
			return problem(s.place(name), err)
		}
	}
	if found.Len() == 0 {
		return repr.NewError(repr.CodeObjectNotReady, "\""+s.place(s.cfg.Pattern)+"\" has no JSON object to learn the columns from").
			WithHint("write one, or say the columns: CREATE SOURCE … (name type, …) FROM FILE …")
	}
	var err error
	s.header, err = infer.Kept{Columns: infer.KeepColumns(found.Columns()), Rest: true}.Text()
	return err
}

// sample looks at the first records of a file. Of one that is damaged it takes what there is.
func (s *Source) sample(root *os.Root, name string, found *infer.Fields, left *int) error {
	in, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	c, err := s.contentOf(in, name)
	if err != nil {
		return err
	}
	defer c.close()
	text, err := io.ReadAll(io.LimitReader(c, inferBytes))
	if _, damaged := errors.AsType[*badFile](err); err != nil && !damaged {
		return err
	}
	for line := range bytes.Lines(bytes.TrimPrefix(text, bom)) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if *left == 0 {
			return nil
		}
		*left--
		found.Add(line)
	}
	return nil
}

// inferred decodes JSON to the columns that were found out, and keeps what no column has.
func (s *Source) inferred() (format.Decoder, error) {
	kept, cols, err := infer.Unkeep(s.header)
	if err != nil {
		return nil, err
	}
	added, err := infer.UnkeepColumns(kept.Added)
	if err != nil {
		return nil, err
	}
	s.rest = json.NewColumns(cols)
	s.rest.KeepRest(nil)
	s.rest.Add(added)
	return s.rest, nil
}

// Widen says of members of what no column has that they are columns from now on. Any goroutine may call it.
func (s *Source) Widen(cols repr.RowDesc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.widened = append(s.widened, cols...)
}

// noteExtra notes the fields that no column has, to be told in the state of the source.
func (r *reader) noteExtra() {
	if r.rest == nil {
		return
	}
	r.mu.Lock()
	added := r.widened
	r.widened = nil
	r.mu.Unlock()
	r.rest.Add(added)
	r.extra = slices.DeleteFunc(append(r.extra, r.rest.Extra()...), func(name string) bool { return added.Index(name) >= 0 })
}
