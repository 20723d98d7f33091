package opensearch

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"millrace/internal/clock"
	"millrace/internal/dial"
	"millrace/repr"
	"millrace/repr/format/json"
	"millrace/sinks"
)

// Config says what to write, and where.
type Config struct {
	URL      string
	User     string // for basic authentication; none when empty
	Password string
	Index    string // made when missing
	Cols     repr.RowDesc
	Key      []int // columns of the key

	Name   string // names this sink for ever in the index millrace-progress
	Run    sinks.Options
	Dialer *dial.Dialer
}

// Sink writes one view to one index.
type Sink struct {
	*sinks.Runner
	target *target
}

// New makes a sink; it does not connect yet.
func New(cfg Config) (*Sink, error) {
	if len(cfg.Key) == 0 {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a sink into an index needs a key").
			WithHint("Add KEY (…): its columns become the _id of a document.")
	}
	if err := checkIndexName(cfg.Index); err != nil {
		return nil, err
	}
	mapping, err := mappingOf(cfg.Cols)
	if err != nil {
		return nil, err
	}
	client, err := NewClient(cfg.URL, cfg.User, cfg.Password, cfg.Dialer)
	if err != nil {
		return nil, err
	}
	if cfg.Run.Log == nil {
		cfg.Run.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Run.Clock == nil {
		cfg.Run.Clock = clock.System{}
	}
	cfg.Run.Place = fmt.Sprintf("index %q at %s", cfg.Index, client.base)
	t := &target{cfg: cfg, client: client, mapping: mapping, enc: json.NewEncoder(cfg.Cols), refused: map[string][]byte{}}
	return &Sink{target: t, Runner: sinks.NewRunner(t, cfg.Run)}, nil
}

// Check finds out whether the server answers, lets us in, and has no index of that name with documents of others.
func (s *Sink) Check(ctx context.Context) *repr.Error {
	t := s.target
	defer t.Close(ctx)
	known, err := t.readMark(ctx)
	there := false
	if err == nil && !known { // else the documents are its own
		there, err = t.there(ctx)
	}
	if err == nil && there {
		err = t.refuseDocuments(ctx)
	}
	if err != nil {
		e, _ := t.Explain(err)
		return e
	}
	return nil
}

// KeepRefusals says where what the index refuses is kept.
func (s *Sink) KeepRefusals(to sinks.Refusals) {
	s.target.refusals = to
	for _, row := range to.Held() {
		s.target.refused[repr.DecodeRow(nil, row)[refusalKey].Str()] = row
	}
}

// checkIndexName refuses what the server would, in our words.
func checkIndexName(name string) *repr.Error {
	bad := name == "" || len(name) > 255 || strings.ToLower(name) != name || strings.ContainsAny(name, "\\/*?\"<>| ,#:") ||
		strings.ContainsAny(name[:1], "-_+.") || url.PathEscape(name) != name
	if !bad && name != progressIndex {
		return nil
	}
	return repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("invalid name of an index: %q", name)).
		WithHint("An index's name has lower-case letters, digits, hyphens and underscores, and begins with a letter or digit.")
}

// mappings are how the values of each kind are searched. A kind that is not here is one word: a keyword.
var mappings = map[repr.Kind]map[string]any{
	repr.KindBool: {"type": "boolean"}, repr.KindInt2: {"type": "short"}, repr.KindInt4: {"type": "integer"},
	repr.KindInt8: {"type": "long"}, repr.KindOID: {"type": "long"}, repr.KindFloat4: {"type": "float"},
	repr.KindFloat8: {"type": "double"}, repr.KindNumeric: {"type": "double"},
	repr.KindText: words, repr.KindVarchar: words, repr.KindBpchar: words,
	repr.KindDate: {"type": "date", "format": "strict_date"}, repr.KindTimestamp: instant, repr.KindTimestampTZ: instant,
	repr.KindJSON: opaque, repr.KindJSONB: opaque,
}

var (
	words   = map[string]any{"type": "text", "fields": map[string]any{"keyword": map[string]any{"type": "keyword", "ignore_above": 256}}}
	instant = map[string]any{"type": "date", "format": "strict_date_optional_time"}
	opaque  = map[string]any{"type": "object", "enabled": false} // any JSON; kept and shown, not searched
	keyword = map[string]any{"type": "keyword"}
)

// mappingOf is the mapping of an index for rows of a shape.
func mappingOf(cols repr.RowDesc) (map[string]any, error) {
	properties := map[string]any{}
	for _, c := range cols {
		kind := c.Type.Kind
		if kind == repr.KindArray {
			kind = c.Type.Elem // a field may have several values
		}
		if kind == repr.KindRecord || kind == repr.KindNull {
			return nil, repr.NewError(repr.CodeFeatureNotSupported, fmt.Sprintf("column %q of type %s in an index is not supported", c.Name, c.Type))
		}
		properties[c.Name] = keyword
		if m := mappings[kind]; m != nil {
			properties[c.Name] = m
		}
	}
	return map[string]any{"mappings": map[string]any{"properties": properties}}, nil
}
