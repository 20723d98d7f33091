package txn

import (
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/jsonb"
)

// Record is a record of the transaction topic.
type Record struct {
	ID     string
	End    bool // it is over; otherwise it begins
	Counts map[string]int64
	Millis int64
	Offset int64
}

// ID is what the records of one transaction have in common: of PostgreSQL's, which name a place in the log behind a colon that is
// another one in each, what stands before it. MySQL's have a colon too, and are taken as they are.
func ID(text string) string {
	id, place, _ := strings.Cut(text, ":")
	if isNumber(id) && isNumber(place) {
		return id
	}
	return text
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// IsPostgres says whether the text of an id is one of PostgreSQL.
func IsPostgres(text string) bool { return ID(text) != text }

// Decode reads a row of a source without an envelope over the transaction topic: of one column of JSON, or of the fields of the
// record. The last column is the offset. ok is false when it is no such record.
func Decode(cols repr.RowDesc, row []byte) (r *Record, ok bool) {
	fields := map[string][]byte{}
	r = &Record{}
	for i := range cols {
		var d repr.Datum
		d, row = repr.Decode(row)
		switch {
		case i == len(cols)-1:
			r.Offset = d.Int()
		case d.Kind() == repr.KindJSONB && len(cols) == 2:
			fields = members(d.Bytes())
		case d.Kind() == repr.KindJSONB:
			fields[cols[i].Name] = d.Bytes()
		case d.Kind() == repr.KindText:
			fields[cols[i].Name] = jsonb.AppendString(nil, d.Str())
		case d.Kind() == repr.KindInt8:
			fields[cols[i].Name] = strconv.AppendInt(nil, d.Int(), 10)
		}
	}
	status := text(fields["status"])
	r.ID, r.End = ID(text(fields["id"])), status == "END"
	r.Millis = number(fields["ts_ms"])
	if list := fields["data_collections"]; list != nil && jsonb.TypeOf(list) == jsonb.Array {
		r.Counts = map[string]int64{}
		for e := range jsonb.Elems(list) {
			of := members(e)
			r.Counts[text(of["data_collection"])] += number(of["event_count"])
		}
	}
	return r, r.ID != "" && (r.End || status == "BEGIN")
}

// members are those of an object, out of the wrapper of schema and payload.
func members(object []byte) map[string][]byte {
	out := map[string][]byte{}
	if jsonb.TypeOf(object) != jsonb.Object {
		return out
	}
	for k, v := range jsonb.Members(object) {
		out[string(jsonb.Unquote(k))] = v
	}
	if payload, ok := out["payload"]; ok && out["schema"] != nil {
		return members(payload)
	}
	return out
}

func text(v []byte) string {
	if v == nil || jsonb.TypeOf(v) != jsonb.String {
		return ""
	}
	return string(jsonb.Unquote(v))
}

func number(v []byte) int64 {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
