package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"millrace/internal/broker"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/repr/format/bytes"
	"millrace/repr/format/json"
	"millrace/sources/envelope"
)

// described is what the broker and the registry said.
type described struct {
	cols        repr.RowDesc
	keys        [][]int
	env         envelope.Envelope
	valueSchema string
	keySchema   string
}

// Describe asks whether the topic can be read and what its columns are. keys are the sets of columns that are unique.
// It answers within seconds; what is wrong is a *repr.Error.
func (s *Source) Describe(ctx context.Context) (cols repr.RowDesc, keys [][]int, err error) {
	if s.seen != nil {
		return s.seen.cols, s.seen.keys, nil
	}
	cl, err := s.cfg.Broker.Client()
	if err != nil {
		return nil, nil, repr.NewError(repr.CodeInvalidParameter, err.Error())
	}
	defer cl.Close()
	if _, err := s.cfg.Broker.Lookup(ctx, cl, s.cfg.Topic); err != nil {
		return nil, nil, asError(err)
	}
	if err := s.build(ctx); err != nil {
		return nil, nil, err
	}
	return s.seen.cols, s.seen.keys, nil
}

// Grows says that rows are only added: so it is without an envelope, under which every record is a row that stays.
func (s *Source) Grows() bool { return s.cfg.Envelope == EnvelopeNone }

// Schemas are the Avro schemas that the source reads with, once it is described; empty for other formats.
func (s *Source) Schemas() (value, key string) {
	if s.seen == nil {
		return "", ""
	}
	return s.seen.valueSchema, s.seen.keySchema
}

// asError gives a problem of Kafka the form that users see.
func asError(err error) error {
	var p *broker.Problem
	if errors.As(err, &p) {
		return &repr.Error{Code: p.Code, Message: p.Message, Hint: p.Hint}
	}
	return err
}

// build asks the registry and sets the envelope up.
func (s *Source) build(ctx context.Context) error {
	var d described
	var err error
	if s.cfg.Envelope.isDebezium() {
		err = s.buildDebezium(ctx, &d)
	} else {
		err = s.buildNone(ctx, &d)
	}
	if err != nil {
		return err
	}
	for _, i := range s.cfg.Include {
		if i.What != IncludeKey {
			d.cols = append(d.cols, metadataColumn(i))
		}
	}
	if err := unique(d.cols); err != nil {
		return err
	}
	if err := s.remember(d.env); err != nil {
		return repr.NewError(repr.CodeInternal, fmt.Sprintf("topic %q cannot be read on: %v", s.cfg.Topic, err)).
			WithHint("Drop the source and create it again.")
	}
	s.seen = &d
	return nil
}

func unique(cols repr.RowDesc) error {
	for i := range cols {
		if j := cols.Index(cols[i].Name); j != i {
			return &repr.Error{Code: repr.CodeDuplicateColumn, Message: fmt.Sprintf("column %q specified more than once", cols[i].Name),
				Hint: "Give the column of INCLUDE another name with AS."}
		}
	}
	return nil
}

func (s *Source) buildNone(ctx context.Context, d *described) error {
	value, schema, err := s.decoder(ctx, s.cfg.ValueFormat, s.cfg.ValueSchema, "-value")
	if err != nil {
		return err
	}
	d.valueSchema = schema
	d.cols = append(d.cols, value.Columns()...)
	none := &envelope.None{Value: value}
	for _, i := range s.cfg.Include {
		if i.What != IncludeKey {
			continue
		}
		if none.Key, d.keySchema, err = s.decoder(ctx, s.cfg.KeyFormat, s.cfg.KeySchema, "-key"); err != nil {
			return err
		}
		d.cols = append(d.cols, keyColumns(none.Key.Columns(), i.As)...)
	}
	d.env = none
	return nil
}

// keyColumns names the columns of a key: a single one key, or as asked; several by their own names.
func keyColumns(cols repr.RowDesc, as string) repr.RowDesc {
	out := append(repr.RowDesc(nil), cols...)
	for i := range out {
		out[i].NotNull = false
	}
	if len(out) == 1 {
		out[0].Name = "key"
		if as != "" {
			out[0].Name = as
		}
	}
	return out
}

// decoder makes a decoder for a format, and says with which schema.
func (s *Source) decoder(ctx context.Context, f Format, schema, suffix string) (envelope.ValueDecoder, string, error) {
	switch f {
	case FormatBytes:
		return envelope.Plain(bytes.Bytes{}), "", nil
	case FormatText:
		return envelope.Plain(bytes.Text{}), "", nil
	case FormatJSON:
		return envelope.Plain(&json.Decoder{}), "", nil
	default:
		return s.registered(ctx, schema, suffix)
	}
}

// registered makes a decoder of Avro by a schema of the registry.
func (s *Source) registered(ctx context.Context, schema, suffix string) (envelope.ValueDecoder, string, error) {
	parsed, err := s.schema(ctx, schema, suffix)
	if err != nil {
		return nil, "", err
	}
	cols, err := parsed.Columns()
	if err != nil {
		return nil, "", err
	}
	nullable(cols)
	return envelope.NewRegistered(s.cfg.Registry, cols), parsed.Text(), nil
}

// nullable lets every column be NULL: a record of another schema may lack a field that this one demands.
func nullable(cols []avro.Column) {
	for i := range cols {
		cols[i].NotNull = false
	}
}

func (s *Source) subject(suffix string) string { return s.cfg.Topic + suffix }

// schema parses a schema that was given, or else the newest that the registry has.
func (s *Source) schema(ctx context.Context, text, suffix string) (*avro.Schema, error) {
	if text == "" {
		latest, err := s.cfg.Registry.Latest(ctx, s.subject(suffix))
		if err != nil {
			return nil, s.registryError(err, suffix)
		}
		text = latest.Text
	}
	parsed, err := avro.Parse(text)
	var e *repr.Error
	if errors.As(err, &e) {
		c := *e
		c.Message = fmt.Sprintf("subject %q: %s", s.subject(suffix), e.Message)
		return nil, &c
	}
	return parsed, err
}

func (s *Source) registryError(err error, suffix string) error {
	url, subject := s.cfg.Registry.URL(), s.subject(suffix)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return &repr.Error{Code: repr.CodeUndefinedObject, Message: fmt.Sprintf("subject %q not found in the schema registry at %s", subject, url),
			Hint: "A subject is there once something was written to the topic with its schema; its name is the topic's and " + suffix + "."}
	case errors.Is(err, registry.ErrUnreachable):
		return &repr.Error{Code: repr.CodeCannotConnect, Message: fmt.Sprintf("cannot reach the schema registry at %s: %s", url, reason(err)),
			Hint: "Check the address of the schema registry."}
	case errors.Is(err, registry.ErrDenied):
		return &repr.Error{Code: repr.CodeInvalidAuthorization, Message: err.Error(), Hint: "Check the user and password of the schema registry."}
	}
	return &repr.Error{Code: repr.CodeInvalidParameter, Message: err.Error(), Hint: "Check the address of the schema registry."}
}

// reason is the last part of an error, which says what happened.
func reason(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "at http"); ok {
		if _, why, ok := strings.Cut(after, ": "); ok {
			return why
		}
	}
	return text
}
