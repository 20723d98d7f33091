package opensearch

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"millrace/repr"
	fjson "millrace/repr/format/json"
	"millrace/sinks"
)

// progressIndex holds a document for each sink.
const progressIndex = "millrace-progress"

// target is the index.
type target struct {
	cfg      Config
	client   *Client
	mapping  map[string]any
	enc      *fjson.Encoder
	mark     mark
	refusals sinks.Refusals
	refused  map[string][]byte // the rows of refusals, by key
}

// mark is the document of progress as it was last seen. It is replaced only if it is this one still.
type mark struct {
	Seq    int64 `json:"_seq_no"`
	Term   int64 `json:"_primary_term"`
	Source struct {
		Time   repr.Time `json:"time"`
		Writer string    `json:"writer"`
		Index  string    `json:"index"`
		UUID   string    `json:"uuid,omitempty"` // that the server gave the index: one that is made anew has another
		// What was written in all; documents of earlier servers do not have it.
		Records int64 `json:"records,omitempty"`
	} `json:"_source"`
}

func (t *target) markPath() string {
	return "/" + progressIndex + "/_doc/" + url.PathEscape(t.cfg.Name)
}

// Open makes the index if it is missing, and reads the sink's progress.
func (t *target) Open(ctx context.Context) (sinks.Progress, error) {
	known, err := t.readMark(ctx)
	if err != nil {
		return sinks.Progress{}, err
	}
	there, err := t.there(ctx)
	switch {
	case err != nil:
		return sinks.Progress{}, err
	case !there && t.mark.Source.Time > 0:
		return sinks.Progress{}, t.gone()
	case !there:
		err = t.client.call(ctx, http.MethodPut, "/"+t.cfg.Index, t.mapping, nil)
	case !known:
		err = t.refuseDocuments(ctx)
	}
	if err == nil {
		err = t.same(ctx)
	}
	if err == nil && !known {
		if err = t.writeMark(ctx, 0, 0, "?op_type=create"); is(err, http.StatusConflict) {
			err = sinks.Taken(t.cfg.Run.Place)
		}
	}
	now := &t.mark.Source
	return sinks.Progress{Known: true, Time: now.Time, Writer: now.Writer, Records: now.Records}, err
}

func (t *target) gone() *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, t.cfg.Run.Place+" was deleted").
		WithDetail(fmt.Sprintf("The sink had written to it up to time %d.", t.mark.Source.Time)).
		WithHint("Delete what is there under its name, drop the sink and create it anew: that writes the index from the beginning.")
}

// same makes sure that the index is the one that was written to: a server makes one that is missing by itself when documents come, and
// those that were there before would be missing in it.
func (t *target) same(ctx context.Context) error {
	var answer map[string]struct {
		Settings struct {
			Index struct {
				UUID string `json:"uuid"`
			} `json:"index"`
		} `json:"settings"`
	}
	err := t.client.call(ctx, http.MethodGet, "/"+t.cfg.Index+"/_settings/index.uuid", nil, &answer)
	if is(err, http.StatusNotFound) {
		return t.gone()
	}
	if err != nil {
		return err
	}
	var uuids []string
	for _, one := range answer { // several when the name is an alias
		uuids = append(uuids, one.Settings.Index.UUID)
	}
	slices.Sort(uuids)
	now := strings.Join(uuids, ",")
	if was := t.mark.Source.UUID; was != "" && was != now {
		return t.gone()
	}
	t.mark.Source.UUID = now
	return nil
}

// Close gives up idle connections.
func (t *target) Close(context.Context) { t.client.Close() }

// Explain puts an error into the words of a user, and says whether retrying is of no use.
func (t *target) Explain(err error) (e *repr.Error, fatal bool) {
	return t.client.explain(t.cfg.Run.Place, err)
}

func (t *target) there(ctx context.Context) (bool, error) {
	err := t.client.call(ctx, http.MethodHead, "/"+t.cfg.Index, nil, nil)
	if is(err, http.StatusNotFound) {
		return false, nil
	}
	return err == nil, err
}

// refuseDocuments refuses an index that holds documents of others: the sink makes the index equal to the view.
func (t *target) refuseDocuments(ctx context.Context) error {
	n, err := t.count(ctx)
	if err != nil || n == 0 {
		return err
	}
	return repr.NewError(repr.CodeObjectNotReady, t.cfg.Run.Place+" has documents already").
		WithDetail("The sink makes the index equal to its view, so these documents would go.").WithHint("Name another index, or delete this one.")
}

// count is the number of documents, those just written included.
func (t *target) count(ctx context.Context) (int64, error) {
	if err := t.client.call(ctx, http.MethodPost, "/"+t.cfg.Index+"/_refresh", nil, nil); err != nil {
		return 0, err
	}
	var answer struct {
		Count int64 `json:"count"`
	}
	err := t.client.call(ctx, http.MethodGet, "/"+t.cfg.Index+"/_count", nil, &answer)
	return answer.Count, err
}

func (t *target) readMark(ctx context.Context) (known bool, err error) {
	t.mark = mark{}
	err = t.client.call(ctx, http.MethodGet, t.markPath(), nil, &t.mark)
	if is(err, http.StatusNotFound) {
		return false, nil
	}
	return err == nil, err
}

// writeMark replaces the document of progress on a condition; records were written with it.
func (t *target) writeMark(ctx context.Context, at repr.Time, records int64, condition string) error {
	next := t.mark.Source
	next.Time, next.Writer, next.Index = at, t.cfg.Run.Writer, t.cfg.Index
	next.Records += records
	var written mark
	if err := t.client.call(ctx, http.MethodPut, t.markPath()+condition, next, &written); err != nil {
		return err
	}
	t.mark.Seq, t.mark.Term, t.mark.Source = written.Seq, written.Term, next
	return nil
}

// Write writes the documents of a group and then its time.
func (t *target) Write(ctx context.Context, g sinks.Group) (int64, error) {
	folded := sinks.Fold(g.Ticks, t.cfg.Key)
	ops, err := t.operations(folded)
	if err != nil {
		return 0, err
	}
	refused, err := t.bulk(ctx, ops)
	if err != nil {
		return 0, err
	}
	if err := t.same(ctx); err != nil {
		return 0, err
	}
	if g.Whole {
		if err := t.deleteOthers(ctx, ops, refused, g.To); err != nil {
			return 0, err
		}
	}
	if err := t.noteRefusals(ctx, ops, refused, g.Whole); err != nil {
		return 0, err
	}
	records := int64(len(ops) - len(refused))
	err = t.writeMark(ctx, g.To, records, fmt.Sprintf("?if_seq_no=%d&if_primary_term=%d", t.mark.Seq, t.mark.Term))
	if is(err, http.StatusConflict) {
		// Our own, whose answer was lost, is found when the target is opened again; anything else is another writer's.
		if known, e := t.readMark(ctx); e == nil && known && t.mark.Source.Time == g.To && t.mark.Source.Writer == t.cfg.Run.Writer {
			return records, nil
		}
		err = sinks.Taken(t.cfg.Run.Place)
	}
	return records, err
}

// deleteOthers deletes the documents of keys that the whole content does not have.
func (t *target) deleteOthers(ctx context.Context, ops []operation, refused map[string]string, at repr.Time) error {
	keep := map[string]bool{}
	for i := range ops {
		if ops[i].doc != nil && refused[ops[i].id] == "" {
			keep[ops[i].id] = true
		}
	}
	n, err := t.count(ctx)
	if err != nil || n == int64(len(keep)) { // those that were written are there, so there are no others
		return err
	}
	var others []operation
	err = t.eachID(ctx, func(id string) {
		if !keep[id] {
			others = append(others, operation{id: id, version: at})
		}
	})
	if err == nil {
		_, err = t.bulk(ctx, others)
	}
	return err
}

// page is a part of the documents, of which only the ids are asked for.
type page struct {
	Scroll string `json:"_scroll_id"`
	Hits   struct {
		Hits []struct {
			ID string `json:"_id"`
		} `json:"hits"`
	} `json:"hits"`
}

// eachID gives the ids of all documents.
func (t *target) eachID(ctx context.Context, fn func(id string)) error {
	var p page
	ask := map[string]any{"size": 5000, "_source": false, "sort": []string{"_doc"}}
	err := t.client.call(ctx, http.MethodPost, "/"+t.cfg.Index+"/_search?scroll=2m", ask, &p)
	for err == nil && len(p.Hits.Hits) > 0 {
		for i := range p.Hits.Hits {
			fn(p.Hits.Hits[i].ID)
		}
		scroll := p.Scroll
		p = page{}
		err = t.client.call(ctx, http.MethodPost, "/_search/scroll", map[string]any{"scroll": "2m", "scroll_id": scroll}, &p)
	}
	if p.Scroll != "" && err == nil {
		err = t.client.call(ctx, http.MethodDelete, "/_search/scroll", map[string]any{"scroll_id": []string{p.Scroll}}, nil)
	}
	return err
}
