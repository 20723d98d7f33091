package kafka

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/sources/envelope"
)

// Debezium's headers for a change of a key.
const (
	headerOldKey = "__debezium.oldkey"
	headerNewKey = "__debezium.newkey"
)

// Microseconds and milliseconds from 1970-01-01 to 2000-01-01.
const epochMillis = 946684800 * 1000

var metadataKinds = map[Metadata]repr.Kind{
	IncludePartition: repr.KindInt4, IncludeOffset: repr.KindInt8, IncludeTimestamp: repr.KindTimestamp, IncludeHeaders: repr.KindJSONB,
	IncludeHeader: repr.KindText, IncludeTopic: repr.KindText,
}

func metadataColumn(i Include) repr.Column {
	name := i.As
	if name == "" {
		name = strings.ToLower(string(i.What))
	}
	kind := metadataKinds[i.What]
	if i.What == IncludeHeader && i.Bytes {
		kind = repr.KindBytea
	}
	return repr.Column{Name: name, Type: repr.TypeOf(kind), NotNull: i.What != IncludeHeader}
}

// message is a record as envelopes take it.
func (s *Source) message(m *envelope.Message, r *kgo.Record) {
	meta := m.Meta[:0]
	*m = envelope.Message{Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Rows: m.Rows}
	for _, h := range r.Headers {
		switch h.Key {
		case headerOldKey:
			if len(h.Value) > 0 {
				m.OldKey = h.Value
			}
		case headerNewKey:
			m.KeyChanges = true
		}
	}
	for _, i := range s.cfg.Include {
		switch i.What {
		case IncludePartition:
			meta = repr.Append(meta, repr.Int4(r.Partition))
		case IncludeOffset:
			meta = repr.Append(meta, repr.Int8(r.Offset))
		case IncludeTimestamp:
			meta = repr.Append(meta, repr.Timestamp((r.Timestamp.UnixMilli()-epochMillis)*1000))
		case IncludeHeaders:
			meta = repr.Append(meta, repr.JSONB(headersJSON(r.Headers)))
		case IncludeHeader:
			meta = repr.Append(meta, headerNamed(r.Headers, &i))
		case IncludeTopic:
			meta = repr.Append(meta, repr.Text(r.Topic))
		default: // the key is decoded, not described
		}
	}
	m.Meta = meta
}

// headerNamed is the value of the last header of a name: NULL when there is none.
func headerNamed(headers []kgo.RecordHeader, i *Include) repr.Datum {
	for _, h := range slices.Backward(headers) {
		switch {
		case h.Key != i.Header:
		case h.Value == nil:
			return repr.Null
		case i.Bytes:
			return repr.Bytea(h.Value)
		default:
			return repr.Text(plainText(h.Value))
		}
	}
	return repr.Null
}

// headersJSON is a list of objects of key and value; a value that is no text is written as \x and hexadecimal digits.
func headersJSON(headers []kgo.RecordHeader) []byte {
	elems := make([][]byte, len(headers))
	for i, h := range headers {
		value := []byte("null")
		if h.Value != nil {
			value = jsonb.AppendString(nil, plainText(h.Value))
		}
		elems[i] = jsonb.AppendObject(nil, []jsonb.Member{
			{Key: "key", Value: jsonb.AppendString(nil, plainText([]byte(h.Key)))}, {Key: "value", Value: value}})
	}
	return jsonb.AppendArray(nil, elems)
}

func plainText(b []byte) string {
	if utf8.Valid(b) && strings.IndexByte(string(b), 0) < 0 {
		return string(b)
	}
	return fmt.Sprintf(`\x%x`, b)
}
