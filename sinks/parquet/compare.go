package parquet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/internal/s3"
	"millrace/repr"
	"millrace/sinks"
)

// A sink whose changes were not kept, or that goes over to another relation, is given a whole content. It reads what its files add up to,
// and writes the difference.

// manyManifests is how many manifests are read at most: one a minute for two years are fewer.
const manyManifests = 1 << 20

// content is how often each row, packed, is there; one that is there no times is left out.
type content map[string]int64

func (c content) add(row []byte, n int64) {
	n += c[string(row)]
	if n == 0 {
		delete(c, string(row))
		return
	}
	c[string(row)] = n
}

// difference is what leads from the files to a whole content, as changes at its time. Without Changes a row that the content no longer has
// is an error, or is left out.
func (t *target) difference(ctx context.Context, upTo repr.Time, whole sinks.Tick) ([]sinks.Change, error) {
	surplus, err := t.held(ctx, upTo)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(whole.Changes, groupRows) {
		if err := t.subtract(surplus, sinks.Tick{Time: whole.Time, Changes: some}); err != nil {
			return nil, err
		}
	}
	t.cfg.Run.Log.Info("sink compares", "place", t.cfg.Run.Place, "after", upTo, "changes", len(surplus))
	out := make([]sinks.Change, 0, len(surplus))
	for _, row := range slices.Sorted(maps.Keys(surplus)) {
		out = append(out, sinks.Change{Row: []byte(row), Diff: -surplus[row]})
	}
	return out, nil
}

// subtract takes rows away from a content that was read from files. A file may hold less of a value than the view does, as the text of an
// interval, so the rows go through a file, too: they are written as one, which nobody keeps, and read from it.
func (t *target) subtract(from content, rows sinks.Tick) error {
	parts, _, err := t.part([]sinks.Tick{rows})
	if err != nil {
		return err
	}
	for _, folder := range slices.Sorted(maps.Keys(parts)) {
		for records := range slices.Chunk(parts[folder], groupRows) {
			body, err := t.file(records)
			if err == nil {
				err = t.read(folder, body, func(row []byte, n int64) { from.add(row, -n) })
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// held is what the committed files add up to.
func (t *target) held(ctx context.Context, upTo repr.Time) (content, error) {
	manifests, err := t.manifests(ctx, upTo)
	if err != nil {
		return nil, err
	}
	var names []string
	largest := 1
	for _, m := range manifests {
		for _, f := range m.Files {
			names, largest = append(names, f.Name), max(largest, f.Size)
		}
	}
	out := content{}
	err = t.each(ctx, names, readAhead/largest, func(name string, body []byte) error {
		if err := t.read(t.folderIn(name), body, out.add); err != nil {
			return t.cannotCompare(fmt.Sprintf("its file %s cannot be read: %s", name, err))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, n := range out {
		if n < 0 {
			return nil, t.cannotCompare("its files take rows back that they never brought")
		}
	}
	return out, nil
}

// folderIn is the folder that a file is in, below the prefix.
func (t *target) folderIn(name string) string {
	folder := path.Dir(name)
	if folder == "." {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(folder, t.cfg.Prefix), "/")
}

// manifests are those of what is committed, in order. One that a request brought late which was given up is not among them.
func (t *target) manifests(ctx context.Context, upTo repr.Time) ([]manifest, error) {
	names, err := t.store.List(ctx, t.folder()+"/", manyManifests)
	if err != nil {
		return nil, err
	}
	late := map[string]bool{t.statePath(): true}
	for _, l := range t.left {
		late[l.Name] = true
	}
	names = slices.DeleteFunc(names, func(name string) bool { return late[name] || !strings.HasSuffix(name, ".json") })
	var out []manifest
	rows := int64(0)
	err = t.each(ctx, names, mostReaders, func(name string, text []byte) error {
		var m manifest
		if err := json.Unmarshal(text, &m); err != nil {
			return t.cannotCompare("its manifest " + name + " is none")
		}
		if m.Time > upTo {
			return nil
		}
		out = append(out, m)
		for _, f := range m.Files {
			rows += int64(f.Rows)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b manifest) int { return cmp.Compare(a.Time, b.Time) })
	for i := 1; i < len(out); i++ {
		if out[i].From < out[i-1].Time {
			return nil, t.cannotCompare(fmt.Sprintf("two manifests tell of the changes up to time %d", out[i-1].Time))
		}
	}
	if t.rows >= 0 && rows != t.rows {
		return nil, t.cannotCompare(fmt.Sprintf("its manifests name %d rows of the %d that it has written", rows, t.rows))
	}
	t.rows = rows
	return out, nil
}

const (
	mostReaders = 16
	readAhead   = 64 << 20 // bytes of files that wait to be taken, about
)

// each reads files, and takes them one by one in the order of their names here. Object storage takes its time over an answer and gives many
// at once, so there so many files are asked for ahead; in a folder of this machine that would gain nothing.
func (t *target) each(ctx context.Context, names []string, ahead int, take func(name string, body []byte) error) error {
	if _, far := t.store.(guarded); far && ahead > 1 {
		return t.eachAhead(ctx, names, min(ahead, mostReaders), take)
	}
	for _, name := range names {
		body, err := t.get(ctx, name)
		if err == nil {
			err = take(name, body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eachAhead is each with as many readers. File i is read by reader i modulo their number, which holds it until it is taken: so the files
// come in order, and no reader is more than one ahead.
func (t *target) eachAhead(ctx context.Context, names []string, n int, take func(name string, body []byte) error) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := make([]chan fileRead, n) // by reader
	for k := range read {
		read[k] = make(chan fileRead)
		readers.Go(func() { t.readEvery(ctx, names[min(k, len(names)):], n, read[k]) })
	}
	for i, name := range names {
		var got fileRead
		select {
		case got = <-read[i%n]:
		case <-ctx.Done():
			return ctx.Err()
		}
		if got.err == nil {
			got.err = take(name, got.body)
		}
		if got.err != nil {
			return got.err
		}
	}
	return nil
}

// fileRead is a file that was read, or why it was not.
type fileRead struct {
	body []byte
	err  error
}

// readEvery reads the first file, and from there on each that is step behind the one before, until one cannot be read.
func (t *target) readEvery(ctx context.Context, names []string, step int, to chan<- fileRead) {
	for i := 0; i < len(names); i += step {
		body, err := t.get(ctx, names[i])
		select {
		case to <- fileRead{body, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// A file is asked for readTries times before the sink begins anew with all of them, with pauses between that double from readPause on.
const (
	readTries = 5
	readPause = 200 * time.Millisecond
)

// get reads a file that must be there.
func (t *target) get(ctx context.Context, name string) ([]byte, error) {
	for try := 1; ; try++ {
		body, err := t.store.Get(ctx, name)
		if err == nil {
			return body, nil
		}
		if errors.Is(err, s3.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return nil, t.cannotCompare("its file " + name + " is gone")
		}
		if _, fatal := t.Explain(err); fatal || try == readTries {
			return nil, err
		}
		if err := t.clock().Sleep(ctx, readPause<<(try-1)); err != nil {
			return nil, err
		}
	}
}

func (t *target) cannotCompare(why string) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, "cannot continue "+t.cfg.Run.Place+": "+why).
		WithDetail("The changes since its last commit are not kept, so its files are compared with the view.").
		WithHint("Drop the sink and create it anew with another prefix or folder.")
}
