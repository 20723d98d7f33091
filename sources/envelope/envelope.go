package envelope

import (
	"context"
	"errors"
	"fmt"

	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/format/avro"
	"millrace/sources"
)

// Message is a record as a connector read it.
type Message struct {
	Partition int32
	Offset    int64
	Key       []byte // nil when the record has none
	Value     []byte // nil when the record is a tombstone
	OldKey    []byte // Debezium's header that names the key before a change of it; nil when there is none
	// KeyChanges: Debezium's header names a new key, so this is the end of the row under its old one.
	KeyChanges bool
	Meta       []byte         // packed columns to append to every row of the message
	Rows       *sources.Arena // where its rows may lie; nil: they are memory of their own
}

// Envelope turns messages into updates. One goroutine at a time may use it.
type Envelope interface {
	// Apply appends what a message changes. An error of type *repr.Error says that the message is bad: it changed
	// nothing and the next may be applied. Any other error says that the same message may succeed later.
	Apply(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error)
}

// Schemas gives schemas by id.
type Schemas interface {
	ByID(ctx context.Context, id int) (registry.Schema, error)
}

// ValueDecoder turns keys or values into columns; unlike a format.Decoder it may ask a registry.
type ValueDecoder interface {
	Columns() repr.RowDesc
	Append(ctx context.Context, dst, message []byte) ([]byte, error)
}

// Rest is a decoder of values that keeps what of a message no column has.
type Rest interface {
	// AppendRest packs it as one column, for the message that was decoded last.
	AppendRest(dst []byte) []byte
	// Extra gives the names of what no column has, each once.
	Extra() []string
}

func extraOf(r Rest) []string {
	if r == nil {
		return nil
	}
	return r.Extra()
}

// Plain is a decoder that needs no registry.
func Plain(d format.Decoder) ValueDecoder { return plain{d} }

type plain struct{ format.Decoder }

func (p plain) Append(_ context.Context, dst, message []byte) ([]byte, error) {
	return p.Decoder.Append(dst, message)
}

// Registered decodes Avro whose schema the registry knows by the id in each message, to the columns of a reader.
type Registered struct {
	schemas  Schemas
	cols     []avro.Column
	decoders cache[*avro.Decoder]
}

// NewRegistered makes a decoder for columns.
func NewRegistered(schemas Schemas, cols []avro.Column) *Registered {
	return &Registered{schemas: schemas, cols: cols}
}

// Columns are what a message becomes.
func (v *Registered) Columns() repr.RowDesc { return avro.Desc(v.cols) }

// Append decodes a message.
func (v *Registered) Append(ctx context.Context, dst, message []byte) ([]byte, error) {
	id, record, err := avro.Unframe(message)
	if err != nil {
		return dst, err
	}
	dec, err := v.decoders.get(ctx, v.schemas, id, func(s *avro.Schema) (*avro.Decoder, error) {
		return avro.NewDecoder(s, v.cols)
	})
	if err != nil {
		return dst, err
	}
	return dec.Append(dst, record)
}

// maxCompiled bounds how many schemas are kept compiled.
const maxCompiled = 1024

// cache keeps what was compiled from each schema, or why that cannot be done.
type cache[T any] struct {
	byID   map[int]compiled[T]
	lastID int
	last   compiled[T]
	has    bool
}

type compiled[T any] struct {
	value T
	err   error
}

func (c *cache[T]) get(ctx context.Context, schemas Schemas, id int, compile func(*avro.Schema) (T, error)) (T, error) {
	if c.has && c.lastID == id {
		return c.last.value, c.last.err
	}
	return c.lookUp(ctx, schemas, id, func(s registry.Schema) (T, error) {
		var none T
		if err := s.Is(registry.Avro); err != nil {
			return none, repr.NewError(repr.CodeFeatureNotSupported, err.Error())
		}
		parsed, err := avro.Parse(s.Text)
		if err != nil {
			return none, err
		}
		return compile(parsed)
	})
}

// lookUp is get for schemas of any type. What compile says is final, unless the registry was away.
func (c *cache[T]) lookUp(ctx context.Context, schemas Schemas, id int, compile func(registry.Schema) (T, error)) (T, error) {
	if c.has && c.lastID == id {
		return c.last.value, c.last.err
	}
	got, ok := c.byID[id]
	if !ok {
		var err error
		if got, err = ask(ctx, schemas, id, compile); err != nil {
			var zero T
			return zero, err
		}
		if c.byID == nil || len(c.byID) >= maxCompiled {
			c.byID = map[int]compiled[T]{}
		}
		c.byID[id] = got
	}
	c.lastID, c.last, c.has = id, got, true
	return got.value, got.err
}

// ask fetches and compiles a schema. A schema that cannot be compiled is as final as one that can; the error beside
// it is for what may be otherwise the next time.
func ask[T any](ctx context.Context, schemas Schemas, id int, compile func(registry.Schema) (T, error)) (compiled[T], error) {
	var c compiled[T]
	s, err := schemas.ByID(ctx, id)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return c, repr.NewError(repr.CodeInvalidBinary, fmt.Sprintf("the message names a schema that is not there: %v", err))
	case errors.Is(err, registry.ErrUnreachable), errors.Is(err, registry.ErrDenied), ctx.Err() != nil:
		return c, err
	case err != nil:
		c.err = repr.NewError(repr.CodeFeatureNotSupported, err.Error())
		return c, nil
	}
	c.value, err = compile(s)
	if errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrDenied) {
		return c, err // of a schema that this one imports
	}
	if err != nil {
		c.err = withID(id, err)
	}
	return c, nil
}

func withID(id int, err error) error {
	var e *repr.Error
	if !errors.As(err, &e) {
		e = repr.NewError(repr.CodeInvalidParameter, err.Error())
	}
	c := *e
	c.Message = fmt.Sprintf("schema id %d: %s", id, e.Message)
	return &c
}
