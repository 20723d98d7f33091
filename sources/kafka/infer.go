package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/repr/jsonb"
)

// inferRecords is how many records are read at most to learn columns from.
const inferRecords = 1000

// errEmpty says that there is nothing to learn columns from.
func (s *Source) errEmpty(what string) error {
	return (&repr.Error{Code: repr.CodeObjectNotReady, Message: fmt.Sprintf("topic %q has no %s to learn the columns from", s.cfg.Topic, what)}).
		WithHint("Write a record to the topic, or say the columns: CREATE SOURCE … (name type, …) FROM KAFKA ….")
}

// sample reads the first values or keys of the topic, so many at most. The records of transactions that are open are left out.
func (s *Source) sample(ctx context.Context, of side, most int) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.PatienceOnce)
	defer cancel()
	cl, err := s.cfg.Broker.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.cfg.Topic: {}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes/fetchParts))
	if err != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, err.Error())
	}
	defer cl.CloseAllowingRebalance()
	left, starts, err := s.span(ctx, cl)
	if err != nil {
		return nil, asError(s.cfg.Broker.Explain(err))
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.cfg.Topic: starts})
	var out [][]byte
	for len(left) > 0 && len(out) < most {
		fetches := cl.PollRecords(ctx, most)
		if err := fetches.Err0(); err != nil {
			if errors.Is(err, context.DeadlineExceeded) && len(out) > 0 {
				break // the rest may be markers of transactions
			}
			if p := s.cfg.Broker.Explain(err); p != nil {
				return nil, asError(p)
			}
			return nil, err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			b := r.Value
			if of.suffix == "-key" {
				b = r.Key
			}
			if b != nil && len(out) < most {
				out = append(out, b)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return out, nil
}

// span is where the partitions begin that have records, and where they end.
func (s *Source) span(ctx context.Context, cl *kgo.Client) (ends map[int32]int64, starts map[int32]kgo.Offset, err error) {
	adm := kadm.NewClient(cl)
	first, err := adm.ListStartOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, nil, err
	}
	last, err := adm.ListCommittedOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, nil, err
	}
	ends, starts = map[int32]int64{}, map[int32]kgo.Offset{}
	last.Each(func(end kadm.ListedOffset) {
		if start, ok := first.Lookup(s.cfg.Topic, end.Partition); ok && start.Offset < end.Offset {
			ends[end.Partition], starts[end.Partition] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	})
	return ends, starts, nil
}

// header is the first message, which says the names of the columns.
func (s *Source) header(ctx context.Context, of side) (string, error) {
	if of.kept != "" {
		return of.kept, nil
	}
	first, err := s.sample(ctx, of, 1)
	if err != nil {
		return "", err
	}
	if len(first) == 0 || len(first[0]) == 0 {
		return "", s.errEmpty("header")
	}
	return string(first[0]), nil
}

// infer finds the columns of JSON by what the first messages have. A value keeps what no column has.
func (s *Source) infer(ctx context.Context, of side) (cols repr.RowDesc, k keptShape, err error) {
	if of.kept != "" {
		k, cols, err = unkeep(of.kept)
		return cols, k, err
	}
	values, err := s.sample(ctx, of, inferRecords)
	if err != nil {
		return nil, k, err
	}
	var found Fields
	for _, v := range values {
		found.Add(v)
	}
	if len(found.names) == 0 {
		return nil, k, s.errEmpty("JSON object")
	}
	cols = found.Columns()
	return cols, keptShape{Columns: keepColumns(cols), Rest: of.suffix == suffixValue}, nil
}

// maxFound bounds the columns that are learned.
const maxFound = 1000

// Fields are the members of objects that were seen, in the order in which they came first.
type Fields struct {
	names []string
	seen  map[string]fieldKind
	parts []jsonb.Part
}

// fieldKind is what the values of a field have in common.
type fieldKind uint8

const (
	fieldNull fieldKind = iota // nothing but null
	fieldBool
	fieldWhole  // numbers that fit bigint
	fieldNumber // other numbers
	fieldText   // strings, or values of several kinds that are no lists and objects
	fieldNested // lists and objects, or anything beside them
)

var fieldTypes = [...]repr.Kind{
	fieldNull: repr.KindText, fieldBool: repr.KindBool, fieldWhole: repr.KindInt8, fieldNumber: repr.KindNumeric,
	fieldText: repr.KindText, fieldNested: repr.KindJSONB,
}

// Add takes a message; one that is no object is left out.
func (f *Fields) Add(message []byte) {
	parts, isObject, err := jsonb.Split(f.parts[:0], message)
	f.parts = parts
	if err != nil || !isObject {
		return
	}
	if f.seen == nil {
		f.seen = map[string]fieldKind{}
	}
	for _, p := range parts {
		key, err := jsonb.Normalize(nil, p.Key)
		if err != nil {
			continue
		}
		name := string(jsonb.Unquote(key))
		old, known := f.seen[name]
		if !known && (len(f.names) == maxFound || name == "") {
			continue
		}
		if !known {
			f.names = append(f.names, name)
		}
		f.seen[name] = join(old, kindOf(p.Value))
	}
}

func kindOf(raw []byte) fieldKind {
	switch raw[0] {
	case 'n':
		return fieldNull
	case 't', 'f':
		return fieldBool
	case '"':
		return fieldText
	case '{', '[':
		return fieldNested
	}
	if strings.ContainsAny(string(raw), ".eE") || len(raw) > len("-100000000000000000") {
		return fieldNumber
	}
	return fieldWhole
}

// join is the kind that takes the values of two.
func join(a, b fieldKind) fieldKind {
	switch {
	case a == b || b == fieldNull:
		return a
	case a == fieldNull:
		return b
	case a == fieldNested || b == fieldNested:
		return fieldNested
	case min(a, b) == fieldWhole && max(a, b) == fieldNumber:
		return fieldNumber
	default:
		return fieldText
	}
}

// Columns are the members, with types that take all values that were seen.
func (f *Fields) Columns() repr.RowDesc {
	cols := make(repr.RowDesc, len(f.names))
	for i, name := range f.names {
		cols[i] = repr.Column{Name: name, Type: repr.TypeOf(fieldTypes[f.seen[name]])}
	}
	return cols
}
