package opensearch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"millrace/repr"
	fjson "millrace/repr/format/json"
	"millrace/repr/pgfmt"
	"millrace/sinks"
)

const (
	maxBulk = 4 << 20 // bytes of a request
	maxID   = 512     // bytes; the server takes no longer one
	// What the server has no room for now is sent again, this often and first after this time; then the whole commit is.
	bulkTries = 5
	bulkPause = 100 * time.Millisecond
)

// operation is what is done to one document.
type operation struct {
	id      string
	doc     []byte // nil: it is deleted
	version repr.Time
}

// operations turns what has become of keys into operations.
func (t *target) operations(folded []sinks.Keyed) ([]operation, error) {
	ops := make([]operation, len(folded))
	var datums []repr.Datum
	for i := range folded {
		k := &folded[i]
		row := k.Row
		if row == nil {
			row = k.Was
		}
		datums = repr.DecodeRow(datums[:0], row)
		ops[i] = operation{id: t.idOf(datums), version: k.Time}
		if k.Row == nil {
			continue
		}
		doc, err := t.enc.Append(nil, k.Row)
		if err != nil {
			return nil, err
		}
		ops[i].doc = doc
	}
	return ops, nil
}

// idOf is the _id of a row: the text of its key, or a list in JSON when the key has several columns, or is nothing that could be
// told from such a list or used by itself. Values that are equal and print differently have one id.
func (t *target) idOf(row []repr.Datum) string {
	if len(t.cfg.Key) == 1 {
		k := t.cfg.Key[0]
		if d := row[k].Canonical(); !d.IsNull() {
			text := string(pgfmt.AppendText(nil, t.cfg.Cols[k].Type, d, nil))
			if text != "" && text[0] != '[' {
				return text
			}
		}
	}
	out := []byte{'['}
	for i, k := range t.cfg.Key {
		if i > 0 {
			out = append(out, ',')
		}
		out = fjson.AppendValue(out, t.cfg.Cols[k].Type, row[k].Canonical())
	}
	return string(append(out, ']'))
}

// append adds the operation to the text of a request.
func (o *operation) append(dst []byte) ([]byte, error) {
	id, err := json.Marshal(o.id)
	if err != nil {
		return nil, err
	}
	verb := "index"
	if o.doc == nil {
		verb = "delete"
	}
	dst = fmt.Appendf(dst, `{"%s":{"_id":%s,"version":%d,"version_type":"external_gte"}}`+"\n", verb, id, o.version)
	if o.doc != nil {
		dst = append(append(dst, o.doc...), '\n')
	}
	return dst, nil
}

// bulk does operations, and says of which documents the index took none and why. What was there under their ids is deleted.
func (t *target) bulk(ctx context.Context, ops []operation) (refused map[string]string, err error) {
	refused = map[string]string{}
	var gone []operation
	for from := 0; from < len(ops); {
		var text []byte
		to := from
		for ; to < len(ops) && (to == from || len(text)+len(ops[to].doc) < maxBulk); to++ {
			if len(ops[to].id) > maxID {
				refused[ops[to].id] = fmt.Sprintf("the key has %d bytes, and an _id at most %d", len(ops[to].id), maxID)
				break
			}
			if text, err = ops[to].append(text); err != nil {
				return nil, err
			}
		}
		if err := t.send(ctx, ops[from:to], text, refused); err != nil {
			return nil, err
		}
		if to < len(ops) && len(ops[to].id) > maxID {
			to++
		}
		from = to
	}
	for i := range ops {
		if o := &ops[i]; refused[o.id] != "" && o.doc != nil && len(o.id) <= maxID {
			gone = append(gone, operation{id: o.id, version: o.version})
		}
	}
	if len(gone) > 0 {
		_, err = t.bulk(ctx, gone)
	}
	return refused, err
}

// item is the answer to one operation.
type item struct {
	Status int      `json:"status"`
	Error  *failure `json:"error"`
}

// send sends operations, and again those for which the server had no room.
func (t *target) send(ctx context.Context, ops []operation, text []byte, refused map[string]string) error {
	pause := bulkPause
	for try := 1; len(ops) > 0; try++ {
		var answer struct {
			Items []map[string]item `json:"items"`
		}
		if err := t.client.call(ctx, http.MethodPost, "/"+t.cfg.Index+"/_bulk", text, &answer); err != nil {
			return err
		}
		if len(answer.Items) != len(ops) {
			return fmt.Errorf("the answer to %d operations has %d", len(ops), len(answer.Items))
		}
		again, err := sort(ops, answer.Items, refused)
		if err != nil && try == bulkTries || len(again) == 0 {
			return err
		}
		ops, text = again, nil
		for i := range ops {
			if text, err = ops[i].append(text); err != nil {
				return err
			}
		}
		if err := t.cfg.Run.Clock.Sleep(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
	return nil
}

// sort says which operations are to be sent again, with the answer to the last of them, and notes those that were refused.
func sort(ops []operation, items []map[string]item, refused map[string]string) (again []operation, err error) {
	for i := range items {
		for _, it := range items[i] { // there is one
			switch {
			case it.Status < 300, it.Status == http.StatusNotFound && ops[i].doc == nil:
			case it.Status == http.StatusConflict: // a newer version is there
			case it.Status == http.StatusTooManyRequests, it.Status == http.StatusForbidden, it.Status >= 500, it.Error == nil, it.Status == http.StatusNotFound:
				again = append(again, ops[i])
				err = &answerError{it.Status, reasonOf(it.Error)}
			default:
				refused[ops[i].id] = reasonOf(it.Error)
			}
		}
	}
	return again, err
}

func reasonOf(f *failure) string {
	if f == nil {
		return ""
	}
	return f.text()
}

// Columns of sinks.RefusalColumns.
const (
	refusalError    = 1
	refusalKey      = 2
	refusalDocument = 3
)

// noteRefusals brings the sink's errors up to date: what is refused now is in it, and of the other keys that were written nothing.
func (t *target) noteRefusals(ctx context.Context, ops []operation, refused map[string]string, whole bool) error {
	if t.refusals == nil {
		return nil
	}
	var changes []sinks.Change
	next := map[string][]byte{}
	written := map[string]bool{}
	for i := range ops {
		o := &ops[i]
		old, was := t.refused[o.id]
		written[o.id] = true
		why := refused[o.id]
		if why == "" || was && saysThat(old, why, o.doc) {
			if was && why == "" {
				changes, next[o.id] = append(changes, sinks.Change{Row: old, Diff: -1}), nil
			}
			continue
		}
		if was {
			changes = append(changes, sinks.Change{Row: old, Diff: -1})
		}
		row := repr.AppendRow(nil, []repr.Datum{repr.TimestampTZ(t.cfg.Run.Clock.Now().UnixMicro() - postgresEpoch), repr.Text(strings.ToValidUTF8(why, "?")),
			repr.Text(o.id), repr.Text(string(o.doc))})
		changes, next[o.id] = append(changes, sinks.Change{Row: row, Diff: 1}), row
	}
	for id, old := range t.refused {
		if whole && !written[id] {
			changes, next[id] = append(changes, sinks.Change{Row: old, Diff: -1}), nil
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := t.refusals.Change(ctx, changes); err != nil {
		return err
	}
	for id, row := range next {
		if row == nil {
			delete(t.refused, id)
			continue
		}
		t.refused[id] = row
	}
	return nil
}

// postgresEpoch is 2000-01-01 in microseconds from 1970 on, where the times of rows begin.
const postgresEpoch = 946_684_800_000_000

// saysThat says whether a row of the errors says the same.
func saysThat(row []byte, why string, doc []byte) bool {
	d := repr.DecodeRow(nil, row)
	return d[refusalError].Str() == why && d[refusalDocument].Str() == string(doc)
}
