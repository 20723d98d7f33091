package sim

import (
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"millrace/repr"
	"millrace/sinks"
	"millrace/sinks/parquet"
	read "millrace/sources/parquet"
)

// files are where a sink writes files of Parquet, in memory: a file is there as a whole or not at all.
type files struct {
	g     *target
	turns *turns
}

// archiveName names every sink into files; each has a folder of its own.
const archiveName = "sim"

var pairColumns = repr.RowDesc{{Name: "k", Type: repr.TypeOf(repr.KindInt8)}, {Name: "v", Type: repr.TypeOf(repr.KindInt8)}}

// newArchive makes the connector: the one that serves, on files of this kind.
func newArchive(g *target, t *turns, run sinks.Options) *parquet.Sink {
	sink, err := parquet.New(parquet.Config{Store: &files{g: g, turns: t}, Prefix: "lake", Cols: pairColumns, Changes: true, Name: archiveName, Run: run})
	if err != nil {
		g.blame("no sink into files: %v", err)
	}
	return sink
}

// Place is the store in words.
func (f *files) Place() string { return "memory" }

// Put writes a file. A server that ends while it waits for that leaves one that is there or not.
func (f *files) Put(ctx context.Context, name string, body []byte) error {
	if err := f.g.step(ctx, f.turns, true); err != nil && f.g.draw(2) == 0 {
		return err
	}
	f.g.mu.Lock()
	f.g.files[name] = slices.Clone(body)
	f.g.mu.Unlock()
	return f.g.answer(ctx, f.turns)
}

// Get reads a file.
func (f *files) Get(ctx context.Context, name string) ([]byte, error) {
	if err := f.g.step(ctx, f.turns, true); err != nil {
		return nil, err
	}
	f.g.mu.Lock()
	defer f.g.mu.Unlock()
	if body, ok := f.g.files[name]; ok {
		return body, nil
	}
	return nil, fs.ErrNotExist
}

// Delete deletes a file.
func (f *files) Delete(ctx context.Context, name string) error {
	if err := f.g.step(ctx, f.turns, true); err != nil {
		return err
	}
	f.g.mu.Lock()
	delete(f.g.files, name)
	f.g.mu.Unlock()
	return f.g.answer(ctx, f.turns)
}

// List gives the names that begin with a prefix.
func (f *files) List(_ context.Context, prefix string, most int) ([]string, error) {
	f.g.mu.Lock()
	defer f.g.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(f.g.files)) {
		if strings.HasPrefix(name, prefix) && len(out) < most {
			out = append(out, name)
		}
	}
	return out, nil
}

// Close gives nothing up.
func (f *files) Close() {}

// archived is what the state of a sink into files says, and a manifest.
type archived struct {
	Time   int64
	Coming []string
	Files  []struct{ Name string }
}

// readFiles reads the files as one does who goes by the state and the manifests, and takes note of what they hold when it is another commit's.
func (g *target) readFiles() {
	g.mu.Lock()
	defer g.mu.Unlock()
	folder := "lake/_millrace/" + archiveName + "/"
	now, err := g.archived(folder + "state.json")
	if err != nil || now.Time <= g.upTo {
		return // there is none, or it is known
	}
	held, listed := bag{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(g.files)) {
		commit, err := g.archived(name)
		if !strings.HasPrefix(name, folder) || strings.HasSuffix(name, "state.json") || err != nil || commit.Time > now.Time {
			continue
		}
		for _, f := range commit.Files {
			listed[f.Name] = true
			if err := readChanges(g.files[f.Name], held); err != nil {
				g.wrong = f.Name + ": " + err.Error()
			}
		}
	}
	for name := range g.files {
		if strings.HasSuffix(name, ".parquet") && !listed[name] && !slices.Contains(now.Coming, name) {
			g.wrong = name + " is there, and no commit knows of it"
		}
	}
	g.upTo, g.held = now.Time, held
	g.wrote++
	g.shown = append(g.shown, span{now.Time, now.Time + 1, held.text()})
}

// archived parses a file.
func (g *target) archived(name string) (out archived, err error) {
	err = json.Unmarshal(g.files[name], &out)
	return out, err
}

// readChanges adds the changes in a file of Parquet.
func readChanges(body []byte, to bag) error {
	in, err := os.CreateTemp("", "sim-*.parquet")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(in.Name()) }() // nobody else knows of it
	if _, err := in.Write(body); err != nil {
		return err
	}
	t, err := read.Open(in, nil, 0)
	if err != nil {
		return err
	}
	for {
		rows, err := t.Next(1000)
		if err != nil || len(rows) == 0 {
			_ = t.Close() // it was read only
			return err
		}
		for _, r := range rows {
			d := repr.DecodeRow(nil, r.Row)
			to.add(pair{d[0].Int(), d[1].Int()}, d[3].Int())
		}
	}
}
