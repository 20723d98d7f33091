package coord

import (
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/sources/kafka"
	"millrace/sql/ast"
)

// kafkaOptions read the options of a Kafka source, by the words of both dialects.
var kafkaOptions = map[string]func(spec *kafkaSource, o *ast.Option) *repr.Error{
	"topic":             func(*kafkaSource, *ast.Option) *repr.Error { return nil },
	optionRetain:        func(*kafkaSource, *ast.Option) *repr.Error { return nil },
	"start offset":      takeStartOffsets,
	"start_offset":      takeStartOffsets,
	"start timestamp":   takeStartTime,
	"start_timestamp":   takeStartTime,
	"kafka_time_offset": takeStartTime,
}

// takeOptions reads the options that stand behind the topic and behind the envelope.
func (spec *kafkaSource) takeOptions(st *ast.CreateSource) *repr.Error {
	for _, list := range [][]ast.Option{st.From.Options, st.Options} {
		for i := range list {
			o := &list[i]
			take := kafkaOptions[o.Name]
			if take == nil {
				return unsupported("the source option "+strings.ToUpper(o.Name), o.Pos).
					WithHint("the options are TOPIC, START OFFSET, START TIMESTAMP, RETAIN HISTORY FOR, ON ERROR, MAX ERROR RATE, RETAIN ERRORS, DEAD LETTER TOPIC and DEAD LETTER CONNECTION; how to log in is said by CREATE CONNECTION")
			}
			if err := take(spec, o); err != nil {
				return err
			}
		}
	}
	if spec.startOffsets != nil && spec.startMillis != 0 {
		return repr.NewError(repr.CodeSyntax, "START OFFSET and START TIMESTAMP cannot both be given").At(st.From.Pos)
	}
	return nil
}

// takeStartOffsets reads one offset, of partition 0, or a list, of the partitions from 0 on.
func takeStartOffsets(spec *kafkaSource, o *ast.Option) *repr.Error {
	list := o.Value.List
	if o.Value.Kind != ast.OptionList {
		list = []ast.OptionValue{o.Value}
	}
	spec.startOffsets = map[int32]int64{}
	for i := range list {
		n, err := strconv.ParseInt(list[i].Text, 10, 64)
		if err != nil || n < 0 || list[i].Kind != ast.OptionNumber {
			return repr.NewError(repr.CodeInvalidParameter, "START OFFSET is an offset from 0 on, or a list of them, one for each partition").
				WithHint("write it as in START OFFSET (0, 10, 100)").At(o.Pos)
		}
		spec.startOffsets[int32(i)] = n
	}
	return nil
}

// takeStartTime reads milliseconds since 1970, or, when below zero, before now.
func takeStartTime(spec *kafkaSource, o *ast.Option) *repr.Error {
	n, err := strconv.ParseInt(o.Value.Text, 10, 64)
	if err != nil || n == 0 || o.Value.Kind != ast.OptionNumber {
		return repr.NewError(repr.CodeInvalidParameter, "START TIMESTAMP is a number of milliseconds since 1970, or before now when it is negative").
			WithHint("write it as in START TIMESTAMP 1735689600000, or START TIMESTAMP -3600000 for the last hour").At(o.Pos)
	}
	spec.startMillis = n
	return nil
}

// takeEnvelope reads ENVELOPE with what belongs to it.
func (spec *kafkaSource) takeEnvelope(st *ast.CreateSource) *repr.Error {
	e := st.Envelope
	if e == nil {
		return nil
	}
	spec.envelope = e.Kind
	if _, ok := envelopes[e.Kind]; !ok {
		return unsupported("ENVELOPE "+e.Kind.String()+" of a source", e.Pos)
	}
	if spec.isDebezium() {
		return nil // debezium.go reads the rest
	}
	if e.KeyFormat != nil { // the form of 2021
		if spec.key != nil {
			return repr.NewError(repr.CodeSyntax, "the format of the key is given twice").At(e.KeyFormat.Pos)
		}
		spec.key = e.KeyFormat
	}
	if len(e.Key) > 0 {
		return unsupported("KEY (…) of a source's ENVELOPE, whose key is that of the messages,", e.Pos)
	}
	for i := range e.Options {
		if err := spec.takeEnvelopeOption(&e.Options[i]); err != nil {
			return err
		}
	}
	return nil
}

// envelopes are the envelopes of a source, in the words of the connector.
var envelopes = map[ast.EnvelopeKind]kafka.Envelope{
	ast.EnvelopeNone: kafka.EnvelopeNone, ast.EnvelopeUpsert: kafka.EnvelopeUpsert, ast.EnvelopeDebezium: kafka.EnvelopeDebezium,
	ast.EnvelopeDebeziumUpsert: kafka.EnvelopeDebeziumUpsert,
}

// inlineColumn is the column of errors when it was given no name.
const inlineColumn = "error"

// takeEnvelopeOption reads VALUE DECODING ERRORS = INLINE, or = (INLINE AS name).
func (spec *kafkaSource) takeEnvelopeOption(o *ast.Option) *repr.Error {
	const name = "value decoding errors"
	rest, ok := strings.CutPrefix(o.Name, name)
	if !ok || spec.envelope != ast.EnvelopeUpsert {
		return unsupported("the option "+strings.ToUpper(o.Name)+" of ENVELOPE "+spec.envelope.String(), o.Pos).
			WithHint("UPSERT has VALUE DECODING ERRORS = INLINE")
	}
	v := o.Value
	if v.Kind == ast.OptionList && len(v.List) == 1 {
		v = v.List[0]
	}
	words := strings.Fields(rest + " " + v.Text)
	switch {
	case len(words) == 1 && words[0] == "inline":
		spec.inline = inlineColumn
	case len(words) == 3 && words[0] == "inline" && words[1] == "as":
		spec.inline = words[2]
	default:
		return repr.NewError(repr.CodeInvalidParameter, "VALUE DECODING ERRORS is INLINE, or (INLINE AS name)").At(o.Pos)
	}
	return nil
}
