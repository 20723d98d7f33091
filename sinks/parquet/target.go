package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"time"

	"millrace/internal/clock"
	"millrace/internal/s3"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sinks"
)

// target is a prefix of a store.
type target struct {
	cfg     Config
	store   Store
	columns []column

	opened string // when, in the names of files: none that a request of before brings late is taken for one of these
	tag    string // of the state as it was last read or written
	left   []left
	rows   int64 // of all files that are committed, as the state says; -1: it does not
}

// state is what the storage keeps of the sink.
type state struct {
	Time   repr.Time `json:"time"`
	Writer string    `json:"writer"`
	Opened string    `json:"opened,omitempty"` // of which opening it is
	Rows   *int64    `json:"rows,omitempty"`   // of all files that are committed; states of earlier servers do not have it
	Coming []string  `json:"coming,omitempty"` // files of a commit that runs, or did not get to its end
	Left   []left    `json:"left,omitempty"`   // files of such commits before, which were deleted
}

// left is a file that was deleted, and may come once more: a request that was given up may still be carried out by the store.
type left struct {
	Name  string    `json:"name"`
	Until time.Time `json:"until"` // it is deleted again with each commit until then, and once behind it
	gone  bool
}

// leftFor is for how long a store may carry out a request behind which nobody stands any more.
const leftFor = 5 * time.Minute

// manifest is what one commit wrote.
type manifest struct {
	Time  repr.Time     `json:"time"`
	From  repr.Time     `json:"from"`
	Files []writtenFile `json:"files"`
}

type writtenFile struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
	Size int    `json:"size"`
}

// rowsOf is how many rows a state says that there are; -1 when it does not say it.
func rowsOf(now state) int64 {
	switch {
	case now.Rows != nil:
		return *now.Rows
	case now.Time == 0:
		return 0
	}
	return -1
}

func (t *target) statePath() string { return t.folder() + "/state.json" }

// guarded is a store that many may ask at once, and that may carry out a request late: it replaces a file only where that is still the one
// that was read.
type guarded interface {
	GetTag(ctx context.Context, name string) (body []byte, tag string, err error)
	PutIf(ctx context.Context, name string, body []byte, tag string) (newTag string, err error)
}

// Open reads the state, and deletes the files of a commit that did not get to its end. Before that it writes the state anew, so that no
// request of before can change it any more.
func (t *target) Open(ctx context.Context) (sinks.Progress, error) {
	t.opened = strconv.FormatInt(t.now().UnixMicro(), 36)
	now, found, err := t.load(ctx)
	if err != nil {
		return sinks.Progress{}, err
	}
	t.rows = rowsOf(now)
	p := sinks.Progress{Known: found, Time: now.Time, Writer: now.Writer, Records: max(t.rows, 0)}
	if known := t.cfg.Run.Known; known != nil && now.Writer != "" && !known(now.Writer) {
		return p, nil // another's files are not ours to delete
	}
	if _, ok := t.store.(guarded); ok {
		if now.Opened = t.opened; !found {
			now.Writer = t.cfg.Run.Writer
		}
		if err := t.write(ctx, now); err != nil {
			return p, err
		}
	}
	t.left = now.Left
	for _, name := range now.Coming {
		if err := t.store.Delete(ctx, name); err != nil {
			return p, err
		}
		t.left = append(t.left, left{Name: name, Until: t.now().Add(leftFor)})
	}
	return p, nil
}

// load reads the state; found is false when there is none.
func (t *target) load(ctx context.Context) (now state, found bool, err error) {
	var text []byte
	t.tag = ""
	if g, ok := t.store.(guarded); ok {
		text, t.tag, err = g.GetTag(ctx, t.statePath())
	} else {
		text, err = t.store.Get(ctx, t.statePath())
	}
	if errors.Is(err, s3.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return now, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &now)
	}
	return now, true, err
}

// write writes the state, unless another has since it was read or written.
func (t *target) write(ctx context.Context, now state) error {
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	g, ok := t.store.(guarded)
	if !ok {
		return t.store.Put(ctx, t.statePath(), text)
	}
	t.tag, err = g.PutIf(ctx, t.statePath(), text, t.tag)
	return err
}

func (t *target) clock() clock.Clock {
	if t.cfg.Run.Clock == nil {
		return clock.System{}
	}
	return t.cfg.Run.Clock
}

func (t *target) now() time.Time { return t.clock().Now() }

// sweep deletes what was left once more, as far as the store lets it, and forgets what was deleted long behind its commit.
func (t *target) sweep(ctx context.Context) {
	now := t.now()
	for i, l := range t.left {
		if t.store.Delete(ctx, l.Name) != nil {
			return // with the next commit
		}
		t.left[i].gone = now.After(l.Until)
	}
	t.left = slices.DeleteFunc(t.left, func(l left) bool { return l.gone })
}

// Close gives up idle connections.
func (t *target) Close(context.Context) { t.store.Close() }

// Write writes the files of a group between two states. Of a whole content it writes what the files do not hold.
func (t *target) Write(ctx context.Context, g sinks.Group) (int64, error) {
	ticks := g.Ticks
	if g.Whole && g.From.Time > 0 {
		changes, err := t.difference(ctx, g.From.Time, ticks[0])
		if err != nil {
			return 0, err
		}
		ticks = slices.Concat([]sinks.Tick{{Time: ticks[0].Time, Changes: changes}}, ticks[1:])
	}
	parts, records, err := t.part(ticks)
	if err != nil {
		return 0, err
	}
	if len(parts) > 0 {
		if err := t.writeFiles(ctx, g, parts); err != nil {
			return 0, err
		}
	}
	done := t.stateAt(g.To)
	if t.rows >= 0 {
		done.Rows = new(t.rows + records)
	}
	if err := t.write(ctx, done); err != nil {
		return 0, err
	}
	t.rows = rowsOf(done)
	return records, nil
}

// writeFiles writes which files will come, the files, and their manifest.
func (t *target) writeFiles(ctx context.Context, g sinks.Group, parts map[string][]record) error {
	man := manifest{Time: g.To, From: g.From.Time, Files: []writtenFile{}}
	before := t.stateAt(g.From.Time)
	before.Coming = []string{t.manifestPath(g.To)}
	bodies := make([][]byte, 0, len(parts))
	for i, folder := range slices.Sorted(maps.Keys(parts)) {
		body, err := t.file(parts[folder])
		if err != nil {
			return err
		}
		name := path.Join(t.cfg.Prefix, folder, fmt.Sprintf("%s-%d-%d-%s.parquet", t.cfg.Name, g.To, i, t.opened))
		before.Coming, bodies = append(before.Coming, name), append(bodies, body)
		man.Files = append(man.Files, writtenFile{Name: name, Rows: len(parts[folder]), Size: len(body)})
	}
	if err := t.write(ctx, before); err != nil {
		return err
	}
	t.sweep(ctx)
	for i, body := range bodies {
		if err := t.store.Put(ctx, man.Files[i].Name, body); err != nil {
			return err
		}
	}
	return t.put(ctx, t.manifestPath(g.To), man)
}

// stateAt is a state at a time, with the rows that are committed now.
func (t *target) stateAt(at repr.Time) state {
	now := state{Time: at, Writer: t.cfg.Run.Writer, Opened: t.opened, Left: t.left}
	if t.rows >= 0 {
		now.Rows = new(t.rows)
	}
	return now
}

func (t *target) manifestPath(at repr.Time) string {
	return fmt.Sprintf("%s/%d-%s.json", t.folder(), at, t.opened)
}

func (t *target) put(ctx context.Context, name string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return t.store.Put(ctx, name, text)
}

// record is one row of a file.
type record struct {
	row  []repr.Datum
	time repr.Time
	diff repr.Diff
}

// part parts the changes of ticks by folder.
func (t *target) part(ticks []sinks.Tick) (parts map[string][]record, records int64, err error) {
	parts = map[string][]record{}
	for i := range ticks {
		for _, c := range ticks[i].Changes {
			back := c.Diff < 0 && !t.cfg.Changes
			if back && !t.cfg.Force {
				return nil, 0, repr.NewError(repr.CodeObjectNotReady, "cannot write to "+t.cfg.Run.Place+": a row was taken back").
					WithHint("Without ENVELOPE NONE the files hold changes, with mz_timestamp and mz_diff.")
			}
			if back {
				continue
			}
			r := record{row: repr.DecodeRow(nil, c.Row), time: ticks[i].Time, diff: c.Diff}
			n := int64(1)
			if !t.cfg.Changes {
				n = c.Diff
			}
			folder := t.folderOf(r.row)
			for range n {
				parts[folder] = append(parts[folder], r)
			}
			records += n
		}
	}
	return parts, records, nil
}

// noValue is the folder of NULL, as Hive and its readers have it.
const noValue = "__HIVE_DEFAULT_PARTITION__"

// folderOf is the folder of a row: column=value/…
func (t *target) folderOf(row []repr.Datum) string {
	folder := ""
	for _, k := range t.cfg.Partition {
		value := noValue
		if !row[k].IsNull() {
			value = url.QueryEscape(string(pgfmt.AppendText(nil, t.cfg.Cols[k].Type, row[k].Canonical(), nil)))
		}
		folder = path.Join(folder, url.QueryEscape(t.cfg.Cols[k].Name)+"="+value)
	}
	return folder
}
