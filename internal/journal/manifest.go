package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"millrace/internal/disk"
)

// manifest says what is folded. It is a file of a line with a checksum and then JSON, so that people can read it. The newest
// one counts; it is written under another name and renamed when it is durable.
type manifest struct {
	Format  uint32            `json:"format"`
	Number  uint64            `json:"number"`
	Folded  uint64            `json:"folded"`         // the time of the last record that is folded
	Next    uint64            `json:"next"`           // the number of the first record that is not
	NextRun uint64            `json:"nextRun"`        // for the name of the next run
	Notes   map[string][]byte `json:"notes"`          // as of Folded
	Runs    []run             `json:"runs"`           // of one collection the oldest first
	Thin    []thinned         `json:"thin,omitempty"` // segments of which a part is folded
}

const (
	manifestPrefix = "manifest-"
	temporary      = ".tmp"
)

func manifestName(number uint64) string { return fmt.Sprintf("%s%016x", manifestPrefix, number) }

// write makes the manifest the newest one.
func (m *manifest) write(fs disk.FS, dir string) error {
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	b := fmt.Appendf(nil, "millrace journal %08x\n%s\n", crc32.Checksum(text, castagnoli), text)
	name := filepath.Join(dir, manifestName(m.Number))
	f, err := createWith(fs, name+temporary, b)
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = fs.Rename(name+temporary, name)
	}
	if err == nil {
		err = fs.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	return nil
}

// readManifest finds the newest manifest among the names of a folder; an empty one where there is none.
func readManifest(fs disk.FS, dir string, names []string) (*manifest, error) {
	newest := ""
	for _, n := range names {
		if _, ok := numbered(n, manifestPrefix); ok {
			newest = max(newest, n)
		}
	}
	m := &manifest{Format: Format, Next: 1, NextRun: 1, Notes: map[string][]byte{}}
	if newest == "" {
		return m, nil
	}
	name := filepath.Join(dir, newest)
	b, err := content(fs, name, nil)
	if err != nil {
		return nil, err
	}
	line, text, _ := bytes.Cut(b, []byte("\n"))
	text = bytes.TrimSuffix(text, []byte("\n"))
	sum, ok := bytes.CutPrefix(line, []byte("millrace journal "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !ok || err != nil || crc32.Checksum(text, castagnoli) != uint32(want) {
		return nil, damage(name, 0, "the manifest does not agree with its checksum")
	}
	*m = manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, damage(name, 0, "the manifest does not parse: %v", err)
	}
	if m.Format > Format {
		return nil, &VersionError{File: name, Found: m.Format, Supported: Format}
	}
	if m.Notes == nil {
		m.Notes = map[string][]byte{}
	}
	return m, nil
}

// clone is a manifest to be changed into the next one.
func (m *manifest) clone() *manifest {
	c := *m
	c.Notes, c.Runs, c.Thin = maps.Clone(m.Notes), slices.Clone(m.Runs), slices.Clone(m.Thin)
	c.Number++
	return &c
}

// set changes the notes as a record says.
func set(notes map[string][]byte, changed []Note) {
	for _, n := range changed {
		if n.Value == nil {
			delete(notes, n.Key)
		} else {
			notes[n.Key] = append([]byte{}, n.Value...)
		}
	}
}
