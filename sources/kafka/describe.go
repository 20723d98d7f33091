package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/sources/envelope"
	"millrace/sources/infer"
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
	if err := s.checkStart(ctx, cl); err != nil {
		return nil, nil, asError(err)
	}
	if err := s.build(ctx); err != nil {
		return nil, nil, err
	}
	return s.seen.cols, s.seen.keys, nil
}

// Begun says that the source has begun before, so that Describe does not ask any more whether it can begin where it should.
func (s *Source) Begun() { s.begun = true }

// checkStart refuses offsets to start at that no record has any more, nor the next one will have.
func (s *Source) checkStart(ctx context.Context, cl *kgo.Client) error {
	if len(s.cfg.StartOffsets) == 0 || s.begun {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, broker.PatienceOnce)
	defer cancel()
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, s.cfg.Topic)
	ends, e := adm.ListEndOffsets(ctx, s.cfg.Topic)
	if err = errors.Join(err, e); err != nil {
		if p := s.cfg.Broker.Explain(err); p != nil {
			return p
		}
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(s.cfg.StartOffsets)) {
		n := s.cfg.StartOffsets[p]
		end, ok := ends.Lookup(s.cfg.Topic, p)
		if start, has := starts.Lookup(s.cfg.Topic, p); has && start.Err == nil && n > 0 && n < start.Offset {
			return repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("START OFFSET %d of partition %d of topic %q is not there any more: it has %d to %d", n, p, s.cfg.Topic, start.Offset, end.Offset)).
				WithHint("START OFFSET 0 begins with the oldest record that is there.")
		}
		if !ok {
			return repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("START OFFSET has an offset for partition %d, and the last of topic %q is %d", p, s.cfg.Topic, len(ends[s.cfg.Topic])-1)).
				WithHint("Give one offset for each partition, in order; those that are left out begin at their beginning.")
		}
		if end.Err == nil && n > end.Offset {
			return repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("START OFFSET %d is behind the end of partition %d of topic %q, %d", n, p, s.cfg.Topic, end.Offset)).
				WithHint(fmt.Sprintf("START OFFSET %d begins with the next record that is written.", end.Offset))
		}
	}
	return nil
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
	switch s.cfg.Envelope {
	case EnvelopeDebezium, EnvelopeDebeziumUpsert:
		err = s.buildDebezium(ctx, &d)
	case EnvelopeUpsert:
		err = s.buildUpsert(ctx, &d)
	default:
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
	if err := s.name(&d); err != nil {
		return err
	}
	if err := unique(d.cols); err != nil {
		return err
	}
	if s.rest != nil {
		d.cols = append(d.cols, repr.Column{Name: infer.RestColumn, Type: repr.TypeOf(repr.KindJSONB)})
	}
	if err := s.remember(d.env); err != nil {
		return repr.NewError(repr.CodeInternal, fmt.Sprintf("topic %q cannot be read on: %v", s.cfg.Topic, err)).
			WithHint("Drop the source and create it again.")
	}
	s.seen = &d
	return nil
}

// name gives the columns the names that were asked for, and takes the keys that were declared.
func (s *Source) name(d *described) error {
	if n := s.cfg.Names; n != nil {
		if len(n) != len(d.cols) {
			return repr.NewError(repr.CodeSyntax, fmt.Sprintf("%d names are given for %d columns", len(n), len(d.cols))).
				WithHint("The columns are " + strings.Join(namesOf(d.cols), ", ") + ".")
		}
		d.cols = slices.Clone(d.cols)
		for i := range n {
			d.cols[i].Name = n[i]
		}
	}
	for _, key := range s.cfg.Keys {
		var at []int
		for _, name := range key {
			i := d.cols.Index(name)
			if i < 0 {
				return repr.NewError(repr.CodeUndefinedColumn, fmt.Sprintf("column %q named in key does not exist", name))
			}
			at = append(at, i)
		}
		d.keys = append(d.keys, at)
	}
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
	value, schema, err := s.decoder(ctx, s.value(), nil)
	if err != nil {
		return err
	}
	d.valueSchema = schema
	d.cols = append(d.cols, value.Columns()...)
	none := &envelope.None{Value: value}
	if as, ok := s.includesKey(); ok {
		if none.Key, d.keySchema, err = s.decoder(ctx, s.key(), nil); err != nil {
			return err
		}
		key, err := keyColumns(none.Key.Columns(), as)
		if err != nil {
			return err
		}
		d.cols = append(d.cols, nullables(key)...)
	}
	if s.rest != nil {
		none.Rest = s.rest
	}
	d.env = none
	return nil
}

// buildUpsert puts the columns of the key first. A column of the value that has the name of one of them is left out, unless
// the key was given another name.
func (s *Source) buildUpsert(ctx context.Context, d *described) error {
	key, keySchema, err := s.decoder(ctx, s.key(), nil)
	if err != nil {
		return err
	}
	as, _ := s.includesKey()
	cols, err := keyColumns(key.Columns(), as)
	if err != nil {
		return err
	}
	value, valueSchema, err := s.decoder(ctx, s.value(), namesOf(cols))
	if err != nil {
		return err
	}
	d.keySchema, d.valueSchema = keySchema, valueSchema
	of := value.Columns()
	if s.cfg.InlineErrors != "" {
		of = append(nullables(of), repr.Column{Name: s.cfg.InlineErrors, Type: repr.TypeOf(repr.KindText)})
	}
	env := envelope.NewUpsert(key, value, s.cfg.InlineErrors != "")
	env.NullDeletes = s.cfg.ValueFormat == FormatJSON
	if s.rest != nil {
		env.Rest = s.rest
	}
	d.env = env
	unique := make([]int, len(cols))
	for i := range cols {
		unique[i] = i
	}
	d.keys = [][]int{unique}
	d.cols = append(cols, of...)
	return nil
}

// includesKey says whether INCLUDE KEY was said, and as what.
func (s *Source) includesKey() (as string, ok bool) {
	for _, i := range s.cfg.Include {
		if i.What == IncludeKey {
			return i.As, true
		}
	}
	return "", false
}

func namesOf(cols repr.RowDesc) []string {
	names := make([]string, len(cols))
	for i := range cols {
		names[i] = cols[i].Name
	}
	return names
}

func nullables(cols repr.RowDesc) repr.RowDesc {
	cols = slices.Clone(cols)
	for i := range cols {
		cols[i].NotNull = false
	}
	return cols
}

// keyColumns names the columns of a key: one of a format that knows no names is key, or as asked; others bear their own names.
func keyColumns(cols repr.RowDesc, as string) (repr.RowDesc, error) {
	out := slices.Clone(cols)
	switch {
	case as != "" && len(out) > 1:
		return nil, repr.NewError(repr.CodeFeatureNotSupported, "INCLUDE KEY AS is not supported for a key of more than one column").
			WithHint("Leave AS out: the columns bear the names that they have in the key.")
	case as != "":
		out[0].Name = as
	case len(out) == 1 && isNameless(out[0].Name):
		out[0].Name = "key"
	}
	return out, nil
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
		if err := latest.Is(registry.Avro); err != nil {
			return nil, repr.NewError(repr.CodeFeatureNotSupported, err.Error()).WithHint("Read it with the FORMAT of its schema.")
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

// isNameless says whether a column bears the name that formats give to what has none.
func isNameless(name string) bool { return name == "data" || name == "text" }
