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
}

// state is what the storage keeps of the sink.
type state struct {
	Time   repr.Time `json:"time"`
	Writer string    `json:"writer"`
	Coming []string  `json:"coming,omitempty"` // files of a commit that runs, or did not get to its end
}

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

func (t *target) statePath() string { return t.folder() + "/state.json" }

// Open reads the state, and deletes the files of a commit that did not get to its end.
func (t *target) Open(ctx context.Context) (sinks.Progress, error) {
	text, err := t.store.Get(ctx, t.statePath())
	if errors.Is(err, s3.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return sinks.Progress{}, nil
	}
	var now state
	if err == nil {
		err = json.Unmarshal(text, &now)
	}
	if err != nil {
		return sinks.Progress{}, err
	}
	if known := t.cfg.Run.Known; known == nil || now.Writer == "" || known(now.Writer) { // another's files are not ours to delete
		for _, name := range now.Coming {
			if err := t.store.Delete(ctx, name); err != nil {
				return sinks.Progress{}, err
			}
		}
	}
	return sinks.Progress{Known: true, Time: now.Time, Writer: now.Writer}, nil
}

// Close gives up idle connections.
func (t *target) Close(context.Context) { t.store.Close() }

// Write writes the files of a group between two states.
func (t *target) Write(ctx context.Context, g sinks.Group) (int64, error) {
	if g.Whole && g.From.Time > 0 {
		return 0, repr.NewError(repr.CodeObjectNotReady, "cannot continue "+t.cfg.Run.Place+": the changes since its last commit are not kept").
			WithDetail(fmt.Sprintf("It was written up to time %d.", g.From.Time)).WithHint("Drop the sink and create it anew with another prefix.")
	}
	parts, records, err := t.part(g.Ticks)
	if err != nil {
		return 0, err
	}
	man := manifest{Time: g.To, From: g.From.Time, Files: []writtenFile{}}
	coming := []string{t.manifestPath(g.To)}
	bodies := make([][]byte, 0, len(parts))
	for i, folder := range slices.Sorted(maps.Keys(parts)) {
		body, err := t.file(parts[folder])
		if err != nil {
			return 0, err
		}
		name := path.Join(t.cfg.Prefix, folder, fmt.Sprintf("%s-%d-%d.parquet", t.cfg.Name, g.To, i))
		coming, bodies = append(coming, name), append(bodies, body)
		man.Files = append(man.Files, writtenFile{Name: name, Rows: len(parts[folder]), Size: len(body)})
	}
	if len(bodies) > 0 {
		if err := t.put(ctx, t.statePath(), state{Time: g.From.Time, Writer: t.cfg.Run.Writer, Coming: coming}); err != nil {
			return 0, err
		}
		for i, body := range bodies {
			if err := t.store.Put(ctx, man.Files[i].Name, body); err != nil {
				return 0, err
			}
		}
		if err := t.put(ctx, t.manifestPath(g.To), man); err != nil {
			return 0, err
		}
	}
	return records, t.put(ctx, t.statePath(), state{Time: g.To, Writer: t.cfg.Run.Writer})
}

func (t *target) manifestPath(at repr.Time) string { return fmt.Sprintf("%s/%d.json", t.folder(), at) }

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
